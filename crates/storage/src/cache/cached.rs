//! [`Cached`]: an engine with a cache in front of the point reads of one keyspace.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::coherent::{Coherent, Lock, Map, See, Stripe};
use super::counter::Counter;
use crate::batch::Write;
use crate::hash::hash;
use crate::{
    Batch, Blob, Bounds, Durability, Engine, EngineStats, Keyspace, Part, Result, Snapshot,
    WithoutSnapshots, parts,
};

/// Which calls fill the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Documents that are read.
    Reads,
    /// Documents that are read or written.
    ReadsAndWrites,
}

/// An engine whose newest values of one keyspace are read from memory where possible.
pub(crate) struct Cached<E> {
    engine: Arc<E>,
    keyspace: Keyspace,
    fill: Fill,
    coherent: Coherent<Documents, Mutex<Stripe>>,
    /// The protocol requires one writer at a time.
    writer: Mutex<()>,
    hits: Counter,
    misses: Counter,
}

/// Enough that a batch of a thousand writes leaves most stripes to the readers.
const STRIPES: usize = 4096;

impl<E: Engine> Cached<E> {
    /// A cache of up to `bytes` in front of `keyspace`.
    pub(crate) fn new(engine: Arc<E>, keyspace: Keyspace, fill: Fill, bytes: u64) -> Self {
        Cached {
            engine,
            keyspace,
            fill,
            coherent: Coherent::new(Documents::new(bytes), STRIPES),
            writer: Mutex::default(),
            hits: Counter::default(),
            misses: Counter::default(),
        }
    }

    fn load(&self, key: &[u8]) -> Result<Option<Blob>> {
        self.misses.increment();
        let load = || self.engine.get(self.keyspace, key);
        // A copy, since the engine's value keeps its whole block in memory.
        let keep = |value: &Blob| Blob::copy_of(value);
        self.coherent.load(key, hash(self.keyspace, key), load, keep)
    }

    /// Passes the documents that `parts` write to `see`, with the hash of each, and with its value
    /// if the cache is to hold that.
    fn documents<'w>(&self, parts: &'w [Part<'w>], see: &mut See<'_, &'w [u8]>) {
        let mut composed = Vec::new();
        for Part { prefix, batch } in parts {
            let is_document = |write: &Write<'_>| write.keyspace == self.keyspace;
            let writes = batch.writes().filter(|write| !write.is_overwritten);
            for write in writes.filter(is_document) {
                let value = match self.fill {
                    Fill::Reads => None,
                    Fill::ReadsAndWrites => write.value,
                };
                if prefix.is_empty() {
                    see(write.key, write.hash, value);
                    continue;
                }
                composed.clear();
                composed.extend_from_slice(prefix);
                composed.extend_from_slice(write.key);
                see(&composed, hash(self.keyspace, &composed), value);
            }
        }
    }
}

impl<E: Engine> Engine for Cached<E> {
    #[inline]
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        if keyspace != self.keyspace {
            return self.engine.get(keyspace, key);
        }
        match self.coherent.map().get(key) {
            Some(value) => {
                self.hits.increment();
                Ok(Some(value))
            }
            None => self.load(key),
        }
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.engine.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.commit_all(&[Part::from(batch)], durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        let _one = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        parts::apart(parts, |parts| {
            let commit = || self.engine.commit_all(parts, durability);
            self.coherent.write(|see| self.documents(parts, see), commit, Blob::copy_of)
        })
    }

    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        let result = self.engine.remove_range(keyspace, bounds);
        // Also after an error, since some keys were removed before it.
        if keyspace == self.keyspace {
            let is_within =
                |key: &[u8]| key >= bounds.start && bounds.end.is_none_or(|end| key < end);
            self.coherent.forget(&is_within);
        }
        result
    }

    fn sync(&self) -> Result<()> {
        self.engine.sync()
    }

    fn close(&self) -> Result<()> {
        self.engine.close()
    }

    fn check_writable(&self) -> Result<()> {
        self.engine.check_writable()
    }

    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        self.engine.reclaim(without_snapshots)
    }

    fn stats(&self) -> EngineStats {
        EngineStats {
            cache_hits: self.hits.get(),
            cache_misses: self.misses.get(),
            cache_bytes: self.coherent.map().0.weight(),
            ..self.engine.stats()
        }
    }
}

impl Lock for Mutex<Stripe> {
    fn with<R>(&self, f: impl FnOnce(&mut Stripe) -> R) -> R {
        f(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The documents that the cache holds, bounded by bytes.
struct Documents(Cache<Box<[u8]>, Blob, Weight, rapidhash::fast::RandomState>);

/// The overhead of an entry beside its key and value: two allocations, an entry of the map, and a
/// position in the order of eviction.
const ENTRY_BYTES: u64 = 144;

#[derive(Clone)]
struct Weight;

impl Weighter<Box<[u8]>, Blob> for Weight {
    fn weight(&self, key: &Box<[u8]>, value: &Blob) -> u64 {
        (key.len() + value.len()) as u64 + ENTRY_BYTES
    }
}

/// The size of document that the cache's tables are laid out for; it holds any.
const DOCUMENT_BYTES_EXPECTED: u64 = 512;

impl Documents {
    fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / (DOCUMENT_BYTES_EXPECTED + ENTRY_BYTES));
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items.unwrap_or(usize::MAX).max(1))
            .weight_capacity(bytes)
            .build()
            .expect("both capacities are given");
        Documents(Cache::with_options(
            options,
            Weight,
            rapidhash::fast::RandomState::new(),
            DefaultLifecycle::default(),
        ))
    }
}

impl Map for Documents {
    type Value = Blob;

    #[inline]
    fn get(&self, key: &[u8]) -> Option<Blob> {
        self.0.get(key)
    }

    fn insert(&self, key: &[u8], value: Blob) {
        self.0.insert(Box::from(key), value);
    }

    fn remove(&self, key: &[u8]) {
        self.0.remove(key);
    }

    fn remove_all(&self, is_removed: &dyn Fn(&[u8]) -> bool) {
        self.0.retain(|key, _| !is_removed(key));
    }
}
