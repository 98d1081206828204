//! The command line: which suites to run, and how much of them.

use std::path::PathBuf;

use crate::Result;
use crate::child::Task;
use crate::measure::Clock;

/// The usage, which is printed with an error.
pub const USAGE: &str = "\
usage: velocitydb-bench SUITE [OPTION...]

suites: all, memory, scaling, footprint, disk, budget, queries, claims, collections,
        levels, writers, many, ids

  --quick         smaller sets of documents, 3 rounds
  --rounds N      how often each measurement is taken (default 5)
  --only WORDS    only measurements whose table or row contains all of these words
  --busy          of a single thread in memory, count the time on a processor alone
  --postgres PATH where PostgreSQL's programs are (default: the usual places)
  --folder PATH   where data folders are made (default: the system's temporary folder)
  --json FILE     also write every sample to FILE
  --update-docs   also put the report into docs/performance.md";

/// What the process is to do.
pub enum Command {
    /// Measure.
    Run(Arguments),
    /// Run as the child of a process that measures.
    Child(Task),
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// In memory, compared with a bare concurrent map.
    Memory,
    /// In memory, few documents compared with many.
    Scaling,
    /// Memory by document.
    Footprint,
    /// On disk, compared with other stores.
    Disk,
    /// Resident memory under a load ten times the budget.
    Budget,
    /// Queries and indexes, compared with other databases.
    Queries,
    /// Claims of jobs, compared with other databases.
    Claims,
    /// Collections, few and many.
    Collections,
    /// Writes that do not wait for the disk, while others do.
    Levels,
    /// Many threads that write at once, compared with one alone.
    Writers,
    /// A hundred open databases.
    Many,
    /// Ids of one type or another.
    Ids,
}

/// The options of a run.
#[derive(Debug)]
pub struct Arguments {
    suite: Option<Suite>,
    /// Whether to measure less, for a quick run.
    pub is_quick: bool,
    /// How often each measurement is taken.
    pub rounds: usize,
    /// The clock for single threads in memory.
    pub clock: Clock,
    only: Vec<String>,
    /// The folder of PostgreSQL's programs; `None` to search for them.
    pub postgres: Option<PathBuf>,
    /// Where data folders are created.
    pub folder: PathBuf,
    /// Where all samples are written.
    pub json: Option<PathBuf>,
    /// The document that the report is written into.
    pub docs: Option<PathBuf>,
}

impl Suite {
    const ALL: [Suite; 12] = [
        Suite::Memory,
        Suite::Scaling,
        Suite::Footprint,
        Suite::Disk,
        Suite::Budget,
        Suite::Queries,
        Suite::Claims,
        Suite::Collections,
        Suite::Levels,
        Suite::Writers,
        Suite::Many,
        Suite::Ids,
    ];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Memory => "memory",
            Suite::Scaling => "scaling",
            Suite::Footprint => "footprint",
            Suite::Disk => "disk",
            Suite::Budget => "budget",
            Suite::Queries => "queries",
            Suite::Claims => "claims",
            Suite::Collections => "collections",
            Suite::Levels => "levels",
            Suite::Writers => "writers",
            Suite::Many => "many",
            Suite::Ids => "ids",
        }
    }
}

impl Arguments {
    /// The suites to run, in order.
    pub fn suites(&self) -> Vec<Suite> {
        Suite::ALL.into_iter().filter(|one| self.suite.is_none_or(|suite| suite == *one)).collect()
    }

    /// Whether a measurement is requested.
    pub fn wants(&self, table: &str, row: &str) -> bool {
        self.only.iter().all(|word| table.contains(word) || row.contains(word))
    }

    /// The command line of this run.
    pub fn command_line(&self) -> String {
        let suite = self.suite.map_or("all", Suite::name);
        let quick = if self.is_quick { " --quick" } else { "" };
        let busy = if self.clock == Clock::Processor { " --busy" } else { "" };
        let options = format!("{suite}{quick}{busy} --rounds {}", self.rounds);
        format!("cargo run --release -p velocitydb-bench -- {options}")
    }
}

/// Reads the words of the command line.
pub fn parse(words: &[String]) -> Result<Command> {
    let mut words = words.iter().map(String::as_str);
    let suite = match words.next() {
        Some("all") => None,
        Some(child) if child == Task::WORD => return Ok(Command::Child(Task::parse(words)?)),
        Some(name) => Some(
            Suite::ALL
                .into_iter()
                .find(|suite| suite.name() == name)
                .ok_or_else(|| format!("there is no suite {name:?}"))?,
        ),
        None => return Err("which suite?".into()),
    };
    let mut arguments = Arguments {
        suite,
        is_quick: false,
        rounds: 0,
        clock: Clock::Wall,
        only: Vec::new(),
        postgres: None,
        folder: std::env::temp_dir(),
        json: None,
        docs: None,
    };
    while let Some(option) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{option} needs a value"));
        match option {
            "--quick" => arguments.is_quick = true,
            "--busy" => arguments.clock = Clock::Processor,
            "--rounds" => arguments.rounds = value()?.parse()?,
            "--only" => arguments.only = value()?.split(' ').map(str::to_owned).collect(),
            "--postgres" => arguments.postgres = Some(value()?.into()),
            "--folder" => arguments.folder = value()?.into(),
            "--json" => arguments.json = Some(value()?.into()),
            "--update-docs" => {
                arguments.docs =
                    Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md").into());
            }
            other => return Err(format!("there is no option {other:?}").into()),
        }
    }
    if arguments.rounds == 0 {
        arguments.rounds = if arguments.is_quick { 3 } else { 5 };
    }
    Ok(Command::Run(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Arguments> {
        let words: Vec<String> = line.split('|').map(str::to_owned).collect();
        match parse(&words)? {
            Command::Run(arguments) => Ok(arguments),
            Command::Child(_) => Err("a child".into()),
        }
    }

    #[test]
    fn options_are_read() {
        let arguments = run("memory|--quick|--only|get 200").unwrap();
        assert_eq!(arguments.suites(), [Suite::Memory]);
        assert_eq!(arguments.rounds, 3);
        assert!(arguments.wants("memory, 200 bytes", "get"));
        assert!(!arguments.wants("memory, 2000 bytes", "insert"));
        assert_eq!(run("all").unwrap().suites(), Suite::ALL);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, message) in [
            ("speed", "there is no suite \"speed\""),
            ("disk|--rounds", "--rounds needs a value"),
            ("disk|--fast", "there is no option \"--fast\""),
        ] {
            assert_eq!(run(line).unwrap_err().to_string(), message);
        }
    }
}
