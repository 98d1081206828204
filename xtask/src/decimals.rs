//! `cargo xtask decimals`: compares decimals with Python's on random numbers.
//!
//! This lets `crates/core/tests/decimals/vectors.py` write comparisons and arithmetic with their
//! results, and runs the test of the checked-in table on these.

use std::fs;
use std::io;

use crate::error::Error;
use crate::project::{Invocation, Project};

/// The line of this command in the usage.
pub const SUMMARY: &str = "compare decimals with Python's; SEED COMPARISONS OPERATIONS";

const SCRIPT: &str = "crates/core/tests/decimals/vectors.py";

/// The table, from the top of the repository, and as the test is told of it.
const TABLE: &str = "target/decimals.txt";
const VARIABLE: (&str, &str) = ("VELOCITYDB_DECIMALS", "../../target/decimals.txt");

/// What is compared if nothing else is asked for.
const DEFAULTS: [&str; 3] = ["1", "1000000", "100000"];

/// Writes the table and compares. Without Python, which only this needs, it prints a note and passes,
/// unless the variable `CI` is set.
pub fn run(project: &Project, arguments: &[String]) -> Result<(), Error> {
    let numbers = numbers(arguments)?;
    let script = Invocation::new("python3", SCRIPT).with_arguments(&numbers);
    let table = match project.capture(&script) {
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("not compared with Python's decimals: {error}");
            return Ok(());
        }
        other => other?,
    };
    if !table.status.success() {
        let text = String::from_utf8_lossy(&table.stderr).into_owned();
        return Err(Error::Start { command: script.to_string(), source: io::Error::other(text) });
    }
    let path = project.root.join(TABLE);
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = folder.and_then(|()| fs::write(&path, &table.stdout));
    written.map_err(|source| Error::Read { path, source })?;
    project.stream(&invocation())
}

/// The seed, and the numbers of comparisons and of operations.
fn numbers(arguments: &[String]) -> Result<Vec<String>, Error> {
    let is_number = |text: &String| text.parse::<u32>().is_ok();
    if arguments.len() > DEFAULTS.len() || !arguments.iter().all(is_number) {
        return Err(Error::Usage {
            problem: "decimals takes three numbers at the most".to_owned(),
        });
    }
    let defaults = DEFAULTS.iter().skip(arguments.len()).map(|&number| number.to_owned());
    Ok(arguments.iter().cloned().chain(defaults).collect())
}

/// The test of the table.
fn invocation() -> Invocation {
    let command = "test --quiet --package velocitydb-core --test it decimals:: -- --nocapture";
    Invocation::cargo(command).with_variable(VARIABLE.0, VARIABLE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_the_default() {
        let given =
            |words: &[&str]| numbers(&words.iter().map(|&word| word.into()).collect::<Vec<_>>());
        assert_eq!(given(&[]).unwrap(), DEFAULTS);
        assert_eq!(given(&["7", "9"]).unwrap(), ["7", "9", "100000"]);
        assert!(given(&["x"]).is_err() && given(&["1", "2", "3", "4"]).is_err());
    }
}
