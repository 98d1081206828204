//! Suite `many`: what each of a hundred open databases takes of the process that has them open:
//! memory, threads, file descriptors, and time on processors while nobody uses them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use velocitydb::{Documents, Mode};

use crate::Result;
use crate::allocator;
use crate::arguments::Arguments;
use crate::child::{self, Task};
use crate::documents::{Pool, Prepared, Size};
use crate::measure::wait;
use crate::peers::{self, Store, Sync};
use crate::process::Usage;
use crate::results::{Results, Unit};

/// The table of this suite.
pub const TABLE: &str = "A hundred open databases in a process";

/// VelocityDB's modes, and its peers.
pub const NAMES: [&str; 7] = [
    "VelocityDB persistent",
    "VelocityDB hybrid",
    "VelocityDB memory-first",
    "VelocityDB memory-only",
    "fjall",
    "redb",
    "SQLite",
];

/// VelocityDB's among them.
pub const OWN: [(&str, Mode); 4] = [
    (NAMES[0], Mode::Persistent),
    (NAMES[1], Mode::Hybrid),
    (NAMES[2], Mode::MemoryFirst),
    (NAMES[3], Mode::MemoryOnly),
];

/// Rows that targets are set for.
pub const MEMORY: &str = "resident memory by database";
pub const MAINTENANCE: &str = "threads for maintenance in all";

/// What is measured: a child prints a number for each.
const ROWS: [Row; 10] = [
    Row { title: "resident memory with one open", unit: Unit::Bytes, of: Of::All },
    Row { title: MEMORY, unit: Unit::Bytes, of: Of::All },
    Row { title: "open file descriptors by database", unit: Unit::Count, of: Of::All },
    Row { title: MAINTENANCE, unit: Unit::Count, of: Of::Own },
    Row { title: "other threads of VelocityDB by database", unit: Unit::Count, of: Of::Own },
    Row { title: "the same, after an asynchronous write", unit: Unit::Count, of: Of::Own },
    Row { title: "threads of the store by database", unit: Unit::Count, of: Of::All },
    Row { title: "time on a processor by second, all idle", unit: Unit::Milliseconds, of: Of::All },
    Row { title: "creating one", unit: Unit::Milliseconds, of: Of::All },
    Row { title: "opening one again", unit: Unit::Milliseconds, of: Of::OnDisk },
];

struct Row {
    title: &'static str,
    unit: Unit,
    of: Of,
}

/// Whose numbers a row has.
enum Of {
    All,
    /// VelocityDB's: the threads are told apart by its names.
    Own,
    /// Those that can be opened again.
    OnDisk,
}

impl Row {
    fn has(&self, contestant: &str) -> bool {
        match self.of {
            Of::All => true,
            Of::Own => mode(contestant).is_some(),
            Of::OnDisk => mode(contestant) != Some(Mode::MemoryOnly),
        }
    }
}

/// The mode, if the contestant is VelocityDB.
fn mode(contestant: &str) -> Option<Mode> {
    OWN.iter().find(|own| own.0 == contestant).map(|own| own.1)
}

/// How many are opened beside the first.
const COUNT: usize = 100;

/// How many bytes of memory the caches and buffers of each may take: VelocityDB's default, and what
/// they have in the suite `disk`. None of them fills.
const CACHE_BYTES: u64 = 256 << 20;

/// How long databases are left alone.
struct Waits {
    /// For what opening leaves to do in the background.
    settling: Duration,
    /// While the time on processors is measured.
    idle: Duration,
}

const WAITS: Waits = Waits { settling: Duration::from_secs(1), idle: Duration::from_secs(2) };

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    for _ in 0..arguments.rounds.min(3) {
        for contestant in NAMES {
            let is_wanted = |row: &Row| row.has(contestant) && arguments.wants(TABLE, row.title);
            if !ROWS.iter().any(is_wanted) {
                continue;
            }
            let found: [f64; ROWS.len()] =
                child::run(Task::Many { contestant, count: COUNT }, &arguments.folder)?;
            for (row, found) in ROWS.iter().zip(found).filter(|it| is_wanted(it.0)) {
                results.record(TABLE, row.title, contestant, row.unit, found);
            }
        }
    }
    Ok(())
}

