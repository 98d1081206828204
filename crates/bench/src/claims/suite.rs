//! Suite `claims`: the measurements.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::postgres::Postgres;
use super::run::Ledger;
use super::sqlite::Sqlite;
use super::{Durability, Opening, moving};
use crate::arguments::Arguments;
use crate::cluster::Cluster;
use crate::results::{Results, Unit};
use crate::velocity;
use crate::{Result, allocator, queries_velocity};

/// The tables.
pub const MEMORY_TABLE: &str = "Claims in memory, 1 k jobs waiting";
pub const FSYNC_TABLE: &str = "Claims with fsync, 1 k jobs waiting";

const TABLES: [(&str, Durability); 2] =
    [(MEMORY_TABLE, Durability::Memory), (FSYNC_TABLE, Durability::Fsync)];

/// How many threads claim.
pub const CLAIMANTS: [usize; 3] = [1, 2, 64];

/// How many jobs are finished in the baseline rows.
pub const FEW: u64 = 0;

/// How many jobs are finished in the other rows.
pub fn many(is_quick: bool) -> u64 {
    if is_quick { 100_000 } else { 10_000_000 }
}

const SQLITE: &str = "SQLite";
const POSTGRES: &str = "PostgreSQL";
const CONTESTANTS: [&str; 3] = [velocity::NAME, SQLITE, POSTGRES];

/// The title of the table of the work before claims.
const SETUP_TABLE: &str = "Claims: finished jobs loaded beside an index of the waiting ones";

/// The title of a row.
pub fn row(claimants: usize, finished: u64) -> String {
    let claimants = match claimants {
        1 => "1 claimant".to_owned(),
        many => format!("{many} claimants"),
    };
    format!("{claimants}, {}", self::finished(finished))
}

/// How many jobs are finished.
pub fn finished(count: u64) -> String {
    match count {
        0 => "none finished".to_owned(),
        many if many >= 1_000_000 => format!("{} M finished", many / 1_000_000),
        many => format!("{} k finished", many / 1_000),
    }
}

/// Runs the suite.
pub fn run(arguments: &Arguments, results: &mut Results) -> Result<()> {
    let cluster = Cluster::of(arguments)?;
    for (table, durability) in TABLES {
        allocator::use_huge_pages(durability == Durability::Memory);
        let result = Case { arguments, cluster: &cluster, table, durability }.run(results);
        allocator::use_huge_pages(true);
        result?;
    }
    moving::run(arguments, results)
}

struct Case<'a> {
    arguments: &'a Arguments,
    cluster: &'a std::result::Result<Cluster, String>,
    table: &'static str,
    durability: Durability,
}

/// A store with its folder, which is deleted after it is closed.
struct Contestant {
    name: &'static str,
    ledger: Ledger,
    _folder: TempDir,
}

impl Case<'_> {
    fn run(&self, results: &mut Results) -> Result<()> {
        let many = many(self.arguments.is_quick);
        let wanted = |finished: u64| {
            CLAIMANTS.into_iter().filter(move |claimants| {
                self.arguments.wants(self.table, &row(*claimants, finished))
            })
        };
        let mut full = match wanted(many).next() {
            Some(_) => self.contestants(many, results)?,
            None => Vec::new(),
        };
        for _ in 0..self.arguments.rounds {
            for claimants in wanted(FEW) {
                // New stores, since jobs that were claimed before would be stored
                // beside the waiting ones.
                for contestant in &mut self.contestants(FEW, results)? {
                    self.sample(contestant, claimants, FEW, results)?;
                }
            }
            for claimants in wanted(many) {
                for contestant in &mut full {
                    self.sample(contestant, claimants, many, results)?;
                }
            }
        }
        Ok(())
    }

    fn sample(
        &self,
        contestant: &mut Contestant,
        claimants: usize,
        finished: u64,
        results: &mut Results,
    ) -> Result<()> {
        let Contestant { name, ledger, .. } = contestant;
        let longest = Duration::from_millis(if self.arguments.is_quick { 300 } else { 1_000 });
        let found = ledger.rate(claimants, 100, longest)?;
        results.record(self.table, &row(claimants, finished), name, Unit::PerSecond, found);
        ledger.audit()?;
        ledger.settle()
    }

    fn contestants(&self, finished: u64, results: &mut Results) -> Result<Vec<Contestant>> {
        let mut contestants = Vec::new();
        for name in CONTESTANTS {
            let folder = tempfile::tempdir_in(&self.arguments.folder)?;
            match self.open(name, &folder)? {
                Opening::Open(store) => {
                    let start = Instant::now();
                    let ledger = Ledger::load(store, finished)?;
                    let passed = start.elapsed().as_secs_f64();
                    if finished > FEW {
                        let row = self.table;
                        results.record(SETUP_TABLE, row, name, Unit::Seconds, passed);
                    }
                    contestants.push(Contestant { name, ledger, _folder: folder });
                }
                Opening::Absent(why) => {
                    for claimants in CLAIMANTS {
                        let row = row(claimants, finished);
                        if self.arguments.wants(self.table, &row) {
                            results.absent(self.table, &row, name, Unit::PerSecond, &why);
                        }
                    }
                }
            }
        }
        Ok(contestants)
    }

    fn open(&self, name: &str, folder: &TempDir) -> Result<Opening> {
        Ok(match (name, self.cluster, self.durability) {
            (SQLITE, _, Durability::Memory) => Opening::Open(Box::new(Sqlite::in_memory()?)),
            (SQLITE, _, Durability::Fsync) => {
                Opening::Open(Box::new(Sqlite::on_disk(folder.path())?))
            }
            (POSTGRES, Ok(cluster), durability) => {
                Opening::Open(Box::new(Postgres::open(cluster.schema()?, durability)?))
            }
            (POSTGRES, Err(why), _) => Opening::Absent(why.clone()),
            (_, _, durability) => queries_velocity::open_jobs(durability, folder.path())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_how_many() {
        assert_eq!(row(1, 0), "1 claimant, none finished");
        assert_eq!(row(64, 100_000), "64 claimants, 100 k finished");
        assert_eq!(row(2, 10_000_000), "2 claimants, 10 M finished");
    }

    #[test]
    fn no_contestant_claims_twice_or_loses_a_job() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = crate::cluster::find(None)
            .map(|programs| Cluster::start(&programs, folder.path()).unwrap());
        let words = ["claims".to_owned(), "--quick".to_owned()];
        let Ok(crate::arguments::Command::Run(arguments)) = crate::arguments::parse(&words) else {
            panic!("these are no words for a child");
        };
        for (table, durability) in TABLES {
            let case = Case { arguments: &arguments, cluster: &cluster, table, durability };
            for contestant in &mut case.contestants(3_000, &mut Results::default()).unwrap() {
                for claimants in CLAIMANTS {
                    contestant.ledger.rate(claimants, 2, Duration::MAX).unwrap();
                    contestant.ledger.audit().unwrap();
                }
            }
        }
    }
}
