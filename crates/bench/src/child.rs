//! Measurements of a whole process: this program starts itself as a child, and reads its
//! output.

use std::process::Command;

use velocitydb::Mode;

use crate::documents::Size;
use crate::{Result, budget, footprint, ids, many};

/// The task of a child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Task {
    /// Load documents into memory.
    Footprint {
        /// Into the bare map instead of a database.
        is_bare_map: bool,
        /// Their size.
        size: Size,
        /// How many.
        count: u64,
    },
    /// Load ten times the budget.
    Budget {
        /// The storage mode.
        mode: Mode,
        /// The size of the documents.
        size: Size,
        /// The budget in bytes.
        budget: u64,
    },
    /// Load documents whose ids are of one type.
    Ids {
        /// The type.
        name: &'static str,
        /// How many.
        count: u64,
    },
    /// Open many databases.
    Many {
        /// Whose.
        contestant: &'static str,
        /// How many.
        count: usize,
    },
}

impl Task {
    /// The first word of a child's command line.
    pub const WORD: &str = "child";

    fn words(self) -> Vec<String> {
        match self {
            Task::Footprint { is_bare_map, size, count } => {
                let subject = if is_bare_map { "map" } else { "db" };
                words(["footprint", subject, size_word(size), &count.to_string()])
            }
            Task::Budget { mode, size, budget } => {
                let mode = if mode == Mode::Hybrid { "hybrid" } else { "persistent" };
                words(["budget", mode, size_word(size), &budget.to_string()])
            }
            Task::Ids { name, count } => words(["ids", name, &count.to_string()]),
            Task::Many { contestant, count } => words(["many", contestant, &count.to_string()]),
        }
    }

    /// Reads what [`run`] writes.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let words: Vec<&str> = words.collect();
        let size = |word| match word {
            "small" => Size::Small,
            _ => Size::Large,
        };
        match words[..] {
            ["footprint", subject, size_word, count] => Ok(Task::Footprint {
                is_bare_map: subject == "map",
                size: size(size_word),
                count: count.parse()?,
            }),
            ["budget", mode, size_word, budget] => Ok(Task::Budget {
                mode: if mode == "hybrid" { Mode::Hybrid } else { Mode::Persistent },
                size: size(size_word),
                budget: budget.parse()?,
            }),
            ["ids", name, count] => {
                Ok(Task::Ids { name: one_of(&ids::TYPES, name)?, count: count.parse()? })
            }
            ["many", name, count] => {
                Ok(Task::Many { contestant: one_of(&many::NAMES, name)?, count: count.parse()? })
            }
            _ => Err("this program passes the task to its child".into()),
        }
    }
}

fn one_of(names: &[&'static str], name: &str) -> Result<&'static str> {
    let known = names.iter().find(|known| **known == name);
    Ok(known.ok_or_else(|| format!("there is no contestant {name:?}"))?)
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn size_word(size: Size) -> &'static str {
    match size {
        Size::Small => "small",
        Size::Large => "large",
    }
}

/// Runs a task in a process of its own, with `folder` as its working directory, and returns the
/// numbers that it prints.
pub fn run<const N: usize>(task: Task, folder: &std::path::Path) -> Result<[f64; N]> {
    let output = Command::new(std::env::current_exe()?)
        .arg(Task::WORD)
        .args(task.words())
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        return Err(format!("{task:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let printed = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> =
        printed.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
    numbers.try_into().map_err(|_| format!("{task:?} printed {printed:?}").into())
}

/// Executes the task in this process, and prints its numbers.
pub fn work(task: &Task) -> Result<()> {
    let found = match *task {
        Task::Footprint { is_bare_map, size, count } => {
            vec![footprint::work(is_bare_map, size, count)?]
        }
        Task::Budget { mode, size, budget } => vec![budget::work(mode, size, budget)?],
        Task::Ids { name, count } => ids::work(name, count)?.to_vec(),
        Task::Many { contestant, count } => many::work(contestant, count)?.to_vec(),
    };
    found.iter().for_each(|number| println!("{number}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_understands_its_task() {
        for task in [
            Task::Footprint { is_bare_map: true, size: Size::Small, count: 7 },
            Task::Budget { mode: Mode::Persistent, size: Size::Large, budget: 1 << 26 },
            Task::Ids { name: ids::TYPES[1], count: 3 },
            Task::Many { contestant: many::NAMES[0], count: 3 },
        ] {
            let words = task.words();
            assert_eq!(Task::parse(words.iter().map(String::as_str)).unwrap(), task);
        }
    }
}
