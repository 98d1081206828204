//! The binary as its users meet it: commands in, standard output, standard error and exit code out.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod bench;
mod controls;
mod folders;
mod golden;
mod mongoexport;
mod program;
mod readers;
mod readme;
