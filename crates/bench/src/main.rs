//! `velocitydb-bench`: measures VelocityDB and its peers, in one run on one machine.
//!
//! Contestants alternate within each round, so that disturbances of the machine affect all of
//! them; medians of the rounds are reported. `docs/performance.md` says what is measured and how.

mod allocator;
mod arguments;
mod bare_map;
mod budget;
mod child;
mod claims;
mod cluster;
mod collections;
mod disk;
mod documents;
mod footprint;
mod ids;
mod jsonb;
mod levels;
mod machine;
mod many;
mod measure;
mod memory;
mod peers;
mod process;
mod queries;
mod queries_velocity;
mod random;
mod report;
mod results;
mod scaling;
mod targets;
mod velocity;
mod writers;

use std::process::ExitCode;

use arguments::{Arguments, Command, Suite};
use results::Results;

/// A benchmark need not distinguish kinds of failure: it stops and prints the error.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments::parse(&words) {
        Ok(Command::Run(arguments)) => run(&arguments),
        Ok(Command::Child(task)) => child::work(&task),
        Err(error) => Err(format!("{error}\n\n{}", arguments::USAGE).into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("velocitydb-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let machine = machine::Machine::look(arguments)?;
    let mut results = Results::default();
    for suite in arguments.suites() {
        eprintln!("running {}", suite.name());
        match suite {
            Suite::Memory => memory::run(arguments, &mut results)?,
            Suite::Scaling => scaling::run(arguments, &mut results)?,
            Suite::Footprint => footprint::run(arguments, &mut results)?,
            Suite::Disk => disk::run(arguments, &mut results)?,
            Suite::Budget => budget::run(arguments, &mut results)?,
            Suite::Queries => queries::run(arguments, &mut results)?,
            Suite::Claims => claims::run(arguments, &mut results)?,
            Suite::Collections => collections::run(arguments, &mut results)?,
            Suite::Levels => levels::run(arguments, &mut results)?,
            Suite::Writers => writers::run(arguments, &mut results)?,
            Suite::Many => many::run(arguments, &mut results)?,
            Suite::Ids => ids::run(arguments, &mut results)?,
        }
    }
    let report = report::markdown(arguments, &machine, &results);
    println!("{report}");
    if let Some(file) = &arguments.json {
        std::fs::write(file, report::json(&machine, &results)?)?;
    }
    if let Some(file) = &arguments.docs {
        report::paste(file, &report)?;
    }
    Ok(())
}
