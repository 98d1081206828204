//! Suite `scaling`: the cost of an operation in memory with few documents and with many, and that
//! of the bare map, which has the same cache misses.

use crate::Result;
use crate::arguments::Arguments;
use crate::bare_map::{self, BareMap};
use crate::documents::{Ids, Pool, Purpose, Size};
use crate::measure::Clock;
use crate::results::{Results, Unit};
use crate::velocity::{self, Velocity};

/// The table of this suite.
pub const TABLE: &str = "Cost of an operation in memory by number of documents";

/// The measured operations.
pub const OPERATIONS: [&str; 4] = ["get", "update", "insert", "compare-and-swap"];

/// The few documents.
pub const FEW: u64 = 10_000;

const OPERATIONS_COUNT: u64 = 200_000;

/// How many inserts keep few documents few.
const INSERTS_AMONG_FEW: u64 = 5_000;

/// The many documents.
pub fn many(is_quick: bool) -> u64 {
    if is_quick { 1_000_000 } else { 10_000_000 }
}

/// The title of a row.
pub fn row(operation: &str, count: u64) -> String {
    match count {
        1_000_000.. => format!("{operation}, {} M documents", count / 1_000_000),
        _ => format!("{operation}, {} k documents", count / 1000),
    }
}

/// Both contestants, loaded with the same documents.
struct Case<'a> {
    clock: Clock,
    pool: &'a Pool,
    ids: Ids,
    velocity: Velocity,
    map: BareMap,
    /// How many samples have been taken.
    round: u64,
}

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let pool = Pool::new(Size::Small)?;
    let mut cases = [FEW, many(arguments.is_quick)]
        .into_iter()
        .map(|count| Case::new(arguments.clock, &pool, count))
        .collect::<Result<Vec<_>>>()?;
    for _ in 0..arguments.rounds {
        for operation in OPERATIONS {
            for case in &mut cases {
                let row = row(operation, case.count());
                if !arguments.wants(TABLE, &row) {
                    continue;
                }
                let mut record = |contestant, rate: f64| {
                    results.record(TABLE, &row, contestant, Unit::Nanoseconds, 1e9 / rate);
                };
                record(velocity::NAME, case.velocity(operation)?);
                record(bare_map::NAME, case.map(operation)?);
            }
        }
        cases.iter_mut().for_each(|case| case.round += 1);
    }
    Ok(())
}

impl<'a> Case<'a> {
    fn new(clock: Clock, pool: &'a Pool, count: u64) -> Result<Self> {
        let stored = Ids::shuffled(0..count, Purpose::Storing);
        let (velocity, map) = (Velocity::load(&stored, pool)?, BareMap::load(&stored, pool)?);
        let ids = Ids::shuffled(0..count, Purpose::Visiting);
        Ok(Case { clock, pool, ids, velocity, map, round: 0 })
    }

    fn count(&self) -> u64 {
        self.ids.len() as u64
    }

    /// The next ids of the walk, each with its lap.
    fn steps(&self) -> impl Iterator<Item = (u64, &str)> {
        let start = self.round * OPERATIONS_COUNT;
        self.ids.walk(start..start + OPERATIONS_COUNT)
    }

    fn velocity(&self, operation: &str) -> Result<f64> {
        match operation {
            "get" => self.clock.rate(self.steps(), |(_, id)| self.velocity.get(id)),
            "update" => self.clock.rate(self.steps(), |(lap, id)| self.velocity.update(id, lap)),
            "compare-and-swap" => {
                self.clock.rate(self.steps(), |(lap, id)| self.velocity.swap(id, lap))
            }
            _ => self.inserts(|new| {
                let few = (self.count() == FEW)
                    .then(|| Velocity::load(&self.ids, self.pool))
                    .transpose()?;
                let velocity = few.as_ref().unwrap_or(&self.velocity);
                self.clock.rate(new.iter(), |(number, id)| {
                    velocity.documents.insert(id, &self.pool.get(number).object)?;
                    Ok(())
                })
            }),
        }
    }

    /// The map's counterpart: a write inserts prepared bytes.
    fn map(&self, operation: &str) -> Result<f64> {
        let put =
            |map: &BareMap, number, id: &str| map.put(id, self.pool.get(number).encoded.as_bytes());
        match operation {
            "get" => self.clock.rate(self.steps(), |(_, id)| self.map.get(id)),
            "insert" => self.inserts(|new| {
                let few = (self.count() == FEW)
                    .then(|| BareMap::load(&self.ids, self.pool))
                    .transpose()?;
                let map = few.as_ref().unwrap_or(&self.map);
                self.clock.rate(new.iter(), |(number, id)| put(map, number, id))
            }),
            _ => self.clock.rate(self.steps(), |(lap, id)| put(&self.map, lap, id)),
        }
    }

    /// The rate of inserts of new ids: with many documents, all at once; with few, a few at a
    /// time into new stores, so that they stay few.
    fn inserts(&self, insert: impl Fn(&Ids) -> Result<f64>) -> Result<f64> {
        if self.count() != FEW {
            let start = self.count() + self.round * OPERATIONS_COUNT;
            return insert(&Ids::shuffled(start..start + OPERATIONS_COUNT, Purpose::Storing));
        }
        let new = Ids::shuffled(FEW..FEW + INSERTS_AMONG_FEW, Purpose::Storing);
        let times = OPERATIONS_COUNT / INSERTS_AMONG_FEW;
        let seconds = (0..times).map(|_| Ok(1.0 / insert(&new)?)).sum::<Result<f64>>()?;
        Ok(times as f64 / seconds)
    }
}
