//! What is known beforehand of programs: tables as data, in `policies/catalogue`.
//!
//! A table says what a program takes its words for, never what may be done: that is policy. A
//! program without a table is not guessed at. No I/O: the tables are part of the binary.

pub mod options;
pub mod program;
