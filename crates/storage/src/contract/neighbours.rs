//! [`between_neighbours`]: an engine under test that is a partition, with others on both sides of it
//! whose keys must neither be seen nor changed.

use std::sync::{Arc, Mutex};

use super::suite::Pairs;
use super::{FIRST, SECOND, TestEngine, all, commit, snapshot};
use crate::{
    Batch, Blob, Bounds, Durability, Engine, EngineStats, Keyspace, Part, Partition, PartitionId,
    Partitions, Result, Snapshot, WithoutSnapshots,
};

/// A partition, and the neighbours that it is not to touch.
struct Between {
    partition: Arc<Partition>,
    neighbours: [Arc<Partition>; 2],
}

const ID: PartitionId = PartitionId(2);
const NEIGHBOURS: [PartitionId; 2] = [PartitionId(1), PartitionId(3)];

/// What each neighbour has: the keys that come right before and right behind those of others.
fn expected() -> Pairs {
    let keys = [&b""[..], b"\0", b"key", b"newest", b"\xFF", b"\xFF\xFF\xFF\xFF\xFF\xFF"];
    keys.map(|key| (key.to_vec(), b"of a neighbour".to_vec())).to_vec()
}

/// A partition of the engine under test, which is dropped with it.
pub fn between_neighbours(test: TestEngine) -> TestEngine {
    let TestEngine { engine, reopen } = test;
    let between = Between::create(&engine);
    let Some(reopen) = reopen else { return TestEngine { engine: between, reopen: None } };
    let whole = Mutex::new(Some(engine));
    let reopen = Box::new(move |between: Arc<dyn Engine>| {
        drop(between);
        let mut whole = whole.lock().expect("no holder of the lock panics");
        let engine = reopen(whole.take().expect("it was put back"));
        let between = Between::open(&engine);
        *whole = Some(engine);
        between
    });
    TestEngine { engine: between, reopen: Some(reopen) }
}

impl Between {
    fn create(engine: &Arc<dyn Engine>) -> Arc<dyn Engine> {
        let partitions = Partitions::open(Arc::clone(engine)).expect("partitions are opened");
        for id in [NEIGHBOURS[0], ID, NEIGHBOURS[1]] {
            let partition = partitions.create(id).expect("a partition is created");
            let mut batch = Batch::new();
            for (key, value) in expected().into_iter().filter(|_| id != ID) {
                batch.put(FIRST, &key, &value);
                batch.put(SECOND, &key, &value);
            }
            commit(&*partition, &batch);
        }
        Between::open(engine)
    }

    fn open(engine: &Arc<dyn Engine>) -> Arc<dyn Engine> {
        let partitions = Partitions::open(Arc::clone(engine)).expect("partitions are opened");
        let get = |id| partitions.get(id).expect("it was created");
        let between = Between { partition: get(ID), neighbours: NEIGHBOURS.map(get) };
        between.check();
        Arc::new(between)
    }

    fn check(&self) {
        for neighbour in &self.neighbours {
            let snapshot = snapshot(&**neighbour);
            for keyspace in [FIRST, SECOND] {
                assert_eq!(all(&*snapshot, keyspace), expected(), "{}", neighbour.id());
            }
        }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.check();
        }
    }
}

impl Engine for Between {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.partition.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.partition.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.partition.commit(batch, durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        self.partition.commit_all(parts, durability)
    }

    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        self.partition.remove_range(keyspace, bounds)
    }

    fn sync(&self) -> Result<()> {
        self.partition.sync()
    }

    fn check_writable(&self) -> Result<()> {
        self.partition.check_writable()
    }

    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        self.partition.reclaim(without_snapshots)
    }

    fn stats(&self) -> EngineStats {
        self.partition.stats()
    }
}
