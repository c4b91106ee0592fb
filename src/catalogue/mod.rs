//! Tables as data: what each tool's and each program's arguments mean. Pure, embedded, checked.

pub mod tool;
