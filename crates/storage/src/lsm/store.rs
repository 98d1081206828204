//! [`Store`]: one opened `fjall` database, with our commit numbers and our own backpressure.
//!
//! It knows nothing of publication, locks or recovery from failures; those are the engine's.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fjall::compaction::Leveled;
use fjall::config::PartitioningPolicy;
use fjall::{AbstractTree, CompressionType, KeyspaceCreateOptions, PersistMode};

use super::error;
use super::folder::Folder;
use super::journal::Journals;
use super::options::LsmOptions;
use super::reclaim::{self, Busy, Reclaiming};
use super::snapshot::{State, Trees, empty_key};
use crate::{Error, Keyspace, Part, Result, parts};

/// The keyspace of our own, created first and therefore number 1 of the store.
const RECORD_KEYSPACE: &str = "velocitydb";
pub(super) const RECORD_KEYSPACE_ID: u64 = 1;
/// Its key that every batch overwrites with a [`Record`].
pub(super) const RECORD_KEY: &[u8] = b"commit";

/// Sealed memtables and level 0 runs at which writes wait. The store waits at more, but without
/// noticing that its workers stopped.
const SEALED_MAX: usize = 3;
const RUNS_MAX: usize = 24;
const WAIT: Duration = Duration::from_millis(1);

/// Tables that are kept open: well below the 1024 files that a process may commonly have.
const OPEN_FILES_MAX: usize = 256;

/// The longest key of the store.
const KEY_LENGTH_MAX: usize = u16::MAX as usize;

/// The size of the tables that a compaction writes: a smaller one means shorter compactions, for
/// which flushes may have to wait, and more files.
const TABLE_BYTES: u64 = 16 << 20;

/// The options of a new tree; they stay when it is opened again.
fn tree_options() -> KeyspaceCreateOptions {
    // The filter and the index of a table are read in blocks of some kilobytes, except at level 0,
    // where they stay in memory. As a whole they have half a megabyte: with a small cache, every
    // look-up of a missing key read one.
    let parted = || PartitioningPolicy::new([false, true]);
    KeyspaceCreateOptions::default()
        // We seal the memtables, by one bound for all of them that can change from one opening to
        // the next, unlike the store's own bound per keyspace.
        .max_memtable_size(u64::MAX)
        .filter_block_partitioning_policy(parted())
        .index_block_partitioning_policy(parted())
        .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(TABLE_BYTES)))
}

/// What each batch has beside its writes, so that a lost or modified batch is detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// 1 for the first batch of a folder, and one more for each.
    pub(super) number: u64,
    /// A lower bound of the batch's sequence number, above that of the batch before.
    pub(super) sequence_min: u64,
}

impl Record {
    /// Bytes of a record.
    pub(super) const LENGTH: usize = 16;

    pub(super) fn encode(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sequence_min.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, sequence_min) = bytes.split_first_chunk::<8>()?;
        Some(Record {
            number: u64::from_le_bytes(*number),
            sequence_min: u64::from_le_bytes(sequence_min.try_into().ok()?),
        })
    }
}

/// An opened store.
pub(super) struct Store {
    database: fjall::Database,
    keyspaces: Vec<fjall::Keyspace>,
    record: fjall::Keyspace,
    trees: Arc<Trees>,
    write_buffer_bytes: u64,
    /// Bytes written since the write buffers were last checked.
    unchecked_bytes: u64,
}

