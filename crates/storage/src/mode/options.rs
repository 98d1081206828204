//! [`Options`]: the options of an engine in any mode.

use std::path::PathBuf;
use std::time::Duration;

use crate::lsm::{self, FsyncHook, LsmOptions};
use crate::{Error, Keyspace, Result};

/// Where documents live, and so what a crash loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// In memory, and nowhere else: a crash loses everything.
    MemoryOnly,
    /// In memory, and on disk a moment later: a crash loses at most the newest commits within
    /// [`Options::delay_max`] and [`Options::behind_bytes_max`].
    MemoryFirst,
    /// On disk, with hot documents in memory: a crash of the process loses nothing, a loss of
    /// power at most what was committed within [`Options::sync_interval`], and nothing that was
    /// committed with [`Durability::Disk`](crate::Durability::Disk).
    Hybrid,
    /// On disk: a crash loses nothing that was committed with
    /// [`Durability::Disk`](crate::Durability::Disk).
    Persistent,
}

/// The options of an engine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where documents live.
    pub mode: Mode,
    /// The data folder; needed by every mode but [`Mode::MemoryOnly`].
    pub path: Option<PathBuf>,
    /// The names of the keyspaces, in the order of their numbers, see
    /// [`LsmOptions::keyspaces`](crate::lsm::LsmOptions::keyspaces).
    pub keyspaces: Vec<String>,
    /// The keyspace whose values the cache holds in the disk modes.
    pub document_keyspace: Keyspace,
    /// Bytes of memory for caches and write buffers of the disk modes. What lives in memory in the
    /// memory modes is not bounded by it.
    pub memory_bytes: u64,
    /// `memory-first`: how long a commit may be in memory only.
    pub delay_max: Duration,
    /// `memory-first`: how many bytes of commits may be in memory only; then commits wait.
    pub behind_bytes_max: u64,
    /// `hybrid` and `persistent`: the interval of the background fsync, for commits that did not
    /// ask for one.
    pub sync_interval: Duration,
    /// Free bytes of the device below which writes are refused, see
    /// [`LsmOptions::disk_reserve_bytes`](crate::lsm::LsmOptions::disk_reserve_bytes).
    pub disk_reserve_bytes: Option<u64>,
    /// The hook before each fsync of the journal.
    pub fsync_hook: FsyncHook,
    /// How long opening waits for another process or handle to close the folder.
    pub wait: Duration,
    /// Whether the folder is only read, see
    /// [`LsmOptions::is_read_only`](crate::lsm::LsmOptions::is_read_only).
    pub is_read_only: bool,
}

/// The smallest [`Options::memory_bytes`]: below it the store's own tables take more than its
/// caches.
pub const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// The memory of a process that writes as fast as it can, whatever its budget: code, stacks, open
/// tables, and pending writes.
const AROUND_BYTES: u64 = 32 << 20;

impl Options {
    /// The defaults: no path, documents in keyspace 0, 256 MiB of memory.
    pub fn new(mode: Mode, keyspaces: &[&str]) -> Self {
        Options {
            mode,
            path: None,
            keyspaces: keyspaces.iter().map(|name| (*name).to_owned()).collect(),
            document_keyspace: Keyspace(0),
            memory_bytes: 256 << 20,
            delay_max: Duration::from_millis(100),
            behind_bytes_max: 16 << 20,
            sync_interval: Duration::from_millis(100),
            disk_reserve_bytes: None,
            fsync_hook: FsyncHook::default(),
            wait: Duration::ZERO,
            is_read_only: false,
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.keyspaces.is_empty() || self.keyspaces.len() > Keyspace::COUNT_MAX {
            return invalid(format!(
                "an engine has 1 to {} keyspaces, not {}",
                Keyspace::COUNT_MAX,
                self.keyspaces.len()
            ));
        }
        if usize::from(self.document_keyspace.0) >= self.keyspaces.len() {
            return invalid(format!(
                "the document keyspace is {}, and there are only {}",
                self.document_keyspace.0,
                self.keyspaces.len()
            ));
        }
        if self.mode == Mode::MemoryOnly {
            return Ok(());
        }
        if self.path.is_none() {
            return invalid("this storage mode needs a path".to_owned());
        }
        if self.memory_bytes < MEMORY_BYTES_MIN {
            return invalid(format!(
                "the memory budget is at least {MEMORY_BYTES_MIN} bytes, not {}",
                self.memory_bytes
            ));
        }
        for (name, duration) in [("delay", self.delay_max), ("sync interval", self.sync_interval)] {
            if duration.is_zero() || duration > Duration::from_secs(3600) {
                return invalid(format!(
                    "the {name} is above 0 and up to an hour, not {duration:?}"
                ));
            }
        }
        if self.behind_bytes_max == 0 {
            return invalid("at least one byte may be behind".to_owned());
        }
        Ok(())
    }

    /// The memory that cache and store share. The rest of the budget is for the allocator, open
    /// tables and compactions: a quarter and [`AROUND_BYTES`], or five eighths if that is less.
    fn shared_bytes(&self) -> u64 {
        let eighth = self.memory_bytes / 8;
        (6 * eighth).saturating_sub(AROUND_BYTES).max(3 * eighth)
    }

    /// Bytes of the document cache.
    pub(super) fn cache_bytes(&self) -> u64 {
        match self.mode {
            Mode::MemoryOnly | Mode::MemoryFirst => 0,
            Mode::Hybrid => self.shared_bytes() / 12 * 5,
            Mode::Persistent => self.shared_bytes() / 4,
        }
    }

    /// The options of the LSM engine of a mode that has one.
    pub(super) fn lsm(&self) -> LsmOptions {
        let memory_bytes = match self.mode {
            // It is read once, at the start, and then only written to.
            Mode::MemoryOnly | Mode::MemoryFirst => (self.memory_bytes / 4).min(64 << 20),
            Mode::Hybrid | Mode::Persistent => {
                lsm::MEMORY_BYTES_MIN.max(self.shared_bytes() - self.cache_bytes())
            }
        };
        LsmOptions {
            path: self.path.clone().unwrap_or_default(),
            keyspaces: self.keyspaces.clone(),
            memory_bytes,
            disk_reserve_bytes: self.disk_reserve_bytes,
            fsync_hook: self.fsync_hook.clone(),
            wait: self.wait,
            is_read_only: self.is_read_only,
        }
    }
}

fn invalid(what: String) -> Result<()> {
    Err(Error::Invalid { what })
}
