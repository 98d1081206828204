//! The targets of the numbers, and whether they are met.

use crate::bare_map;
use crate::documents::Size;
use crate::memory::{self, COUNTS};
use crate::peers::NAMES;
use crate::results::{Results, Unit};
use crate::{budget, claims, disk, footprint, many, queries, scaling, velocity, writers};

/// A target that was set before anything was measured.
pub struct Target {
    /// What the target is about.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The bound.
    pub bound: Bound,
    /// The measured numbers, by case.
    pub found: Vec<(String, f64)>,
}

/// The bound of a target.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Target {
    /// By how much the case misses the bound, as a fraction of it; 0 or less when it is met.
    fn missed(&self, found: f64) -> f64 {
        match self.bound {
            Bound::AtLeast(bound) => 1.0 - found / bound,
            Bound::AtMost(bound) => found / bound - 1.0,
        }
    }

    /// The found numbers, the worst first.
    pub fn worst_first(&self) -> Vec<&(String, f64)> {
        let mut found: Vec<_> = self.found.iter().collect();
        found.sort_by(|one, other| self.missed(other.1).total_cmp(&self.missed(one.1)));
        found
    }

    /// Met or missed, in how many cases, and by how much.
    pub fn verdict(&self) -> String {
        let misses = self.found.iter().map(|case| self.missed(case.1));
        let misses: Vec<f64> = misses.filter(|missed| *missed > 0.0).collect();
        let worst = misses.iter().copied().fold(0.0, f64::max) * 100.0;
        match (self.found.len() - misses.len(), self.found.len()) {
            (met, all) if met == all => "met".to_owned(),
            (0, _) => format!("missed by up to {worst:.0} %"),
            (met, all) => format!("met in {met} of {all} cases, missed by up to {worst:.0} %"),
        }
    }
}

/// Every target with measurements.
pub fn all(results: &Results) -> Vec<Target> {
    let mut targets = in_memory(results);
    targets.extend(on_disk(results));
    targets.extend(by_size(results));
    targets.extend(of_queries(results));
    targets.extend(of_claims(results));
    targets.push(of_writers(results));
    targets.extend(of_many(results));
    targets.retain(|target| !target.found.is_empty());
    targets
}

fn in_memory(results: &Results) -> Vec<Target> {
    let tables = || {
        let sizes = Size::ALL.into_iter();
        sizes.flat_map(|size| COUNTS.into_iter().map(move |count| memory::table(size, count)))
    };
    let of = |row: &'static str| move |table: &str| median(results, table, row, velocity::NAME);
    let get_by_map = |table: &str| {
        Some(of(memory::GET)(table)? / median(results, table, memory::GET, bare_map::NAME)?)
    };
    let target = |name, unit, bound, find: &dyn Fn(&str) -> Option<f64>| Target {
        name,
        unit,
        bound: Bound::AtLeast(bound),
        found: tables().filter_map(|table| Some((table.clone(), find(&table)?))).collect(),
    };
    vec![
        target("get in memory, one thread", Unit::PerSecond, 5e6, &of(memory::GET)),
        target("get in memory, of the bare map", Unit::Times, 0.5, &get_by_map),
        target("insert in memory, an object a call", Unit::PerSecond, 5e5, &of(memory::INSERT)),
        target(
            "insert in memory, a struct a call",
            Unit::PerSecond,
            5e5,
            &of(memory::INSERT_STRUCT),
        ),
        target("insert in memory, 1,000 a call", Unit::PerSecond, 1e6, &of(memory::INSERT_MANY)),
        target("update in memory", Unit::PerSecond, 5e5, &of(memory::UPDATE)),
        target("compare-and-swap in memory", Unit::PerSecond, 5e5, &of(memory::SWAP)),
        target("reads kept beside a writer", Unit::Percent, 90.0, &of(memory::KEPT)),
    ]
}

fn on_disk(results: &Results) -> Vec<Target> {
    let [persistent, _, peers @ ..] = NAMES;
    let of = |row: &'static str, name| move |table: &str| median(results, table, row, name);
    let many_by_one = |table: &str| {
        Some(of(disk::MANY_WRITERS, persistent)(table)? / of(disk::ONE_WRITER, persistent)(table)?)
    };
    let by_best_peer = |table: &str| {
        let rates = peers.iter().filter_map(|peer| of(disk::MANY_WRITERS, *peer)(table));
        let best = rates.fold(0.0, f64::max);
        let own = of(disk::MANY_WRITERS, persistent)(table)?;
        (best > 0.0).then_some(own / best)
    };
    let target = |name, unit, bound, find: &dyn Fn(&str) -> Option<f64>| Target {
        name,
        unit,
        bound: Bound::AtLeast(bound),
        found: Size::ALL
            .into_iter()
            .map(disk::table)
            .filter_map(|table| Some((table.clone(), find(&table)?)))
            .collect(),
    };
    vec![
        target("persistent, 64 writers by one writer", Unit::Times, 20.0, &many_by_one),
        target("persistent, 64 writers by the best peer", Unit::Times, 1.0, &by_best_peer),
        target("persistent, cached get", Unit::PerSecond, 3e6, &of(disk::CACHED_GET, persistent)),
    ]
}

