//! The suite is tested with engines that have a planted fault each: it must find every one.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use super::{Model, TestEngine, checks, run};
use crate::{
    Batch, Blob, Bounds, Direction, Durability, Engine, EngineStats, Keyspace, Part, Result,
    Snapshot, Visit, parts, range,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    BatchInTwoHalves,
    BatchBackwards,
    DeleteOfEmptyValue,
    ScanIncludesItsEnd,
    ScanSkipsAKeyPerThousand,
    ScanIgnoresBreak,
    SnapshotFollows,
    KeyspacesMixed,
    PartsInSeveralCommits,
    PartsBackwards,
    PrefixLost,
    FirstPartAlone,
    RemovalIncludesItsEnd,
    RemovalLeavesTheLast,
    RemovalOfOneStep,
    RemovalInEveryKeyspace,
}

struct Faulty {
    model: Arc<Model>,
    fault: Fault,
}

struct FaultySnapshot {
    /// The engine, where the planted fault is to read its newest state.
    followed: Option<Arc<Model>>,
    snapshot: Arc<dyn Snapshot>,
    fault: Fault,
}

impl Engine for Faulty {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.model.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let follows = self.fault == Fault::SnapshotFollows;
        Ok(Arc::new(FaultySnapshot {
            followed: follows.then(|| Arc::clone(&self.model)),
            snapshot: self.model.snapshot()?,
            fault: self.fault,
        }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        let mut writes: Vec<_> = batch.writes().collect();
        let parts = match self.fault {
            Fault::BatchInTwoHalves => writes.len().div_ceil(2).max(1),
            _ => writes.len().max(1),
        };
        if self.fault == Fault::BatchBackwards {
            writes.reverse();
        }
        for part in writes.chunks(parts) {
            let mut changed = Batch::new();
            for write in part {
                let keyspace = match self.fault {
                    Fault::KeyspacesMixed => Keyspace(0),
                    _ => write.keyspace,
                };
                let lost = self.fault == Fault::DeleteOfEmptyValue;
                match write.value.filter(|value| !(lost && value.is_empty())) {
                    Some(value) => changed.put(keyspace, write.key, value),
                    None => changed.delete(keyspace, write.key),
                }
            }
            self.model.commit(&changed, durability)?;
            thread::yield_now();
        }
        Ok(())
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        let mut parts = parts.to_vec();
        match self.fault {
            Fault::PartsBackwards => parts.reverse(),
            Fault::FirstPartAlone => parts.truncate(1),
            Fault::PrefixLost => parts.iter_mut().for_each(|part| part.prefix = &[]),
            Fault::PartsInSeveralCommits => {
                let commits = parts.iter().map(|part| {
                    thread::yield_now();
                    self.model.commit_all(&[*part], durability)
                });
                return commits.collect();
            }
            _ => {}
        }
        self.commit(&parts::join(&parts), durability)
    }

    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        let longer = bounds.end.map(|end| [end, b"\0"].concat());
        let longer = Bounds { start: bounds.start, end: longer.as_deref() };
        match self.fault {
            Fault::RemovalIncludesItsEnd => self.model.remove_range(keyspace, longer),
            Fault::RemovalOfOneStep => range::remove(&*self.model, keyspace, bounds, 1).map(|_| ()),
            Fault::RemovalInEveryKeyspace => {
                self.model.remove_range(Keyspace(0), bounds)?;
                self.model.remove_range(Keyspace(1), bounds)
            }
            Fault::RemovalLeavesTheLast => {
                let mut last = None;
                let mut visit = |key: &[u8], _: &[u8]| {
                    last = Some(key.to_vec());
                    ControlFlow::Break(())
                };
                let snapshot = self.model.snapshot()?;
                snapshot.scan(keyspace, bounds, Direction::Backward, &mut visit)?;
                let Some(last) = last else { return Ok(()) };
                self.model.remove_range(keyspace, Bounds { end: Some(&last), ..bounds })
            }
            _ => self.model.remove_range(keyspace, bounds),
        }
    }

    fn sync(&self) -> Result<()> {
        self.model.sync()
    }

    fn stats(&self) -> EngineStats {
        self.model.stats()
    }
}

impl Snapshot for FaultySnapshot {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        match &self.followed {
            Some(model) => model.get(keyspace, key),
            None => self.snapshot.get(keyspace, key),
        }
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let longer = bounds.end.map(|end| [end, b"\0"].concat());
        let bounds = match self.fault {
            Fault::ScanIncludesItsEnd => Bounds { start: bounds.start, end: longer.as_deref() },
            _ => bounds,
        };
        let visits = RefCell::new(0);
        let mut visit = |key: &[u8], value: &[u8]| {
            *visits.borrow_mut() += 1;
            let skip = *visits.borrow() % 1_000 == 0;
            match self.fault {
                Fault::ScanSkipsAKeyPerThousand if skip => ControlFlow::Continue(()),
                Fault::ScanIgnoresBreak => {
                    let _ = visit(key, value);
                    ControlFlow::Continue(())
                }
                _ => visit(key, value),
            }
        };
        self.snapshot.scan(keyspace, bounds, direction, &mut visit)
    }
}

#[test]
fn every_planted_fault_is_found() {
    for fault in [
        Fault::BatchInTwoHalves,
        Fault::BatchBackwards,
        Fault::DeleteOfEmptyValue,
        Fault::ScanIncludesItsEnd,
        Fault::ScanSkipsAKeyPerThousand,
        Fault::ScanIgnoresBreak,
        Fault::SnapshotFollows,
        Fault::KeyspacesMixed,
        Fault::PartsInSeveralCommits,
        Fault::PartsBackwards,
        Fault::PrefixLost,
        Fault::FirstPartAlone,
        Fault::RemovalIncludesItsEnd,
        Fault::RemovalLeavesTheLast,
        Fault::RemovalOfOneStep,
        Fault::RemovalInEveryKeyspace,
    ] {
        let make = || TestEngine {
            engine: Arc::new(Faulty { model: Arc::new(Model::new(2)), fault }),
            reopen: None,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| run(checks(), &make)));
        assert!(outcome.is_err(), "the suite missed {fault:?}");
    }
}
