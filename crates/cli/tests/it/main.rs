//! The binary as its users meet it: commands in, standard output, standard error and exit code out.

mod bench;
mod folders;
mod golden;
mod program;
mod readme;
