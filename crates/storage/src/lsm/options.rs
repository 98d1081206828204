//! [`LsmOptions`]: what an LSM engine is opened with, and how its memory is divided.

use std::path::PathBuf;

use super::fsync::FsyncHook;
use crate::{Error, Keyspace, Result};

/// What an [`Lsm`](super::Lsm) is opened with.
#[derive(Debug, Clone)]
pub struct LsmOptions {
    /// The data folder. It is created where it is missing.
    pub path: PathBuf,
    /// The names of the keyspaces, in the order of their numbers. A folder keeps the list that it
    /// was created with; later lists may only append to it.
    pub keyspaces: Vec<String>,
    /// Bytes of memory for blocks and write buffers together.
    pub memory_bytes: u64,
    /// Writes are refused while the device has less than this many bytes free, and those that give
    /// space back while it has less than half of them. `None` goes by what the store has to put in
    /// order: as much as is on disk and twice what is in the write buffers or on its way there, beside
    /// 4 MiB, but never more than a full journal and two rounds of write buffers.
    pub disk_reserve_bytes: Option<u64>,
    /// What is called before each fsync of the journal.
    pub fsync_hook: FsyncHook,
}

/// The smallest [`LsmOptions::memory_bytes`].
pub const MEMORY_BYTES_MIN: u64 = 4 << 20;

/// What one journal file occupies before the store starts another.
const JOURNAL_BYTES: u64 = 64 << 20;

/// What a store needs that has nothing yet: the files of empty trees, and a journal to begin with.
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

    /// Memtables, sealed ones included. The bytes are those of keys and values; the skip lists
    /// around them take about as much again for small values, and a flush its own.
    pub(super) fn write_buffer_bytes(&self) -> u64 {
        self.memory_bytes / 5
    }

    /// The most free bytes that the store needs for its work: a journal, and flushes.
    pub(super) fn working_bytes(&self) -> u64 {
        JOURNAL_BYTES + 2 * self.write_buffer_bytes()
    }

    /// The free bytes that it needs with so much in the write buffers and so much on disk: to flush
    /// the ones, and to merge the other.
    pub(super) fn needed_bytes(&self, buffered: u64, on_disk: u64) -> u64 {
        (SPARE_BYTES + 2 * buffered + on_disk).min(self.working_bytes())
    }
}

fn invalid(what: String) -> Result<()> {
    Err(Error::Invalid { what })
}
