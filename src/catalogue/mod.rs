//! What is known beforehand of tools and programs: tables as data, in `policies/catalogue`.
//!
//! A table says what a tool takes its arguments for, or a program its words, never what may be
//! done: that is policy. What has no table is not guessed at. No I/O: the tables are part of the
//! binary.

pub mod options;
pub mod price;
pub mod program;
pub mod tool;
