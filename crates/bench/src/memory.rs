//! Suite `memory`: VelocityDB in memory compared with a bare concurrent map.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Result;
use crate::arguments::Arguments;
use crate::bare_map::{self, BareMap};
use crate::documents::{Ids, Pool, Purpose, Size};
use crate::measure::{beside, rate_of_threads};
use crate::results::{Results, Unit};
use crate::velocity::{self, Velocity};

/// Rows that targets are set for.
pub const GET: &str = "get";
pub const INSERT: &str = "insert of an object";
pub const INSERT_STRUCT: &str = "insert of a struct";
pub const INSERT_MANY: &str = "insert of objects, 1,000 a call";
pub const UPDATE: &str = "update of one field";
pub const SWAP: &str = "compare-and-swap of one field";
pub const KEPT: &str = "reads kept beside a writer";

/// How many documents there are.
pub const COUNTS: [u64; 2] = [100_000, 1_000_000];

/// Reads of one sample, at the least.
const READS: u64 = 1_000_000;

/// Writes of one sample, except inserts.
const WRITES: u64 = 100_000;

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let counts = if arguments.is_quick { &COUNTS[..1] } else { &COUNTS[..] };
    for (size, count) in
        Size::ALL.into_iter().flat_map(|size| counts.iter().map(move |it| (size, *it)))
    {
        let table = table(size, count);
        let case = Case::new(arguments, table, size, count)?;
        for _ in 0..arguments.rounds {
            case.reads(results)?;
            case.writes(results)?;
            case.inserts(results)?;
        }
    }
    Ok(())
}

/// The title of a table.
pub fn table(size: Size, count: u64) -> String {
    format!("In memory: {} {}", grouped(count), size.name())
}

fn grouped(count: u64) -> String {
    if count >= 1_000_000 {
        format!("{} M", count / 1_000_000)
    } else {
        format!("{} k", count / 1000)
    }
}

/// Both contestants, loaded with the same documents.
struct Case<'a> {
    arguments: &'a Arguments,
    table: String,
    pool: Pool,
    ids: Ids,
    velocity: Velocity,
    map: BareMap,
    /// How many ids of their walks the updates, the swaps and the map's writes have used.
    updates: AtomicU64,
    swaps: AtomicU64,
    puts: AtomicU64,
}

impl<'a> Case<'a> {
    fn new(arguments: &'a Arguments, table: String, size: Size, count: u64) -> Result<Self> {
        let (pool, stored) = (Pool::new(size)?, Ids::shuffled(0..count, Purpose::Storing));
        let ids = Ids::shuffled(0..count, Purpose::Visiting);
        Ok(Case {
            velocity: Velocity::load(&stored, &pool)?,
            map: BareMap::load(&stored, &pool)?,
            arguments,
            table,
            pool,
            ids,
            updates: AtomicU64::new(0),
            swaps: AtomicU64::new(0),
            puts: AtomicU64::new(0),
        })
    }

