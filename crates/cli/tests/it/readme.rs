//! What `README.md` shows works: its commands are run, one after the other, in one folder, and its
//! examples are compiled and run here.

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
        // An import says how many there were, and the check of a schema that there was nothing.
        let is_note =
            |line: &&str| line.starts_with("inserted ") || line.starts_with("no document ");
        let complaints: Vec<_> = outcome.stderr.lines().filter(|line| !is_note(line)).collect();
        assert_eq!((outcome.code, &complaints[..]), (Some(0), &[][..]), "{command}");
    }
}

/// The command in a row of the table. A bar is escaped there, since it would end the cell.
fn command(line: &str) -> Option<String> {
    let cell = line.strip_prefix("| ")?.strip_suffix("` |")?;
    let command = &cell[cell.rfind('`')? + 1..];
    command.starts_with("velocitydb ").then(|| command.replace(r"\|", "|"))
}

/// The first example, line by line as it stands in the file.
#[rustfmt::skip]
mod embedded {
use velocitydb::object;

pub fn main() -> velocitydb::Result<()> {
    let db = velocitydb::open_in_memory()?; // or velocitydb::open("data")
    let jobs = db.documents("jobs");
    jobs.insert("job1", object! { "state": "waiting" })?;
    let claim = jobs.compare_and_swap("job1").field("state", "waiting");
    let claimed = claim.update(object! { "state": "running", "executor": "executor1" })?;
    assert!(claimed.is_applied && claimed.version == 2);
    Ok(())
}
}

/// The second one.
#[rustfmt::skip]
mod queries {
use velocitydb::{IndexSpec, Pipeline, Sort, object};

pub fn main() -> velocitydb::Result<()> {
    let db = velocitydb::open_in_memory()?;
    let jobs = db.documents("jobs");
    let waiting = Sort::new().ascending("state").descending("priority");
    db.documents("jobs").create_index(IndexSpec::new(waiting))?;
    jobs.insert("a", object! { "state": "waiting", "priority": 1 })?;
    jobs.insert("b", object! { "state": "waiting", "priority": 7 })?;

    let urgent = jobs.find(object! { "state": "waiting", "priority": { "$gte": 5 } });
    assert_eq!(urgent.documents()?[0].id().to_string(), "b");

    let by_state = r#"[{"$group": {"_id": "$state", "jobs": {"$sum": 1}}}]"#;
    let states = jobs.aggregate(Pipeline::from_json(by_state)?).objects()?;
    assert_eq!(states, [object! { "_id": "waiting", "jobs": 2 }]);

    let claim = jobs.claim(object! { "state": "waiting" }).claimant("executor1");
    let claim = claim.sort(Sort::new().descending("priority"));
    let claimed = claim.update(object! { "state": "running" })?;
    let job = &claimed.documents[0]; // no other claim gets it
    jobs.complete(job.id(), job.version(), object! { "state": "done" })?;
    Ok(())
}
}

#[test]
fn the_examples_are_those_that_are_run_here() {
    embedded::main().unwrap();
    queries::main().unwrap();
    let readme = readme();
    let here = include_str!("readme.rs").replace("pub fn main", "fn main");
    let examples: Vec<_> = readme.split("```rust\n").skip(1).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let (shown, _) = example.split_once("```").unwrap();
        assert!(here.contains(shown), "{shown}");
    }
}
