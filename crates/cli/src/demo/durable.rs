//! Data on disk: closed, opened again, and checked.

use std::path::Path;

use velocitydb::{Database, doctor, object};

use super::narrator::Narrator;
use super::prototype::health;
use crate::failure::Result;

const DOCUMENTS: usize = 1_000;

/// Runs the chapter, in a folder that does not exist yet.
pub fn tell(folder: &Path, narrator: &mut Narrator<'_>) -> Result {
    narrator.chapter("On disk, each acknowledged write synced")?;
    let db = velocitydb::open(folder)?;
    fill(&db)?;
    let written = state(&db)?;
    narrator.check("count", db.documents("users").count()?, "1000")?;
    let second = match velocitydb::open(folder) {
        Ok(_) => "opened".to_owned(),
        Err(velocitydb::Error::Storage(velocitydb::StorageError::Locked { .. })) => {
            "refused: in use".to_owned()
        }
        Err(error) => error.to_string(),
    };
    narrator.check("opening the folder a second time", second, "refused: in use")?;
    drop(db);

    let db = velocitydb::open(folder)?;
    narrator.check("closed and opened again: count", db.documents("users").count()?, "1000")?;
    let same = if state(&db)? == written { "the same" } else { "another" };
    narrator.check("the hash of the whole state", same, "the same")?;
    let version = db.documents("users").get("user0007")?.map_or(0, |document| document.version());
    narrator.check(
        "a document that had been updated",
        format!("version {version}"),
        "version 2",
    )?;
    narrator.check("health check", health(&db.health()), "readable and writable")?;
    drop(db);

    let report = doctor(folder)?;
    let found = format!("{} documents, {} problems", report.documents, report.problems.len());
    narrator.check("doctor", found, "1000 documents, 0 problems")
}

fn fill(db: &Database) -> Result {
    let users = db.documents("users");
    let documents = (0..DOCUMENTS).map(|number| {
        (format!("user{number:04}"), object! { "name": format!("User {number}"), "age": 28 })
    });
    users.insert_many(documents)?;
    users.update("user0007", object! { "age": 29 })?;
    Ok(())
}

fn state(db: &Database) -> Result<u128> {
    Ok(db.snapshot()?.state_hash()?)
}
