//! The `velocitydb` binary: reads the command line, runs one command, and turns a failure into a
//! message and an exit code. What the commands do is in [`commands`] and [`demo`].

mod args;
mod commands;
mod demo;
mod exit;
mod format;
mod input;
mod output;
mod workload;

use std::process::ExitCode;

use clap::Parser;

/// Documents are many small allocations: inserting or listing 200,000 of them takes half of the
/// processor time that it takes with the allocator of the system (glibc).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
