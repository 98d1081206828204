//! The story of the prototype's demo: users, a job that is assigned once, a health
//! check.

use velocitydb::{Database, Health, Object, Result as DbResult, Swapped, object};

use super::narrator::Narrator;
use crate::failure::Result;

/// Runs the chapters of the prototype.
pub fn tell(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    documents(db, narrator)?;
    assignment(db, narrator)?;
    narrator.chapter("Health")?;
    narrator.check("health check", health(&db.health()), "readable and writable")
}

fn documents(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("Documents, in memory")?;
    let users = db.documents("users");
    let people = [
        ("alice", object! { "name": "Alice", "email": "alice@example.com", "age": 28 }),
        ("bob", object! { "name": "Bob", "email": "bob@example.com", "age": 32 }),
    ];
    for (id, fields) in people {
        let inserted = users.insert(id, fields)?;
        let what = format!("insert {}", inserted.id);
        narrator.check(&what, format_args!("version {}", inserted.version), "version 1")?;
    }
    narrator.check("count users", users.count()?, "2")?;
    let expected = ["Alice, alice@example.com", "Bob, bob@example.com"];
    let listed = users.iter()?.collect::<DbResult<Vec<_>>>()?;
    narrator.check("list users", format_args!("{} documents", listed.len()), "2 documents")?;
    for (document, expected) in listed.iter().zip(expected) {
        let fields = document.fields()?;
        let found = format!("{}, {}", text(&fields, "name"), text(&fields, "email"));
        narrator.check(&format!("     {}", document.id()), found, expected)?;
    }
    narrator.check("get alice", age(db)?, "age 28, version 1")?;
    users.update("alice", object! { "age": 29 })?;
    narrator.check("update alice: age 29", age(db)?, "age 29, version 2")
}

fn assignment(db: &Database, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("Exactly-once assignment, by compare-and-swap")?;
    let processes = db.documents("processes");
    processes.insert("process1", object! { "state": "waiting", "executor": null })?;
    let assign = |executor: &str| -> DbResult<Swapped> {
        processes
            .compare_and_swap("process1")
            .field("state", "waiting")
            .update(object! { "state": "running", "executor": executor })
    };
    narrator.check("executor1 takes process1", outcome(&assign("executor1")?), "swapped")?;
    narrator.check(
        "executor2 takes process1",
        outcome(&assign("executor2")?),
        "rejected: field state has another value, at version 2",
    )?;
    let fields = match processes.get("process1")? {
        Some(document) => document.fields()?,
        None => Object::new(),
    };
    let state = format!("{}/{}", text(&fields, "state"), text(&fields, "executor"));
    narrator.check("final state of process1", state, "running/executor1")
}

fn age(db: &Database) -> DbResult<String> {
    Ok(match db.documents("users").get("alice")? {
        Some(alice) => format!("age {}, version {}", alice.fields()?["age"], alice.version()),
        None => "no document".to_owned(),
    })
}

fn outcome(swapped: &Swapped) -> String {
    match &swapped.refusal {
        None => "swapped".to_owned(),
        Some(refusal) => format!("rejected: {refusal}"),
    }
}

/// The health of the database, in words.
pub fn health(health: &Health) -> String {
    match (health.is_readable, health.is_writable) {
        (true, true) => "readable and writable".to_owned(),
        _ => health.problems.join("; "),
    }
}

/// The text of a string field; for any other value, a description of it.
pub fn text(fields: &Object, name: &str) -> String {
    let value = &fields[name];
    value.as_str().map_or_else(|| value.to_json(), str::to_owned)
}
