//! What `README.md` shows works: its commands are run, one after the other, in one folder, and its
//! example is compiled and run here.

use std::fs;
use std::path::Path;

use crate::program::shell;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_command_works() {
    let folder = tempfile::tempdir().unwrap();
    let readme = readme();
    let commands: Vec<_> = readme.lines().filter_map(command).collect();
    assert!(commands.len() >= 12, "only {} commands were found", commands.len());
    for command in commands {
        let outcome = shell(folder.path(), &command);
        let code = outcome.code;
        assert_eq!((code, outcome.stderr.as_str()), (Some(0), ""), "{command}");
    }
}

/// The command in a row of the table. A bar is escaped there, since it would end the cell.
fn command(line: &str) -> Option<String> {
    let cell = line.strip_prefix("| ")?.strip_suffix("` |")?;
    let command = &cell[cell.rfind('`')? + 1..];
    command.starts_with("velocitydb ").then(|| command.replace(r"\|", "|"))
}

/// The example, line by line as it stands in the file.
#[rustfmt::skip]
mod example {
use velocitydb::object;

pub fn main() -> velocitydb::Result<()> {
    let db = velocitydb::open_in_memory()?; // or velocitydb::open("data")
    let jobs = db.documents("jobs");
    jobs.insert("job1", object! { "state": "waiting" })?;
    let claim = jobs.compare_and_swap("job1").field("state", "waiting");
    let claimed = claim.update(object! { "state": "running", "executor": "executor1" })?;
    assert!(claimed.swapped && claimed.version == 2);
    Ok(())
}
}

#[test]
fn the_example_is_the_one_that_is_run_here() {
    example::main().unwrap();
    let readme = readme();
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let here = include_str!("readme.rs").replace("pub fn main", "fn main");
    assert!(here.contains(shown), "{shown}");
}
