//! What a database holds and how it is: statistics, health, and the hash of its state.

use std::ops::ControlFlow;

use velocitydb_storage::{Bounds, Direction, EngineStats, Keyspace, Mode, StateHasher};

use crate::keys::KEYSPACE_NAMES;
use crate::state::catalog;
use crate::{CollectionStats, Database, Result, Snapshot};

/// What a database holds and has done since it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The storage mode.
    pub mode: Mode,
    /// The place of the last command that changed anything.
    pub index: u64,
    /// Every collection, by name.
    pub collections: Vec<CollectionStats>,
    /// Documents that could not be expired and leases that could not be ended when they were due,
    /// because of what is stored there. Each is tried again every minute; `velocitydb doctor` says
    /// which they are, and why.
    pub postponed: u64,
    /// What else maintenance could not do the last time that it tried, in words.
    pub maintenance_problems: Vec<String>,
    /// Writes that wait for their turn behind others.
    pub waiting: usize,
    /// What storage says.
    pub engine: EngineStats,
}

impl Stats {
    /// Documents in all collections.
    pub fn document_count(&self) -> u64 {
        self.collections.iter().map(|collection| collection.count).sum()
    }

    /// The share of reads of single documents that the cache answered, from 0 to 1; `None` before
    /// the first one, and where there is no cache.
    pub fn cache_hit_ratio(&self) -> Option<f64> {
        let reads = self.engine.cache_hits + self.engine.cache_misses;
        (reads > 0).then(|| self.engine.cache_hits as f64 / reads as f64)
    }
}

/// Whether a database can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether its state can be read.
    pub is_readable: bool,
    /// Whether what is written can be made as durable as the mode promises.
    pub is_writable: bool,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

impl Database {
    /// What the database holds and has done.
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

    /// Tries out whether the database can do its work: reads its catalog, looks for room on the
    /// device, and makes what was written durable.
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
                    "{postponed} expiries of documents or ends of leases could not be done, and are \
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
    /// A hash of the whole state, all that hangs on documents included. Two databases that have
    /// applied the same commands have the same one, whatever their modes. Reads everything.
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