fn by_size(results: &Results) -> Vec<Target> {
    let footprint = Size::ALL.into_iter().filter_map(|size| {
        let bytes = median(results, footprint::TABLE, size.name(), velocity::NAME)?;
        Some((size.name().to_owned(), bytes))
    });
    let budgets = budget::BUDGETS.into_iter().flat_map(|megabytes| {
        let rows = Size::ALL.into_iter().map(move |size| budget::row(size, megabytes));
        rows.flat_map(|row| {
            budget::MODES.into_iter().filter_map(move |(_, mode)| {
                let times = median(results, budget::TABLE, &row, mode)?;
                Some((format!("{mode}, {row}"), times))
            })
        })
    });
    vec![
        Target {
            name: "memory by document beyond id and fields",
            unit: Unit::Bytes,
            bound: Bound::AtMost(100.0),
            found: footprint.collect(),
        },
        Target {
            name: "cost among many documents by that among few, less the map's own",
            unit: Unit::Times,
            bound: Bound::AtMost(1.5),
            found: growth(results),
        },
        Target {
            name: "peak resident memory by budget",
            unit: Unit::Times,
            bound: Bound::AtMost(1.5),
            found: budgets.collect(),
        },
    ]
}

/// How much more an operation costs with many documents, after subtracting the additional
/// nanoseconds of the bare map's counterpart.
fn growth(results: &Results) -> Vec<(String, f64)> {
    let cost = |operation: &str, count, contestant| {
        median(results, scaling::TABLE, &scaling::row(operation, count), contestant)
    };
    let growth = |operation: &str| {
        let counts = [scaling::many(false), scaling::many(true)];
        let many =
            counts.into_iter().find(|many| cost(operation, *many, velocity::NAME).is_some())?;
        let map_grows =
            cost(operation, many, bare_map::NAME)? - cost(operation, scaling::FEW, bare_map::NAME)?;
        let own = cost(operation, many, velocity::NAME)? - map_grows.max(0.0);
        Some((operation.to_owned(), own / cost(operation, scaling::FEW, velocity::NAME)?))
    };
    scaling::OPERATIONS.into_iter().filter_map(growth).collect()
}

fn of_queries(results: &Results) -> Vec<Target> {
    let tables = || queries::COUNTS.into_iter().map(queries::table);
    let of = |row: &'static str| move |table: &str| median(results, table, row, velocity::NAME);
    let group_by_best_peer = |table: &str| {
        let peer = |peer| median(results, table, queries::GROUP, peer);
        let best = queries::PEERS.into_iter().filter_map(peer).reduce(f64::max)?;
        Some(of(queries::GROUP)(table)? / best)
    };
    let found = |find: &dyn Fn(&str) -> Option<f64>| {
        tables().filter_map(|table| Some((table.clone(), find(&table)?))).collect()
    };
    let inserts = [queries::INSERT, queries::INSERT_MANY]
        .into_iter()
        .filter_map(|row| Some((row.to_owned(), of(row)(queries::INSERT_TABLE)?)));
    let target =
        |name, unit, bound, found| Target { name, unit, bound: Bound::AtLeast(bound), found };
    vec![
        target("find of 10 by an index", Unit::PerSecond, 2e5, found(&of(queries::FIND))),
        target("scan, documents of one core", Unit::PerSecond, 1e7, found(&of(queries::SCAN))),
        target("group by the best peer", Unit::Times, 3.0, found(&group_by_best_peer)),
        target("insert beside two indexes", Unit::PerSecond, 2.5e5, inserts.collect()),
    ]
}

fn of_writers(results: &Results) -> Target {
    let mut found = Vec::new();
    for (_, table) in writers::TABLES {
        for operation in writers::OPERATIONS {
            for threads in writers::THREADS {
                let row = writers::row_of_ratio(operation, threads);
                let times = median(results, table, &row, velocity::NAME);
                found.extend(times.map(|times| (format!("{table}: {row}"), times)));
            }
        }
    }
    let (unit, bound) = (Unit::Times, Bound::AtLeast(0.9));
    Target { name: "many writers in memory by one", unit, bound, found }
}

