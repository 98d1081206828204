//! [`Replacement`]: a partition's new content, while it is being streamed in.

use std::sync::Arc;

use super::partitions::Partitions;
use super::prefixed::{Partition, PartitionId};
use super::view::Range;
use crate::{Batch, Durability, Error, Keyspace, Part, Result};

/// How many bytes of keys and values are in memory before they are committed.
const STEP_BYTES: usize = 1 << 20;

/// A partition's new content, which is not visible before [`finish`](Self::finish).
///
/// It may be of any size: only a step of 1 MiB is in memory, and one key and value. Dropping it, or a
/// crash, abandons it: the partition keeps its content, and what was written is a
/// [leftover](Partitions::remove_leftovers).
pub struct Replacement {
    partitions: Arc<Partitions>,
    partition: Arc<Partition>,
    range: Range,
    batch: Batch,
    is_finished: bool,
}

impl Replacement {
    pub(super) fn new(
        partitions: Arc<Partitions>,
        partition: Arc<Partition>,
        range: Range,
    ) -> Self {
        Replacement { partitions, partition, range, batch: Batch::new(), is_finished: false }
    }

    /// The partition that is being replaced.
    pub fn id(&self) -> PartitionId {
        self.partition.id()
    }

    /// Puts a key, in any order. If a key is put twice, the later value wins.
    ///
    /// # Errors
    ///
    /// What a commit can fail with. If the error is [retryable](Error::is_retryable), the same key can
    /// be put again, and so on; and [`Error::Invalid`] when it is finished.
    pub fn put(&mut self, keyspace: Keyspace, key: &[u8], value: &[u8]) -> Result<()> {
        if self.is_finished {
            return Err(Error::Invalid { what: "the replacement is finished".to_owned() });
        }
        // Committed before the put, so that after an error no more than a step is in memory, however
        // often it is retried.
        if self.batch.byte_length() >= STEP_BYTES {
            self.commit()?;
        }
        self.batch.put(keyspace, key, value);
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            let part = Part { prefix: &self.range.prefix(), batch: &self.batch };
            self.partitions.engine().commit_all(&[part], Durability::Memory)?;
            self.batch.clear();
        }
        Ok(())
    }

    /// Makes what was put the content of the partition, atomically and durably: with one commit that
    /// is fsynced. The old content becomes a leftover.
    ///
    /// # Errors
    ///
    /// What a commit can fail with. The partition keeps its content, unless the error is
    /// [`Error::Poisoned`]: then its content is known once the engine is opened again. After a
    /// [retryable](Error::is_retryable) error it can be called again.
    pub fn finish(&mut self) -> Result<()> {
        if self.is_finished {
            return Ok(());
        }
        self.commit()?;
        self.partitions.finish(&self.partition, self.range)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_finished {
            // It fails for a partition that is not being replaced, which this one is.
            let _ = self.partitions.abandon(&self.partition, self.range);
        }
    }
}
