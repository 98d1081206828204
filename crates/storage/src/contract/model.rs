//! [`Model`]: the simplest engine that fulfils the contract, to compare the others with.
//!
//! One `BTreeMap` a keyspace, copied as a whole when a commit meets an open snapshot. Correct
//! by inspection, and slow.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::{
    Batch, Blob, Bounds, Direction, Durability, Engine, EngineStats, Keyspace, KeyspaceStats, Part,
    Result, Snapshot, Visit,
};

/// An engine that is one locked state.
pub struct Model {
    state: Mutex<Arc<State>>,
    /// A handle for the engine and one for each open snapshot.
    handles: Arc<()>,
}

#[derive(Clone)]
struct State {
    keyspaces: Vec<BTreeMap<Box<[u8]>, Blob>>,
    commits: u64,
}

struct ModelSnapshot {
    state: Arc<State>,
    _handle: Arc<()>,
}

impl Model {
    /// An empty engine with `keyspaces` keyspaces.
    pub fn new(keyspaces: usize) -> Self {
        let state = State { keyspaces: vec![BTreeMap::new(); keyspaces], commits: 0 };
        Model { state: Mutex::new(Arc::new(state)), handles: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, Arc<State>> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

impl Engine for Model {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        Ok(self.state().map(keyspace).get(key).cloned())
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        Ok(Arc::new(ModelSnapshot {
            state: Arc::clone(&self.state()),
            _handle: Arc::clone(&self.handles),
        }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.commit_all(&[Part::from(batch)], durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], _durability: Durability) -> Result<()> {
        let mut state = self.state();
        let state = Arc::make_mut(&mut state);
        for Part { prefix, batch } in parts {
            for write in batch.writes() {
                let map = &mut state.keyspaces[usize::from(write.keyspace.0)];
                let key = [prefix, write.key].concat();
                match write.value {
                    Some(value) => map.insert(key.into(), Blob::copy_of(value)),
                    None => map.remove(&key[..]),
                };
            }
        }
        state.commits += 1;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> EngineStats {
        let state = self.state();
        let keyspaces = state.keyspaces.iter().map(|map| KeyspaceStats {
            keys: map.len() as u64,
            memory_bytes: map.iter().map(|(k, v)| (k.len() + v.len()) as u64).sum(),
            disk_bytes: 0,
        });
        EngineStats {
            keyspaces: keyspaces.collect(),
            keys_exact: true,
            commits: state.commits,
            snapshots_open: Arc::strong_count(&self.handles) as u64 - 1,
            ..EngineStats::default()
        }
    }
}

impl State {
    fn map(&self, keyspace: Keyspace) -> &BTreeMap<Box<[u8]>, Blob> {
        &self.keyspaces[usize::from(keyspace.0)]
    }
}

impl Snapshot for ModelSnapshot {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        Ok(self.state.map(keyspace).get(key).cloned())
    }

    fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        if bounds.end.is_some_and(|end| end <= bounds.start) {
            return Ok(());
        }
        let end = bounds.end.map_or(Bound::Unbounded, Bound::Excluded);
        let map = self.state.map(keyspace);
        let range = map.range::<[u8], _>((Bound::Included(bounds.start), end));
        let _: ControlFlow<()> = match direction {
            Direction::Forward => range.into_iter().try_for_each(|(k, v)| visit(k, v)),
            Direction::Backward => range.into_iter().rev().try_for_each(|(k, v)| visit(k, v)),
        };
        Ok(())
    }
}
