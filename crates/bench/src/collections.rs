//! Suite `collections`: the cost of a collection among few and among many others: of creating
//! it, of opening it, and in memory.

use std::time::Instant;

use velocitydb::{Consistency, Database, MaintenanceMode, Mode, Options};

use crate::Result;
use crate::arguments::Arguments;
use crate::machine::resident_bytes;
use crate::results::{Results, Unit};
use crate::velocity;

/// The table of this suite.
pub const TABLE: &str = "Collections among collections";

/// How many collections are created for one sample.
const CREATED: u64 = 1_000;

/// The numbers of other collections.
fn sizes(is_quick: bool) -> &'static [u64] {
    if is_quick { &[1_000, 100_000] } else { &[1_000, 100_000, 1_000_000] }
}

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    in_memory(arguments, results)?;
    on_disk(arguments, results)
}

fn in_memory(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let db = velocitydb::open_in_memory()?;
    let (before, _) = resident_bytes()?;
    let mut count = 0;
    let mut record = |row: &str, unit, value| {
        if arguments.wants(TABLE, row) {
            results.record(TABLE, row, velocity::NAME, unit, value);
        }
    };
    for &size in sizes(arguments.is_quick) {
        create(&db, count..size)?;
        count = size;
        for _ in 0..arguments.rounds {
            let begin = Instant::now();
            create(&db, count..count + CREATED)?;
            let rate = CREATED as f64 / begin.elapsed().as_secs_f64();
            record(&format!("created in memory, among {}", thousands(size)), Unit::PerSecond, rate);
            count += CREATED;
        }
    }
    let (after, _) = resident_bytes()?;
    let bytes = (after as f64 - before as f64) / count as f64;
    record("memory by collection", Unit::Bytes, bytes);
    Ok(())
}

/// Opening a folder that has only empty collections.
fn on_disk(arguments: &Arguments, results: &mut Results) -> Result<()> {
    for &size in sizes(arguments.is_quick) {
        let row = format!("opened on disk, {} collections", thousands(size));
        if !arguments.wants(TABLE, &row) {
            continue;
        }
        let folder = tempfile::tempdir_in(&arguments.folder)?;
        let open = || {
            let options = Options::new().mode(Mode::Persistent);
            options.maintenance(MaintenanceMode::Manual).open(folder.path())
        };
        let db = open()?;
        for number in 0..size {
            let documents = db.documents(&format!("collection-{number:07}"));
            documents.at(Consistency::Local).insert("first", velocitydb::object! {})?;
        }
        db.close()?;
        for _ in 0..arguments.rounds.min(3) {
            let begin = Instant::now();
            let db = open()?;
            let seconds = begin.elapsed().as_secs_f64();
            results.record(TABLE, &row, velocity::NAME, Unit::Seconds, seconds);
            db.close()?;
        }
    }
    Ok(())
}

fn create(db: &Database, numbers: std::ops::Range<u64>) -> Result<()> {
    for number in numbers {
        db.create_collection(&format!("collection-{number:07}"), Default::default())?;
    }
    Ok(())
}

fn thousands(count: u64) -> String {
    match count {
        1_000_000.. => format!("{} M", count / 1_000_000),
        _ => format!("{} k", count / 1_000),
    }
}
