//! Running the checks, and the helpers that they use.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{basics, concurrency, differential, partitions, parts, ranges, restarts, snapshots};
use crate::{Batch, Bounds, Direction, Durability, Engine, Keyspace, Part, Snapshot};

/// An engine under test.
pub struct TestEngine {
    /// Empty, with at least two keyspaces.
    pub engine: Arc<dyn Engine>,
    /// If the engine persists: closes it, which is the last handle, and opens it again.
    pub reopen: Option<Box<Reopen>>,
}

/// Closes an engine and opens it again on the same data.
pub type Reopen = dyn Fn(Arc<dyn Engine>) -> Arc<dyn Engine>;

/// One promise of the contract, by name.
pub type Check = (&'static str, fn(TestEngine));

/// Every check of the suite, for a caller that wants to run them one by one.
pub fn checks() -> Vec<Check> {
    [
        basics::CHECKS,
        parts::CHECKS,
        snapshots::CHECKS,
        ranges::CHECKS,
        concurrency::CHECKS,
        differential::CHECKS,
        restarts::CHECKS,
    ]
    .concat()
}

/// Every check of [`Partitions`](crate::Partitions) on an engine.
pub fn partition_checks() -> Vec<Check> {
    partitions::CHECKS.to_vec()
}

/// Runs these checks, each on an engine of its own.
///
/// # Panics
///
/// When the engine breaks the contract. The last check named on standard output is the one.
pub fn run(checks: Vec<Check>, make: &dyn Fn() -> TestEngine) {
    for (name, check) in checks {
        println!("contract: {name}");
        check(make());
    }
}

/// Two keyspaces that every engine under test has.
pub(super) const FIRST: Keyspace = Keyspace(0);
pub(super) const SECOND: Keyspace = Keyspace(1);

pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn put(engine: &dyn Engine, keyspace: Keyspace, key: &[u8], value: &[u8]) {
    let mut batch = Batch::new();
    batch.put(keyspace, key, value);
    commit(engine, &batch);
}

pub(super) fn delete(engine: &dyn Engine, keyspace: Keyspace, key: &[u8]) {
    let mut batch = Batch::new();
    batch.delete(keyspace, key);
    commit(engine, &batch);
}

pub(super) fn commit(engine: &dyn Engine, batch: &Batch) {
    engine.commit(batch, Durability::Memory).expect("a commit succeeds");
}

pub(super) fn commit_all(engine: &dyn Engine, parts: &[Part<'_>]) {
    engine.commit_all(parts, Durability::Memory).expect("a commit succeeds");
}

pub(super) fn get(engine: &dyn Engine, keyspace: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    let blob = engine.get(keyspace, key).expect("a get succeeds");
    blob.map(|blob| blob.to_vec())
}

pub(super) fn snapshot(engine: &dyn Engine) -> Arc<dyn Snapshot> {
    engine.snapshot().expect("a snapshot succeeds")
}

pub(super) fn get_at(snapshot: &dyn Snapshot, keyspace: Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    let blob = snapshot.get(keyspace, key).expect("a get of a snapshot succeeds");
    blob.map(|blob| blob.to_vec())
}

pub(super) fn scan(
    snapshot: &dyn Snapshot,
    keyspace: Keyspace,
    bounds: Bounds<'_>,
    direction: Direction,
) -> Pairs {
    let mut pairs = Pairs::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        pairs.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    snapshot.scan(keyspace, bounds, direction, &mut visit).expect("a scan succeeds");
    pairs
}

pub(super) fn all(snapshot: &dyn Snapshot, keyspace: Keyspace) -> Pairs {
    scan(snapshot, keyspace, Bounds::ALL, Direction::Forward)
}

pub(super) fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().expect("the checks write eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Model, between_neighbours};
    use crate::{Blob, EngineStats, Result};

    #[test]
    fn the_model_keeps_the_contract() {
        let make = || TestEngine { engine: Arc::new(Model::new(2)), reopen: None };
        run(checks(), &make);
        run(checks(), &|| between_neighbours(make()));
        run(partition_checks(), &make);
    }

    /// An engine that uses the trait's default methods.
    struct Plain(Model);

    impl Engine for Plain {
        fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
            self.0.get(keyspace, key)
        }

        fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
            self.0.snapshot()
        }

        fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
            self.0.commit(batch, durability)
        }

        fn sync(&self) -> Result<()> {
            self.0.sync()
        }

        fn stats(&self) -> EngineStats {
            self.0.stats()
        }
    }

    #[test]
    fn the_defaults_of_the_trait_keep_the_contract() {
        let make = || TestEngine { engine: Arc::new(Plain(Model::new(2))), reopen: None };
        run(checks(), &make);
        run(partition_checks(), &make);
    }
}
