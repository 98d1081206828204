//! From the command line to the command.

use crate::args::{Args, Command};
use crate::demo;
use crate::exit::Result;
use crate::output::Output;

use super::{bench, cas, collections, doctor, insert, read, stats, write};

/// Does what the command line asks for. What was found out is written even when the command fails.
pub fn run(args: Args) -> Result {
    let mut output = Output::new(args.format);
    let result = run_command(args.command, &mut output);
    let finished = output.finish();
    result.and(finished)
}

fn run_command(command: Command, output: &mut Output) -> Result {
    match command {
        Command::Demo => demo::run(output),
        Command::Get(args) => read::get(&args, output),
        Command::Insert(args) => insert::insert(&args, output),
        Command::Update(args) => write::update(&args, output),
        Command::Replace(args) => write::replace(&args, output),
        Command::Upsert(args) => write::upsert(&args, output),
        Command::Delete(args) => write::delete(&args, output),
        Command::List(args) => read::list(&args, output),
        Command::Count(args) => read::count(&args, output),
        Command::Cas(args) => cas::compare_and_swap(*args, output),
        Command::Collections(args) => collections::run(&args, output),
        Command::Stats(folder) => stats::stats(&folder, output),
        Command::Doctor(args) => doctor::check(&args, output),
        Command::Bench(args) => bench::measure(&args, output),
    }
}
