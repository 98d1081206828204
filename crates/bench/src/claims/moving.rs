//! Claims of due jobs: the filter has the current time in it, which differs in every claim.
//!
//! The queue is in the order of priority. At its head are jobs that are not due for a long time;
//! those after them are due, and are claimed one after another. A claim should cost the same
//! however many were claimed before, so each thousand is a row.

use std::time::Instant;

use velocitydb::{IndexSpec, Mode, Options, Sort, object};

use crate::Result;
use crate::arguments::Arguments;
use crate::results::{Results, Unit};
use crate::velocity;

/// The title of the table.
pub const TABLE: &str = "Claims of what is due, beside 2 k jobs at the head that are not";

/// Jobs at the head that are not due.
const AHEAD: i64 = 2_000;

/// How many claims are a row.
const PART: i64 = 1_000;

const MODES: [(Mode, &str); 4] = [
    (Mode::MemoryOnly, "memory-only"),
    (Mode::MemoryFirst, "memory-first"),
    (Mode::Hybrid, "hybrid"),
    (Mode::Persistent, "persistent"),
];

/// Measures every mode.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let parts = if arguments.is_quick { 5 } else { 20 };
    for _ in 0..arguments.rounds {
        for (mode, name) in MODES {
            if (1..=parts).any(|part| arguments.wants(TABLE, &row(name, part))) {
                measure(arguments, mode, parts, &mut |part, nanoseconds| {
                    let row = row(name, part);
                    results.record(TABLE, &row, velocity::NAME, Unit::Nanoseconds, nanoseconds);
                })?;
            }
        }
    }
    Ok(())
}

fn row(mode: &str, part: i64) -> String {
    format!("{mode}, {part}. thousand")
}

fn measure(
    arguments: &Arguments,
    mode: Mode,
    parts: i64,
    record: &mut dyn FnMut(i64, f64),
) -> Result<()> {
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let db = match mode {
        Mode::MemoryOnly => velocitydb::open_in_memory()?,
        mode => Options::new().mode(mode).open(folder.path())?,
    };
    let order = Sort::new().descending("priority").ascending("not_before");
    let keys = Sort::new().ascending("state").descending("priority").ascending("not_before");
    db.documents("jobs").create_index(IndexSpec::new(keys))?;
    let jobs = db.documents("jobs");
    let due = parts * PART;
    let job = |n: i64| {
        let (priority, not_before) = if n < AHEAD { (9, due * 10 + n) } else { (n % 3, n - AHEAD) };
        let job = object! { "state": "waiting", "priority": priority, "not_before": not_before };
        (format!("job-{n:07}"), job)
    };
    for start in (0..AHEAD + due).step_by(1_000) {
        jobs.insert_many((start..(start + 1_000).min(AHEAD + due)).map(job))?;
    }
    let mut now = due;
    for part in 1..=parts {
        let start = Instant::now();
        for _ in 0..PART {
            now += 1;
            let filter = object! { "state": "waiting", "not_before": { "$lte": now } };
            let claim = jobs.claim(filter).sort(order.clone()).claimant("worker");
            let claimed = claim.update(object! { "state": "running" })?;
            let job = claimed.first().ok_or("a claim found nothing while jobs were due")?;
            jobs.complete(job.id(), job.version(), object! { "state": "done" })?;
        }
        record(part, start.elapsed().as_nanos() as f64 / PART as f64);
    }
    Ok(())
}