fn of_many(results: &Results) -> [Target; 2] {
    let target = |name, unit, bound, row| Target {
        name,
        unit,
        bound: Bound::AtMost(bound),
        found: (many::OWN.into_iter())
            .filter_map(|(mode, _)| {
                Some((mode.to_owned(), median(results, many::TABLE, row, mode)?))
            })
            .collect(),
    };
    [
        target("resident memory by open database", Unit::Bytes, f64::from(1 << 20), many::MEMORY),
        target("maintenance threads of a hundred databases", Unit::Count, 1.0, many::MAINTENANCE),
    ]
}

fn of_claims(results: &Results) -> Vec<Target> {
    let counts = [claims::FEW, claims::many(true), claims::many(false)];
    let rate = |table: &str, claimants, finished| {
        median(results, table, &claims::row(claimants, finished), velocity::NAME)
    };
    let in_memory = counts.into_iter().flat_map(|finished| {
        let row = move |claimants| claims::row(claimants, finished);
        let rates = [1, 64].into_iter();
        rates.filter_map(move |it| Some((row(it), rate(claims::MEMORY_TABLE, it, finished)?)))
    });
    let with_fsync = counts.into_iter().filter_map(|finished| {
        Some((claims::finished(finished), rate(claims::FSYNC_TABLE, 64, finished)?))
    });
    let tables = [claims::MEMORY_TABLE, claims::FSYNC_TABLE].into_iter();
    let cases = tables.flat_map(|table| claims::CLAIMANTS.into_iter().map(move |it| (table, it)));
    let kept = cases.filter_map(|(table, claimants)| {
        let few = rate(table, claimants, claims::FEW)?;
        let (row, many) = counts[1..].iter().find_map(|many| {
            Some((claims::row(claimants, *many), rate(table, claimants, *many)?))
        })?;
        Some((format!("{table}: {row}"), many / few))
    });
    let target =
        |name, unit, bound, found| Target { name, unit, bound: Bound::AtLeast(bound), found };
    vec![
        target("claims in memory, 1 and 64 claimants", Unit::PerSecond, 2e5, in_memory.collect()),
        target("claims with fsync, 64 claimants", Unit::PerSecond, 4.9e4, with_fsync.collect()),
        target(
            "claims beside many finished by those beside none",
            Unit::Times,
            0.8,
            kept.collect(),
        ),
    ]
}

fn median(results: &Results, table: &str, row: &str, contestant: &str) -> Option<f64> {
    results.find(table, row, contestant).map(|found| found.median())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bound: Bound, found: &[f64]) -> String {
        let found = found.iter().map(|number| (String::new(), *number)).collect();
        Target { name: "", unit: Unit::Times, bound, found }.verdict()
    }

    #[test]
    fn verdicts_say_how_far() {
        assert_eq!(verdict(Bound::AtLeast(10.0), &[10.0, 12.0]), "met");
        assert_eq!(verdict(Bound::AtLeast(10.0), &[8.0]), "missed by up to 20 %");
        assert_eq!(
            verdict(Bound::AtMost(10.0), &[15.0, 9.0]),
            "met in 1 of 2 cases, missed by up to 50 %"
        );
    }

    #[test]
    fn a_group_is_compared_with_the_best_peer_that_is_there() {
        let mut results = Results::default();
        let table = queries::table(queries::COUNTS[0]);
        let [absent, present] = queries::PEERS;
        for (contestant, sample) in [(velocity::NAME, 6e6), (present, 2e6)] {
            results.record(&table, queries::GROUP, contestant, Unit::PerSecond, sample);
        }
        results.absent(&table, queries::GROUP, absent, Unit::PerSecond, "not installed");
        let targets = all(&results);
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].found, [(table, 3.0)]);
    }

    #[test]
    fn claims_in_memory_are_those_of_one_and_many_and_decay_is_by_case() {
        let mut results = Results::default();
        for (claimants, finished, sample) in
            [(1, 0, 100.0), (2, 0, 120.0), (64, 0, 300.0), (2, claims::many(true), 60.0)]
        {
            let row = claims::row(claimants, finished);
            let table = claims::MEMORY_TABLE;
            results.record(table, &row, velocity::NAME, Unit::PerSecond, sample);
        }
        let found: Vec<Vec<f64>> =
            all(&results).iter().map(|it| it.found.iter().map(|case| case.1).collect()).collect();
        assert_eq!(found, [vec![100.0, 300.0], vec![0.5]]);
    }

    #[test]
    fn the_growth_of_the_map_is_taken_off() {
        let mut results = Results::default();
        for (contestant, few, many) in
            [(velocity::NAME, 100.0, 400.0), (bare_map::NAME, 20.0, 250.0)]
        {
            for (count, sample) in [(scaling::FEW, few), (scaling::many(false), many)] {
                let row = scaling::row("get", count);
                results.record(scaling::TABLE, &row, contestant, Unit::Nanoseconds, sample);
            }
        }
        assert_eq!(growth(&results), [("get".to_owned(), 1.7)]);
        assert_eq!(all(&results).len(), 1);
    }
}
