//! Statistics of a database, its health, and the hash of its state.

use std::ops::ControlFlow;

use velocitydb_storage::{Bounds, Direction, EngineStats, Keyspace, Mode, StateHasher};

use crate::keys::KEYSPACE_NAMES;
use crate::state::catalog;
use crate::{CollectionStats, Database, Result, Snapshot};

/// What a database contains, and what it has done since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The storage mode.
    pub mode: Mode,
    /// The position of the last command that changed anything, in the order of all commands.
    pub index: u64,
    /// All collections, in the order of their names.
    pub collections: Vec<CollectionStats>,
    /// Expired documents that could not be removed and expired leases that could not be ended, because of
    /// the stored data. Each is tried again every minute; `velocitydb doctor` says which they are, and why.
    pub postponed: u64,
    /// What else failed in the last maintenance, as sentences.
    pub maintenance_problems: Vec<String>,
    /// Writes that wait to be applied.
    pub waiting: usize,
    /// Statistics of the storage engine.
    pub engine: EngineStats,
}

impl Stats {
    /// The number of documents in all collections.
    pub fn document_count(&self) -> u64 {
        self.collections.iter().map(|collection| collection.count).sum()
    }

    /// The share of reads of single documents that the cache answered, from 0 to 1; `None` before the first
    /// read, and if there is no cache.
    pub fn cache_hit_ratio(&self) -> Option<f64> {
        let reads = self.engine.cache_hits + self.engine.cache_misses;
        (reads > 0).then(|| self.engine.cache_hits as f64 / reads as f64)
    }
}

/// Whether a database works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether its state can be read.
    pub is_readable: bool,
    /// Whether writes can be made as durable as the mode promises.
    pub is_writable: bool,
    /// What is wrong, as sentences.
    pub problems: Vec<String>,
}

impl Database {
    /// The statistics of the database.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn stats(&self) -> Result<Stats> {
        let snapshot = self.snapshot()?;
        Ok(Stats {
            mode: self.mode(),
            index: snapshot.index()?,
            collections: snapshot.collections()?,
            postponed: catalog::load_system(snapshot.state())?.postponed,
            maintenance_problems: self.core().maintenance_problems(),
            waiting: self.waiting(),
            engine: self.engine().stats(),
        })
    }

    /// Checks whether the database works: reads its catalog, checks for free space on the device, and makes
    /// earlier writes durable.
    pub fn health(&self) -> Health {
        let read = self.snapshot().and_then(|snapshot| {
            let system = catalog::load_system(snapshot.state())?;
            Ok((system.postponed, self.core().maintenance_problems()))
        });
        let written = self.core().check_running().and_then(|()| {
            self.engine().check_writable()?;
            self.sync()
        });
        let errors = [read.as_ref().err(), written.as_ref().err()];
        let mut problems: Vec<_> = errors.into_iter().flatten().map(ToString::to_string).collect();
        if let Ok((postponed, maintenance_problems)) = &read {
            if *postponed > 0 {
                problems.push(format!(
                    "{postponed} expired documents and leases could not be removed or ended, and are \
                     tried again every minute; run `velocitydb doctor` on the data folder to see \
                     which"
                ));
            }
            problems.extend(maintenance_problems.iter().cloned());
        }
        Health { is_readable: read.is_ok(), is_writable: written.is_ok(), problems }
    }
}

impl Snapshot {
    /// A hash of the whole state, including everything that belongs to documents. Two databases that have
    /// applied the same commands have the same hash, whatever their modes. Reads everything.
    ///
    /// # Errors
    ///
    /// When storage fails.
    pub fn state_hash(&self) -> Result<u128> {
        let mut hasher = StateHasher::new(KEYSPACE_NAMES.len());
        for keyspace in (0..KEYSPACE_NAMES.len() as u8).map(Keyspace) {
            self.state().scan(keyspace, Bounds::ALL, Direction::Forward, &mut |key, value| {
                hasher.add(keyspace, key, value);
                ControlFlow::Continue(())
            })?;
        }
        Ok(hasher.finish())
    }
}
