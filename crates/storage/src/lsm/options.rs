//! [`LsmOptions`]: the options of an LSM engine, and how its memory is divided.

use std::path::PathBuf;
use std::time::Duration;

use super::fsync::FsyncHook;
use crate::{Error, Keyspace, Result};

/// The options of an [`Lsm`](super::Lsm).
#[derive(Debug, Clone)]
pub struct LsmOptions {
    /// The data folder. It is created if it is missing.
    pub path: PathBuf,
    /// The names of the keyspaces, in the order of their numbers. A folder keeps the list that it
    /// was created with; later lists may only append to it.
    pub keyspaces: Vec<String>,
    /// Bytes of memory for blocks and write buffers together.
    pub memory_bytes: u64,
    /// Writes are refused while the device has less than this many bytes free, and those that free
    /// space while it has less than half of them. `None` is what the store needs for flushing and
    /// compacting: as much as is on disk and twice what is in the write buffers or pending, plus 4
    /// MiB, but never more than a full journal and two rounds of write buffers.
    pub disk_reserve_bytes: Option<u64>,
    /// The hook before each fsync of the journal.
    pub fsync_hook: FsyncHook,
    /// How long opening waits for another process or handle to close the folder.
    pub wait: Duration,
    /// Whether the folder is only read: nothing is written to it, others can read it meanwhile, and commits
    /// are refused.
    pub is_read_only: bool,
}

/// The smallest [`LsmOptions::memory_bytes`].
pub const MEMORY_BYTES_MIN: u64 = 4 << 20;

/// The size of a journal file at which the store starts another.
const JOURNAL_BYTES: u64 = 64 << 20;

/// What an empty store needs: the files of empty trees, and a first journal.
const SPARE_BYTES: u64 = 4 << 20;

impl LsmOptions {
    /// Options with the smallest memory and the default reserve.
    pub fn new(path: impl Into<PathBuf>, keyspaces: &[&str]) -> Self {
        LsmOptions {
            path: path.into(),
            keyspaces: keyspaces.iter().map(|name| (*name).to_owned()).collect(),
            memory_bytes: 32 << 20,
            disk_reserve_bytes: None,
            fsync_hook: FsyncHook::default(),
            wait: Duration::ZERO,
            is_read_only: false,
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let names = &self.keyspaces;
        if names.is_empty() || names.len() > Keyspace::COUNT_MAX {
            return invalid(format!(
                "an engine has 1 to {} keyspaces, not {}",
                Keyspace::COUNT_MAX,
                names.len()
            ));
        }
        for (number, name) in names.iter().enumerate() {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            if name.is_empty() || name.len() > 64 || !name.bytes().all(is_plain) {
                return invalid(format!(
                    "a keyspace name has 1 to 64 ASCII letters, digits, _ or -, unlike {name:?}"
                ));
            }
            if names[..number].contains(name) {
                return invalid(format!("the keyspace name {name:?} is given twice"));
            }
        }
        if self.memory_bytes < MEMORY_BYTES_MIN {
            return invalid(format!(
                "the LSM engine needs at least {MEMORY_BYTES_MIN} bytes of memory, not {}",
                self.memory_bytes
            ));
        }
        Ok(())
    }

    pub(super) fn block_cache_bytes(&self) -> u64 {
        self.memory_bytes / 8 * 3
    }

    /// Memtables, sealed ones included. The bytes are those of keys and values; the skip lists take
    /// about as much again for small values, and a flush needs more.
    pub(super) fn write_buffer_bytes(&self) -> u64 {
        self.memory_bytes / 5
    }

    /// The most free bytes that the store needs for its work: a journal, and flushes.
    pub(super) fn working_bytes(&self) -> u64 {
        JOURNAL_BYTES + 2 * self.write_buffer_bytes()
    }

    /// The free bytes that it needs with `buffered` bytes in the write buffers and `on_disk` bytes
    /// in tables: to flush and to compact them.
    pub(super) fn needed_bytes(&self, buffered: u64, on_disk: u64) -> u64 {
        (SPARE_BYTES + 2 * buffered + on_disk).min(self.working_bytes())
    }
}

fn invalid(what: String) -> Result<()> {
    Err(Error::Invalid { what })
}
