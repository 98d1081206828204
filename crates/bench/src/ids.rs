//! Suite `ids`: documents in memory whose ids are of one type or another.

use std::time::Instant;

use velocitydb::{DocumentId, ObjectId, Uuid};

use crate::Result;
use crate::arguments::Arguments;
use crate::child::{self, Task};
use crate::documents::{Pool, Size, scattered, scattered_id};
use crate::machine::resident_bytes;
use crate::random::Random;
use crate::results::{Results, Unit};
use crate::velocity::Velocity;

/// The table of this suite.
pub const TABLE: &str = "Ids by type: 200-byte documents in memory";

/// The types, which are the contestants.
pub const TYPES: [&str; 4] = ["text", "integer", "ObjectId", "UUID"];

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let count = if arguments.is_quick { 200_000 } else { 1_000_000 };
    for _ in 0..arguments.rounds {
        for name in TYPES.into_iter().filter(|name| arguments.wants(TABLE, name)) {
            let [inserts, gets, bytes] = child::run(Task::Ids { name, count }, &arguments.folder)?;
            results.record(TABLE, "insert", name, Unit::PerSecond, inserts);
            results.record(TABLE, "get", name, Unit::PerSecond, gets);
            let row = "memory by document, with its id and fields";
            results.record(TABLE, row, name, Unit::Bytes, bytes);
        }
    }
    Ok(())
}

/// The child's part: inserts a second, gets a second, and bytes by document.
pub fn work(name: &str, count: u64) -> Result<[f64; 3]> {
    let (pool, velocity) = (Pool::new(Size::Small)?, Velocity::in_memory()?);
    let mut numbers: Vec<u64> = (0..count).collect();
    let ids = numbers.iter().map(|number| id(name, *number)).collect::<Result<Vec<_>>>()?;
    let (before, _) = resident_bytes()?;
    let begin = Instant::now();
    for (number, id) in ids.iter().enumerate() {
        velocity.documents.insert(id, &pool.get(number as u64).encoded)?;
    }
    let inserts = count as f64 / begin.elapsed().as_secs_f64();
    let (after, _) = resident_bytes()?;
    drop(ids);
    Random::new(count).shuffle(&mut numbers);
    let ids = numbers.iter().map(|number| id(name, *number)).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    for id in &ids {
        velocity.get(id)?;
    }
    let gets = count as f64 / begin.elapsed().as_secs_f64();
    Ok([inserts, gets, (after as f64 - before as f64) / count as f64])
}

/// The id of a number: consecutive ones are across the whole key space.
fn id(name: &str, number: u64) -> Result<DocumentId> {
    let bytes = scattered(number).to_be_bytes();
    Ok(match name {
        "integer" => DocumentId::new(scattered(number) as i64)?,
        "ObjectId" => {
            let mut id = [0; 12];
            id[4..].copy_from_slice(&bytes);
            DocumentId::new(ObjectId::from(id))?
        }
        "UUID" => {
            let mut id = [0; 16];
            id[8..].copy_from_slice(&bytes);
            DocumentId::new(Uuid::from(id))?
        }
        _ => DocumentId::new(scattered_id(number))?,
    })
}