impl Store {
    /// Opens the store in `folder`, or creates it.
    pub(super) fn open(folder: &Arc<Folder>, options: &LsmOptions) -> fjall::Result<Self> {
        let database = fjall::Database::builder(folder.store())
            .cache_size(options.block_cache_bytes())
            .journal_compression(CompressionType::None)
            .max_journaling_size(64 << 20)
            .manual_journal_persist(true)
            .worker_threads(2)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .open()?;
        let record = database.keyspace(RECORD_KEYSPACE, tree_options)?;
        let keyspaces = options
            .keyspaces
            .iter()
            .map(|name| database.keyspace(name, tree_options))
            .collect::<fjall::Result<Vec<_>>>()?;
        let trees = Trees {
            folder: Arc::clone(folder),
            names: options.keyspaces.clone(),
            record: record.tree.clone(),
            trees: keyspaces.iter().map(|keyspace| keyspace.tree.clone()).collect(),
        };
        Ok(Store {
            database,
            keyspaces,
            record,
            trees: Arc::new(trees),
            write_buffer_bytes: options.write_buffer_bytes(),
            unchecked_bytes: u64::MAX / 2,
        })
    }

    /// The state with all batches so far.
    pub(super) fn state(&self) -> State {
        State::new(Arc::clone(&self.trees), self.database.snapshot())
    }

    /// Compares what the store has read with the journals; returns the number of the newest batch.
    pub(super) fn verify(&self, journals: &Journals) -> Result<u64> {
        let newest = self.record_at(fjall::SeqNo::MAX)?.map_or(0, |record| record.number);
        if journals.last.is_some_and(|last| last != newest) {
            return Err(self
                .corrupt(format!("batch {newest} is the newest, and the journals end otherwise")));
        }
        // Batches that are in no journal must be in the tables.
        let flushed = self.record.tree.get_highest_persisted_seqno();
        let flushed = match flushed {
            Some(sequence) => self.record_at(sequence + 1)?.map_or(0, |record| record.number),
            None => 0,
        };
        match journals.first {
            Some(first) if first > flushed + 1 => Err(self.corrupt(format!(
                "batches {} to {} are missing: the tables end before and the journals begin after",
                flushed + 1,
                first - 1
            ))),
            _ => Ok(newest),
        }
    }

    fn corrupt(&self, what: String) -> Error {
        Error::Corrupt { place: self.trees.folder.path().display().to_string(), what }
    }

    fn record_at(&self, sequence: fjall::SeqNo) -> Result<Option<Record>> {
        let place = || format!("keyspace {RECORD_KEYSPACE}");
        let bytes = self.record.tree.get(RECORD_KEY, sequence).map_err(|error| {
            error::store("reading", self.trees.folder.path(), place, &error.into())
        })?;
        let Some(bytes) = bytes else { return Ok(None) };
        let record = Record::decode(&bytes).ok_or_else(|| Error::Corrupt {
            place: place(),
            what: format!("the commit record has {} bytes", bytes.len()),
        })?;
        Ok(Some(record))
    }

    /// Writes a batch to the journal (to the operating system, without an fsync), and to the
    /// memtables.
    pub(super) fn append(&self, batch: fjall::OwnedWriteBatch) -> fjall::Result<()> {
        batch.durability(Some(PersistMode::Buffer)).commit()
    }

