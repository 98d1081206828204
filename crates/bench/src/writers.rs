//! Suite `writers`: inserts, updates and claims of one thread, and of many at once, none of which waits
//! for the disk.

use std::time::Duration;

use velocitydb::{Database, IndexSpec, Mode, Options, object};

use crate::Result;
use crate::arguments::Arguments;
use crate::documents::{Pool, Size, scattered_id};
use crate::measure::rate_during;
use crate::results::{Results, Unit};
use crate::velocity::{self, Velocity};

/// The modes in which writes do not wait for the disk, with their tables.
pub const TABLES: [(Mode, &str); 2] = [
    (Mode::MemoryOnly, "Several writers, memory-only"),
    (Mode::MemoryFirst, "Several writers, memory-first"),
];

/// The measured operations.
pub const OPERATIONS: [&str; 3] = ["insert", "update", "claim"];

/// How many threads at once, compared with one alone.
pub const THREADS: [usize; 3] = [4, 16, 64];

/// How many documents are updated repeatedly.
const UPDATED: u64 = 100_000;

/// The row of a rate.
fn row(operation: &str, threads: usize) -> String {
    match threads {
        1 => format!("{operation}, 1 thread"),
        many => format!("{operation}, {many} threads"),
    }
}

/// The row of the rate of many threads relative to that of one, in the same round.
pub fn row_of_ratio(operation: &str, threads: usize) -> String {
    format!("{operation}, {threads} threads by 1")
}

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let pool = Pool::new(Size::Small)?;
    for _ in 0..arguments.rounds {
        for (mode, table) in TABLES {
            for operation in OPERATIONS.iter().filter(|one| arguments.wants(table, one)) {
                let alone = rate(arguments, mode, operation, 1, &pool)?;
                let mut record = |row: String, unit, value| {
                    results.record(table, &row, velocity::NAME, unit, value);
                };
                record(row(operation, 1), Unit::PerSecond, alone);
                for threads in THREADS {
                    let rate = rate(arguments, mode, operation, threads, &pool)?;
                    record(row(operation, threads), Unit::PerSecond, rate);
                    record(row_of_ratio(operation, threads), Unit::Times, rate / alone);
                }
            }
        }
    }
    Ok(())
}

fn rate(
    arguments: &Arguments,
    mode: Mode,
    operation: &str,
    threads: usize,
    pool: &Pool,
) -> Result<f64> {
    let duration = Duration::from_millis(if arguments.is_quick { 300 } else { 1000 });
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let db = match mode {
        Mode::MemoryOnly => velocitydb::open_in_memory()?,
        mode => Options::new().mode(mode).open(folder.path())?,
    };
    match operation {
        "insert" => {
            let documents = db.documents("users");
            rate_during(duration, threads, |number| {
                documents.insert(scattered_id(number), &pool.get(number).encoded)?;
                Ok(())
            })
        }
        "update" => {
            let users = Velocity::new(&db);
            fill(&db, "users", UPDATED, pool)?;
            rate_during(duration, threads, |number| {
                users.update(&scattered_id(number % UPDATED), number)
            })
        }
        _ => {
            let jobs = db.documents("jobs");
            jobs.create_index(IndexSpec::on("state"))?;
            // More jobs than can be claimed meanwhile.
            let waiting = object! { "state": "waiting", "function": "greet" };
            let count = if arguments.is_quick { 200_000 } else { 600_000 };
            for begin in (0..count).step_by(velocity::BATCH) {
                let ids = (begin..begin + velocity::BATCH as u64).map(scattered_id);
                jobs.insert_many(ids.map(|id| (id, &waiting)))?;
            }
            rate_during(duration, threads, |_| {
                let claim = jobs.claim(object! { "state": "waiting" });
                let claimed = claim.update(object! { "state": "running" })?;
                if claimed.documents.len() == 1 { Ok(()) } else { Err("no job waits".into()) }
            })
        }
    }
}

fn fill(db: &Database, collection: &str, count: u64, pool: &Pool) -> Result<()> {
    let documents = db.documents(collection);
    for begin in (0..count).step_by(velocity::BATCH) {
        let numbers = begin..begin + velocity::BATCH as u64;
        let documents_of = numbers.map(|number| (scattered_id(number), &pool.get(number).object));
        documents.insert_many(documents_of)?;
    }
    Ok(())
}