/// An open database.
enum Opened {
    Own(Documents),
    Peer(Box<dyn Store>),
}

impl Opened {
    /// Opens the one in a folder, or creates it.
    fn new(contestant: &str, folder: &Path) -> Result<Self> {
        let sync = Sync::EachWrite;
        Ok(match mode(contestant) {
            Some(Mode::MemoryOnly) => Opened::Own(velocitydb::open_in_memory()?.documents("users")),
            Some(mode) => Opened::Own(peers::velocity(mode, folder, sync, CACHE_BYTES)?),
            None => Opened::Peer(peers::open(contestant, folder, sync, CACHE_BYTES)?),
        })
    }

    fn insert(&self, document: &Prepared) -> Result<()> {
        match self {
            Opened::Own(documents) => Store::insert(documents, "first", document),
            Opened::Peer(store) => store.insert("first", document),
        }
    }

    /// Inserts another document without waiting for it, if it can.
    fn insert_async(&self, document: &Prepared) -> Result<()> {
        if let Opened::Own(documents) = self {
            wait(documents.insert_async("second", &document.object))?;
        }
        Ok(())
    }
}

/// The child's part: a number for each of the [`ROWS`], in their order. The first database pays what all
/// of them share.
pub fn work(contestant: &str, count: usize) -> Result<[f64; ROWS.len()]> {
    let parent = tempfile::tempdir_in(".")?;
    measure(contestant, count, parent.path(), &WAITS)
}

fn measure(
    contestant: &str,
    count: usize,
    parent: &Path,
    waits: &Waits,
) -> Result<[f64; ROWS.len()]> {
    allocator::keep_to_a_budget();
    let pool = Pool::new(Size::Small)?;
    let folder = |number: usize| parent.join(number.to_string());
    (0..=count).try_for_each(|number| fs::create_dir(folder(number)))?;
    let open = |number| Opened::new(contestant, &folder(number));
    let first = open(0)?;
    first.insert(pool.get(0))?;
    thread::sleep(waits.settling);
    let alone = Usage::now()?;

    let (mut opened, mut creating) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let (database, taken) = timed(|| open(number))?;
        creating.push(taken);
        database.insert(pool.get(number as u64))?;
        opened.push(database);
    }
    thread::sleep(waits.settling);
    let (all, start) = (Usage::now()?, Instant::now());
    thread::sleep(waits.idle);
    let (later, watched) = (Usage::now()?, start.elapsed());
    opened.iter().chain([&first]).try_for_each(|database| database.insert_async(pool.get(0)))?;
    let driven = Usage::now()?;
    drop((first, opened));
    let again = (0..=count).map(|number| Ok(timed(|| open(number))?.1));
    let again = again.collect::<Result<Vec<_>>>()?;

    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let by_database = |find: &dyn Fn(&Usage) -> f64| (find(&all) - find(&alone)) / count as f64;
    let others = |usage: &Usage| (usage.threads.own() - maintenance(usage)) as f64;
    let busy = later.on_processor.saturating_sub(all.on_processor);
    Ok([
        alone.resident_bytes as f64,
        by_database(&|usage| usage.resident_bytes as f64),
        by_database(&|usage| usage.descriptors as f64),
        maintenance(&all) as f64,
        by_database(&others),
        others(&driven) / (count + 1) as f64,
        by_database(&|usage| usage.threads.foreign() as f64),
        milliseconds(busy) / watched.as_secs_f64(),
        milliseconds(median(creating)),
        milliseconds(median(again)),
    ])
}

/// The result of some work, and the time that it has taken.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    Ok((work()?, start.elapsed()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn maintenance(usage: &Usage) -> usize {
    usage.threads.named("velocitydb-maintenance")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Waits = Waits { settling: Duration::ZERO, idle: Duration::ZERO };

    #[test]
    fn every_contestant_is_measured() {
        for contestant in NAMES {
            let parent = tempfile::tempdir().unwrap();
            let found = measure(contestant, 2, parent.path(), &WAITS).unwrap();
            assert!(found.iter().all(|number| number.is_finite()), "{contestant}: {found:?}");
        }
    }
}