    /// The store's form of `parts`, no two of which write the same key, as batch number `number`.
    pub(super) fn encode(&self, parts: &[Part<'_>], number: u64) -> Result<fjall::OwnedWriteBatch> {
        let capacity = parts::len(parts) + 1;
        let mut encoded = fjall::OwnedWriteBatch::with_capacity(self.database.clone(), capacity);
        let record = Record { number, sequence_min: self.database.seqno() };
        encoded.insert(&self.record, RECORD_KEY, record.encode());
        let mut composed = Vec::new();
        for Part { prefix, batch } in parts {
            for write in batch.writes().filter(|write| !write.is_overwritten) {
                let key = match prefix {
                    [] => write.key,
                    prefix => {
                        composed.clear();
                        composed.extend_from_slice(prefix);
                        composed.extend_from_slice(write.key);
                        &composed
                    }
                };
                self.encode_write(&mut encoded, write.keyspace, key, write.value)?;
            }
        }
        Ok(encoded)
    }

    fn encode_write(
        &self,
        encoded: &mut fjall::OwnedWriteBatch,
        keyspace: Keyspace,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<()> {
        let tree = self.keyspaces.get(usize::from(keyspace.0)).ok_or_else(|| Error::Invalid {
            what: format!("the engine has no keyspace {}", keyspace.0),
        })?;
        if key.len() > KEY_LENGTH_MAX {
            return Err(Error::Invalid {
                what: format!("a key has up to {KEY_LENGTH_MAX} bytes, not {}", key.len()),
            });
        }
        let empty = empty_key(keyspace);
        let (tree, key) = match key {
            [] => (&self.record, &empty[..]),
            key => (tree, key),
        };
        match value {
            Some(value) => encoded.insert(tree, key, value),
            None => encoded.remove(tree, key),
        }
        Ok(())
    }

    /// Makes everything appended so far survive the loss of power.
    pub(super) fn persist(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::SyncData)
    }

    /// Fails when the store has stopped.
    pub(super) fn check_running(&self) -> fjall::Result<()> {
        self.database.persist(PersistMode::Buffer)
    }

    /// Keeps the memtables within their bound before `bytes` more are written: seals the largest
    /// when they are half full, and waits for flushes when they are full. Returns whether it has
    /// checked them.
    pub(super) fn make_room(&mut self, bytes: u64) -> fjall::Result<bool> {
        self.unchecked_bytes = self.unchecked_bytes.saturating_add(bytes);
        if self.unchecked_bytes < self.write_buffer_bytes / 64 {
            return Ok(false);
        }
        self.unchecked_bytes = 0;
        while self.is_behind() {
            // The workers that would do the flush may have stopped.
            self.check_running()?;
            thread::sleep(WAIT);
        }
        let active = |keyspace: &fjall::Keyspace| keyspace.tree.active_memtable().size();
        if self.all().map(active).sum::<u64>() > self.write_buffer_bytes / 2
            && let Some(largest) = self.all().max_by_key(|keyspace| active(keyspace))
        {
            largest.rotate_memtable()?;
        }
        Ok(true)
    }

    /// The keys and values in the memtables, in bytes.
    pub(super) fn buffered_bytes(&self) -> u64 {
        self.database.write_buffer_size()
    }

    /// The tables of all trees, in bytes.
    pub(super) fn on_disk_bytes(&self) -> u64 {
        self.all().map(|keyspace| keyspace.tree.disk_space()).sum()
    }

    /// Flushes all memtables, and waits for it. Whether it came to that in time.
    pub(super) fn flush(&self) -> fjall::Result<bool> {
        reclaim::flush(&self.database, &self.all().cloned().collect::<Vec<_>>())
    }

    /// Whether reclaiming space is worth it, with about `deletions` tombstones in the memtables of
    /// each keyspace and `journal_bytes` bytes of journals.
    pub(super) fn is_worth_reclaiming(&self, deletions: &[u64], journal_bytes: u64) -> bool {
        let deletions = deletions.iter().chain(std::iter::repeat(&0));
        reclaim::journal_is_long(journal_bytes, self.on_disk_bytes())
            || self
                .keyspaces
                .iter()
                .zip(deletions)
                .any(|(keyspace, deletions)| reclaim::is_worth(&keyspace.tree, *deletions))
    }

    pub(super) fn begin_reclaiming(&self, busy: &Arc<Busy>) -> Reclaiming {
        Reclaiming::new(self.database.clone(), self.all().cloned().collect(), busy)
    }

    fn is_behind(&self) -> bool {
        let sealed = self.all().map(|keyspace| keyspace.tree.sealed_memtable_count());
        let sealed_max = sealed.max().unwrap_or_default();
        let is_full = self.database.write_buffer_size() > self.write_buffer_bytes;
        sealed_max >= SEALED_MAX
            || (sealed_max > 0 && is_full)
            || self.all().any(|keyspace| keyspace.tree.l0_run_count() >= RUNS_MAX)
    }

    fn all(&self) -> impl Iterator<Item = &fjall::Keyspace> {
        self.keyspaces.iter().chain([&self.record])
    }
}
