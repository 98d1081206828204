//! [`Lsm`]: the engine contract on a [`Store`].
//!
//! It owns publication (readers see a batch only once it has its durability) and what happens
//! after a failure. One writer at a time; readers take no lock that a writer holds.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use fjall::AbstractTree;

use super::error;
use super::options::LsmOptions;
use super::snapshot::{Held, State};
use super::space::Space;
use super::store::Store;
use crate::{
    Batch, Blob, Durability, Engine, EngineStats, Error, Keyspace, KeyspaceStats, Result, Snapshot,
};

/// An engine that keeps its data on disk.
pub struct Lsm {
    /// What readers see. Replaced after each commit, once the batch has its durability.
    published: ArcSwap<State>,
    writer: Mutex<Writer>,
    snapshots_open: Arc<AtomicU64>,
    commits: AtomicU64,
    fsyncs: AtomicU64,
}

/// What a commit needs, and needs alone.
struct Writer {
    options: LsmOptions,
    store: Store,
    space: Space,
    /// The number of the newest batch.
    number: u64,
    /// Whether something was committed since the last fsync.
    is_dirty: bool,
    failure: Option<Error>,
}

impl Lsm {
    /// Opens the data folder, or creates it.
    pub fn open(options: LsmOptions) -> Result<Self> {
        options.validate()?;
        let path = options.path.clone();
        let store =
            Store::open(&path, &options).map_err(|error| store_error("opening", &path, &error))?;
        let number = store.record()?.map_or(0, |record| record.number);
        let space = Space::new(path, options.reserve_bytes());
        Ok(Lsm {
            published: ArcSwap::from_pointee(store.state()),
            writer: Mutex::new(Writer {
                options,
                store,
                space,
                number,
                is_dirty: false,
                failure: None,
            }),
            snapshots_open: Arc::default(),
            commits: AtomicU64::new(0),
            fsyncs: AtomicU64::new(0),
        })
    }

    /// Does what [`sync`](Engine::sync) does, unless nothing was committed since the last fsync.
    pub(crate) fn sync_if_needed(&self) -> Result<()> {
        if self.writer().is_dirty {
            self.sync()?;
        }
        Ok(())
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn usable(&mut self) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(failure) => Err(failure.clone()),
        }
    }

    fn append(&mut self, batch: &Batch) -> Result<()> {
        let bytes = batch.byte_length() as u64;
        self.space.check(bytes)?;
        let path = &self.options.path;
        self.store.make_room(bytes).map_err(|error| store_error("writing to", path, &error))?;
        let encoded = self.store.encode(batch, self.number + 1)?;
        self.store.append(encoded).map_err(|error| store_error("writing to", path, &error))?;
        self.number += 1;
        self.is_dirty = true;
        Ok(())
    }

    /// Fsyncs. What a failed fsync leaves on the device is not known, nor is it after another one,
    /// so that the first failure is the last word.
    fn persist(&mut self) -> Result<()> {
        self.store.persist().map_err(|error| {
            let failure = Error::Poisoned { reason: format!("fsync failed: {error:?}") };
            self.failure = Some(failure.clone());
            failure
        })?;
        self.is_dirty = false;
        Ok(())
    }
}

fn store_error(action: &'static str, path: &Path, error: &fjall::Error) -> Error {
    error::store(action, path, || path.display().to_string(), error)
}

impl Engine for Lsm {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.published.load().get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let open = Arc::clone(&self.snapshots_open);
        Ok(Arc::new(Held::new(self.published.load_full(), open)))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        let mut writer = self.writer();
        writer.usable()?;
        if !batch.is_empty() {
            writer.append(batch)?;
        }
        if durability == Durability::Disk {
            writer.persist()?;
            self.fsyncs.fetch_add(1, Ordering::Relaxed);
        }
        self.published.store(Arc::new(writer.store.state()));
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut writer = self.writer();
        writer.usable()?;
        writer.persist()?;
        self.fsyncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn stats(&self) -> EngineStats {
        let published = self.published.load();
        let keyspaces = published.trees().iter().map(|tree| KeyspaceStats {
            keys: tree.approximate_len() as u64,
            memory_bytes: tree.active_memtable().size(),
            disk_bytes: tree.disk_space(),
        });
        EngineStats {
            keyspaces: keyspaces.collect(),
            keys_exact: false,
            commits: self.commits.load(Ordering::Relaxed),
            fsyncs: self.fsyncs.load(Ordering::Relaxed),
            snapshots_open: self.snapshots_open.load(Ordering::Relaxed),
            ..EngineStats::default()
        }
    }
}
