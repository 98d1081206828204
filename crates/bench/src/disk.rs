//! Suite `disk`: VelocityDB on disk compared with fjall, redb and SQLite, with the same fsync
//! setting and the same size of caches.

use std::time::Duration;

use velocitydb::Mode;

use crate::arguments::Arguments;
use crate::documents::{Ids, Pool, Purpose, Size, scattered_id};
use crate::measure::{Clock, rate_during, rate_in_flight};
use crate::peers::{self, NAMES, Store, Sync, VELOCITY};
use crate::results::{Results, Unit};
use crate::{Result, allocator};

/// Rows that targets are set for.
pub const ONE_WRITER: &str = "insert, fsync, 1 writer";
pub const MANY_WRITERS: &str = "insert, fsync, 64 writers";
pub const CACHED_GET: &str = "get, all cached";

const WRITES: [(&str, Sync, usize); 4] = [
    (ONE_WRITER, Sync::EachWrite, 1),
    (MANY_WRITERS, Sync::EachWrite, 64),
    ("insert, no fsync, 1 writer", Sync::Never, 1),
    ("insert, no fsync, 64 writers", Sync::Never, 64),
];

/// The row of writes that one thread proposes without waiting for each.
pub const IN_FLIGHT: &str = "insert, fsync, 64 in flight of 1 thread";

/// A measurement of reads: the row, how many documents there are, bytes of memory for all caches
/// and buffers of a store.
struct Reads {
    row: &'static str,
    count: u64,
    cache_bytes: u64,
}

/// Bytes of memory for all caches and buffers of a store that is written to.
const WRITE_CACHE_BYTES: u64 = 256 << 20;

const READS: [Reads; 2] = [
    Reads { row: CACHED_GET, count: 20_000, cache_bytes: 512 << 20 },
    Reads { row: "get, a tenth cached", count: 300_000, cache_bytes: 64 << 20 },
];

/// Documents of one transaction while a store is loaded.
const LOAD_BATCH: u64 = 1_000;

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    allocator::use_huge_pages(false);
    let result = run_all(arguments, results);
    allocator::use_huge_pages(true);
    result
}

fn run_all(arguments: &Arguments, results: &mut Results) -> Result<()> {
    for size in Size::ALL {
        let (table, pool) = (table(size), Pool::new(size)?);
        for _ in 0..arguments.rounds.min(5) {
            for (row, sync, threads) in WRITES {
                for name in NAMES.into_iter().filter(|_| arguments.wants(&table, row)) {
                    let found = writes(arguments, name, sync, threads, &pool)?;
                    results.record(&table, row, name, Unit::PerSecond, found);
                }
            }
            for (name, mode) in VELOCITY.into_iter().filter(|_| arguments.wants(&table, IN_FLIGHT))
            {
                let found = proposals(arguments, mode, &pool)?;
                results.record(&table, IN_FLIGHT, name, Unit::PerSecond, found);
            }
        }
        for reads in READS.iter().filter(|reads| arguments.wants(&table, reads.row)) {
            read_rounds(arguments, reads, &table, &pool, results)?;
        }
    }
    Ok(())
}

/// The title of a table.
pub fn table(size: Size) -> String {
    format!("On disk: {}", size.name())
}

/// Inserts a second into an empty store.
fn writes(
    arguments: &Arguments,
    name: &str,
    sync: Sync,
    threads: usize,
    pool: &Pool,
) -> Result<f64> {
    let duration = write_duration(arguments);
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let store = peers::open(name, folder.path(), sync, WRITE_CACHE_BYTES)?;
    rate_during(duration, threads, |number| store.insert(&scattered_id(number), pool.get(number)))
}

/// Inserts per second into an empty database by one thread that has 64 of them in flight.
fn proposals(arguments: &Arguments, mode: Mode, pool: &Pool) -> Result<f64> {
    let duration = write_duration(arguments);
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    let documents = peers::velocity(mode, folder.path(), Sync::EachWrite, WRITE_CACHE_BYTES)?;
    rate_in_flight(duration, 64, |number| {
        let written = documents.insert_async(scattered_id(number), &pool.get(number).object);
        async {
            written.await?;
            Ok(())
        }
    })
}

fn write_duration(arguments: &Arguments) -> Duration {
    Duration::from_millis(if arguments.is_quick { 500 } else { 2000 })
}

/// Gets a second from a loaded store whose documents have been read before.
fn read_rounds(
    arguments: &Arguments,
    reads: &Reads,
    table: &str,
    pool: &Pool,
    results: &mut Results,
) -> Result<()> {
    let steps = if arguments.is_quick { 50_000 } else { 300_000 };
    let count = if arguments.is_quick { reads.count / 3 } else { reads.count };
    let stored = Ids::shuffled(0..count, Purpose::Storing);
    let ids = Ids::shuffled(0..count, Purpose::Visiting);
    let mut stores = Vec::new();
    for name in NAMES {
        let folder = tempfile::tempdir_in(&arguments.folder)?;
        let store = peers::open(name, folder.path(), Sync::Never, reads.cache_bytes)?;
        load(&*store, &stored, pool)?;
        ids.iter().try_for_each(|(_, id)| get(&*store, id))?;
        stores.push((name, store, folder));
    }
    for round in 0..arguments.rounds as u64 {
        for (name, store, _) in &stores {
            let walk = ids.walk(round * steps..(round + 1) * steps);
            let found = Clock::Wall.rate(walk, |(_, id)| get(&**store, id))?;
            results.record(table, reads.row, name, Unit::PerSecond, found);
        }
    }
    Ok(())
}

fn load(store: &dyn Store, ids: &Ids, pool: &Pool) -> Result<()> {
    let mut documents = ids.iter().map(|(number, id)| (id.to_owned(), pool.get(number))).peekable();
    while documents.peek().is_some() {
        store.load(&mut documents.by_ref().take(LOAD_BATCH as usize))?;
    }
    Ok(())
}

fn get(store: &dyn Store, id: &str) -> Result<()> {
    if store.get(id)? { Ok(()) } else { Err("the document is missing".into()) }
}
