//! The `velocitydb` binary: reads the command line, runs one command, and turns a failure into a
//! message and an exit code. What the commands do is in [`commands`] and [`demo`].

mod allocator;
mod args;
mod commands;
mod csv;
mod demo;
mod exit;
mod failure;
mod format;
mod input;
mod output;
mod progress;
mod records;
mod source;
mod streams;
mod table;
mod violations;
mod workload;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::usage(error),
    };
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit::report(&failure),
    }
}