    fn rate<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        operate: impl FnMut(T) -> Result<()>,
    ) -> Result<f64> {
        self.arguments.clock.rate(items, operate)
    }

    /// Measures a row, if it is requested: the rate of VelocityDB and, if there is one, of the
    /// map.
    fn row(
        &self,
        results: &mut Results,
        row: &str,
        velocity: impl FnOnce() -> Result<f64>,
        map: Option<&dyn Fn() -> Result<f64>>,
    ) -> Result<()> {
        if self.arguments.wants(&self.table, row) {
            let mut record = |contestant, sample| {
                results.record(&self.table, row, contestant, Unit::PerSecond, sample);
            };
            record(velocity::NAME, velocity()?);
            if let Some(map) = map {
                record(bare_map::NAME, map()?);
            }
        }
        Ok(())
    }

    fn reads(&self, results: &mut Results) -> Result<()> {
        let reads = 0..READS.max(self.ids.len() as u64);
        let get_all =
            |reads: Range<u64>| self.rate(self.ids.walk(reads), |(_, id)| self.velocity.get(id));
        let map_get_all =
            |reads: Range<u64>| self.rate(self.ids.walk(reads), |(_, id)| self.map.get(id));
        let halves = |number: usize| {
            let half = reads.end / 2;
            number as u64 * half..(number as u64 + 1) * half
        };
        self.row(results, GET, || get_all(reads.clone()), Some(&|| map_get_all(reads.clone())))?;
        let get_field =
            || self.rate(self.ids.walk(reads.clone()), |(_, id)| self.velocity.get_field(id));
        self.row(results, "get, and one field of it", get_field, None)?;
        let in_threads = |get_all: &(dyn Fn(Range<u64>) -> Result<f64> + Sync)| {
            rate_of_threads(2, |number| get_all(halves(number)).map(|_| reads.end / 2))
        };
        self.row(
            results,
            "get, 2 threads",
            || in_threads(&get_all),
            Some(&|| in_threads(&map_get_all)),
        )?;
        self.reads_beside_a_writer(results)
    }

    /// The rate of a reader while another core writes, relative to its rate without that
    /// writer.
    fn reads_beside_a_writer(&self, results: &mut Results) -> Result<()> {
        if !self.arguments.wants(&self.table, KEPT) {
            return Ok(());
        }
        let steps = 0..READS.max(self.ids.len() as u64);
        let (ids, velocity, map, pool) = (&self.ids, &self.velocity, &self.map, &self.pool);
        let id = |number: u64| ids.get((number % ids.len() as u64) as usize);
        let reads = || self.rate(ids.walk(steps.clone()), |(_, id)| velocity.get(id));
        let alone = reads()?;
        let beside_writer = beside(|number| velocity.update(id(number), number), reads)?;
        let kept = 100.0 * beside_writer / alone;
        results.record(&self.table, KEPT, velocity::NAME, Unit::Percent, kept);

        let reads = || self.rate(ids.walk(steps.clone()), |(_, id)| map.get(id));
        let alone = reads()?;
        let put = |number| map.put(id(number), pool.get(number).encoded.as_bytes());
        let kept = 100.0 * beside(put, reads)? / alone;
        results.record(&self.table, KEPT, bare_map::NAME, Unit::Percent, kept);
        Ok(())
    }

    fn writes(&self, results: &mut Results) -> Result<()> {
        let put = || {
            self.rate(self.steps(&self.puts), |(lap, id)| {
                self.map.put(id, self.pool.get(lap).encoded.as_bytes())
            })
        };
        let update =
            || self.rate(self.steps(&self.updates), |(lap, id)| self.velocity.update(id, lap));
        self.row(results, UPDATE, update, Some(&put))?;
        let swap = || self.rate(self.steps(&self.swaps), |(lap, id)| self.velocity.swap(id, lap));
        self.row(results, SWAP, swap, Some(&put))?;
        let update_in_threads = || {
            rate_of_threads(2, |number| {
                let start = number as u64 * WRITES;
                let mut steps = self.ids.walk(start..start + WRITES);
                steps.try_for_each(|(_, id)| self.velocity.update(id, 7))?;
                Ok(WRITES)
            })
        };
        self.row(results, "update of one field, 2 threads", update_in_threads, None)?;
        let mixed = || {
            self.rate(self.steps(&self.updates).enumerate(), |(step, (lap, id))| match step % 5 {
                0 => self.velocity.update(id, lap),
                _ => self.velocity.get(id),
            })
        };
        let map_mixed = || {
            self.rate(self.steps(&self.puts).enumerate(), |(step, (lap, id))| match step % 5 {
                0 => self.map.put(id, self.pool.get(lap).encoded.as_bytes()),
                _ => self.map.get(id),
            })
        };
        self.row(results, "4 gets to an update", mixed, Some(&map_mixed))
    }

    /// The next ids of the walk.
    fn steps(&self, walked: &AtomicU64) -> impl Iterator<Item = (u64, &str)> {
        let start = walked.fetch_add(WRITES, Ordering::Relaxed);
        self.ids.walk(start..start + WRITES)
    }

    /// Each into an empty contestant.
    fn inserts(&self, results: &mut Results) -> Result<()> {
        let (pool, ids) = (&self.pool, &self.ids);
        let put = || {
            let map = BareMap::new();
            self.rate(ids.iter(), |(number, id)| map.put(id, pool.get(number).encoded.as_bytes()))
        };
        let insert = || {
            let velocity = Velocity::in_memory()?;
            self.rate(ids.iter(), |(number, id)| {
                velocity.documents.insert(id, &pool.get(number).object)?;
                Ok(())
            })
        };
        self.row(results, INSERT, insert, Some(&put))?;
        let insert_struct = || {
            let velocity = Velocity::in_memory()?;
            self.rate(ids.iter(), |(number, id)| {
                velocity.records.insert(id, &pool.get(number).record)?;
                Ok(())
            })
        };
        self.row(results, INSERT_STRUCT, insert_struct, Some(&put))?;
        let insert_many = || {
            let velocity = Velocity::in_memory()?;
            let calls = self.rate([()], |()| velocity.insert_many(ids, pool))?;
            Ok(calls * ids.len() as f64)
        };
        self.row(results, INSERT_MANY, insert_many, Some(&put))?;
        let insert_in_threads = || {
            let velocity = Velocity::in_memory()?;
            let half = ids.len() / 2;
            rate_of_threads(2, |number| {
                for place in number * half..(number + 1) * half {
                    let object = &pool.get(place as u64).object;
                    velocity.documents.insert(ids.get(place), object)?;
                }
                Ok(half as u64)
            })
        };
        self.row(results, "insert of an object, 2 threads", insert_in_threads, None)
    }
}
