//! Suite `levels`: the latency of writes that do not wait for the disk, while others do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use velocitydb::{Consistency, Mode, Options};

use crate::Result;
use crate::arguments::Arguments;
use crate::documents::{Pool, Size, scattered_id};
use crate::results::{Results, Unit};
use crate::velocity;

/// The table of this suite.
pub const TABLE: &str = "Writes that wait for no disk: one insert";

/// The delay that is added to each fsync to simulate a slow device.
const SLOW: Duration = Duration::from_millis(50);

/// Writes of one kind, and the concurrent load.
struct Case {
    name: &'static str,
    mode: Mode,
    level: Consistency,
    /// How many other threads write at `strong`.
    strong_writers: usize,
    fsync: Duration,
}

const CASES: [Case; 5] = [
    case("`local` in persistent, alone", Mode::Persistent, Consistency::Local, 0, Duration::ZERO),
    case(
        "`local` in persistent, beside a strong writer",
        Mode::Persistent,
        Consistency::Local,
        1,
        Duration::ZERO,
    ),
    case("`local` in persistent, fsyncs of 50 ms", Mode::Persistent, Consistency::Local, 0, SLOW),
    case(
        "`local` in persistent, beside a strong writer, fsyncs of 50 ms",
        Mode::Persistent,
        Consistency::Local,
        1,
        SLOW,
    ),
    case("`strong` in hybrid, fsyncs of 50 ms", Mode::Hybrid, Consistency::Strong, 0, SLOW),
];

const fn case(
    name: &'static str,
    mode: Mode,
    level: Consistency,
    strong_writers: usize,
    fsync: Duration,
) -> Case {
    Case { name, mode, level, strong_writers, fsync }
}

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let pool = Pool::new(Size::Small)?;
    for _ in 0..arguments.rounds {
        for case in CASES.iter().filter(|case| arguments.wants(TABLE, case.name)) {
            let mut nanoseconds = measure(arguments, case, &pool)?;
            nanoseconds.sort_unstable();
            let at = |share: f64| nanoseconds[((nanoseconds.len() - 1) as f64 * share) as usize];
            for (row, found) in [("median", at(0.5)), ("of 1,000 the longest", at(0.999))] {
                let row = format!("{}: {row}", case.name);
                results.record(TABLE, &row, velocity::NAME, Unit::Nanoseconds, found as f64);
            }
        }
    }
    Ok(())
}

/// The latency of each insert, in nanoseconds.
fn measure(arguments: &Arguments, case: &Case, pool: &Pool) -> Result<Vec<u64>> {
    let duration = Duration::from_millis(if arguments.is_quick { 500 } else { 2000 });
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let fsync = case.fsync;
    let options = Options::new().mode(case.mode).before_fsync(move || {
        thread::sleep(fsync);
        Ok(())
    });
    let db = options.open(folder.path())?;
    let (measured, others) = (db.documents("measured"), db.documents("others"));
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..case.strong_writers as u64)
            .map(|writer| {
                let (others, is_done) = (&others, &is_done);
                scope.spawn(move || -> Result<()> {
                    let mut number = writer << 32;
                    while !is_done.load(Ordering::Relaxed) {
                        others.insert(scattered_id(number), &pool.get(number).encoded)?;
                        number += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        let measured = measured.at(case.level);
        let begin = Instant::now();
        let mut found = Vec::new();
        let result = (|| -> Result<()> {
            while begin.elapsed() < duration {
                let number = found.len() as u64;
                let one = Instant::now();
                measured.insert(scattered_id(number), &pool.get(number).encoded)?;
                found.push(u64::try_from(one.elapsed().as_nanos())?);
            }
            Ok(())
        })();
        is_done.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        result.map(|()| found)
    })
}
