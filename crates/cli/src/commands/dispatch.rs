//! Dispatches the command line to a command.

use crate::args::{Args, Command};
use crate::demo;
use crate::exit;
use crate::failure::{Failure, Result};
use crate::output::{Output, Unwritten};

use super::{
    aggregate, bench, cas, collections, doctor, explain, find, folder, index, insert, many, read,
    schema, stats, work, write,
};

/// Executes the command. Its output so far is written even when it fails.
pub fn run(args: Args) -> Result {
    let unwritten = if args.command.is_for_its_result() {
        Unwritten::EndsTheCommand
    } else {
        Unwritten::IsSaidAtTheEnd
    };
    let mut output = Output::new(args.format, args.json_style(), unwritten);
    let result = run_command(args.command, &mut output);
    let result = result.and(folder::close());
    match (result, output.finish()) {
        (Err(Failure::Write(error)), _) => Err(Failure::Write(error)),
        (Err(failure), Err(unwritten)) => {
            exit::report(&unwritten);
            Err(failure)
        }
        (result, finished) => result.and(finished),
    }
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
        Command::Find(args) => find::find(&args, output),
        Command::Explain(args) => explain::explain(&args, output),
        Command::Aggregate(args) => aggregate::aggregate(&args, output),
        Command::UpdateMany(args) => many::update(&args, output),
        Command::DeleteMany(args) => many::delete(&args, output),
        Command::Claim(args) => work::claim(*args, output),
        Command::Complete(args) => work::complete(&args, output),
        Command::Renew(args) => work::renew(&args, output),
        Command::Release(args) => work::release(&args, output),
        Command::Retry(args) => work::retry(&args, output),
        Command::Cas(args) => cas::compare_and_swap(*args, output),
        Command::Collections(args) => collections::run(&args, output),
        Command::Index(args) => index::run(&args, output),
        Command::Schema(args) => schema::run(&args, output),
        Command::Stats(folder) => stats::stats(&folder, output),
        Command::Doctor(args) => doctor::check(&args, output),
        Command::Bench(args) => bench::measure(&args, output),
    }
}
