//! [`MemoryFirst`]: served from memory, persisted in the background within a bound.
//!
//! ```text
//!   commit ──► memory engine ──► readers
//!      └─────► pending batch ──► persister thread ──► LSM engine, fsync
//! ```
//!
//! Commits enter memory and the pending batch in one order, under one lock. The persister takes the
//! pending batch as a whole and commits it as one, so what is on disk is always a prefix of what
//! was committed.
//!
//! While nothing is pending the persister sleeps. Everything that it waits for is in the queue, under
//! that lock, and whoever changes it wakes the persister: the commit that begins a pending batch, and
//! from which the delay counts, or that makes it large; whoever waits for the batch; and closing.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::options::Options;
use crate::lsm::Lsm;
use crate::memory::Memory;
use crate::{
    Batch, Blob, Bounds, Direction, Durability, Engine, EngineStats, Error, Keyspace, Part,
    Purpose, Result, Snapshot, WithoutSnapshots, parts,
};

/// How much is read from disk at a time while opening.
const LOAD_BYTES: usize = 4 << 20;
/// How long the persister waits before it tries a full disk again.
const RETRY: Duration = Duration::from_millis(50);

/// An engine in memory with a copy on disk.
pub(super) struct MemoryFirst {
    memory: Memory,
    shared: Arc<Shared>,
    persister: Option<JoinHandle<()>>,
}

struct Shared {
    lsm: Lsm,
    delay_max: Duration,
    behind_bytes_max: u64,
    queue: Mutex<Queue>,
    /// Something was committed, a sync is wanted, or the engine closes.
    wanted: Condvar,
    /// A batch was persisted, or failed to be.
    done: Condvar,
}

/// What is in memory and not on disk.
#[derive(Default)]
struct Queue {
    pending: Batch,
    pending_since: Option<Instant>,
    pending_batches: u64,
    /// Bytes that the persister is writing.
    persisting_bytes: u64,
    persisting_batches: u64,
    /// Batches ever committed, and how many of those are on disk.
    committed: u64,
    persisted: u64,
    /// The pending batch is to be persisted at once.
    is_urgent: bool,
    is_closing: bool,
    /// How often the persister has tried to write.
    attempts: u64,
    /// Why the last of those failed.
    failure: Option<Error>,
    /// Whether closing the engine has reported it.
    is_told: bool,
}

impl MemoryFirst {
    pub(super) fn open(options: &Options) -> Result<Self> {
        let lsm = Lsm::open(options.lsm())?;
        let memory = Memory::new(options.keyspaces.len());
        load(&lsm, &memory, options.keyspaces.len())?;
        let shared = Arc::new(Shared {
            lsm,
            delay_max: options.delay_max,
            behind_bytes_max: options.behind_bytes_max,
            queue: Mutex::default(),
            wanted: Condvar::new(),
            done: Condvar::new(),
        });
        let persister = thread::Builder::new()
            .name("velocitydb-persister".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.persist_all()
            })
            .map_err(|error| Error::Invalid {
                what: format!("the persister's thread cannot be started: {error}"),
            })?;
        Ok(MemoryFirst { memory, shared, persister: Some(persister) })
    }
}

/// Loads everything on disk into memory.
fn load(lsm: &Lsm, memory: &Memory, keyspaces: usize) -> Result<()> {
    let snapshot = lsm.snapshot()?;
    let mut batch = Batch::new();
    for keyspace in (0..keyspaces as u8).map(Keyspace) {
        let _ = snapshot.try_scan(keyspace, Bounds::ALL, Direction::Forward, |key, value| {
            batch.put(keyspace, key, value);
            if batch.byte_length() >= LOAD_BYTES {
                memory.commit(&batch, Durability::Memory)?;
                batch.clear();
            }
            Ok::<_, Error>(ControlFlow::Continue(()))
        })?;
    }
    memory.commit(&batch, Durability::Memory)
}

impl Queue {
    fn behind_bytes(&self) -> u64 {
        self.pending.byte_length() as u64 + self.persisting_bytes
    }

    /// The error for what is not on disk, with its cause.
    fn unwritten(&self, cause: Error) -> Error {
        Error::Unwritten {
            batches: self.pending_batches + self.persisting_batches,
            bytes: self.behind_bytes(),
            cause: Box::new(cause),
        }
    }

    /// Adds one commit.
    fn push(&mut self, parts: &[Part<'_>]) {
        parts.iter().for_each(|part| self.pending.append(*part));
        self.pending_since.get_or_insert_with(Instant::now);
        self.pending_batches += 1;
        self.committed += 1;
    }

    /// Exchanges the pending batch for an empty one.
    fn take(&mut self, empty: Batch) -> Batch {
        self.persisting_bytes = self.pending.byte_length() as u64;
        self.persisting_batches = self.pending_batches;
        self.pending_since = None;
        self.pending_batches = 0;
        self.is_urgent = false;
        // It was acknowledged, after checking that there is room for it.
        self.pending.set_purpose(Purpose::Free);
        std::mem::replace(&mut self.pending, empty)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The persister's thread.
    fn persist_all(&self) {
        let mut spare = Batch::new();
        while let Some(batch) = self.next(spare) {
            if !self.persist(&batch) {
                return;
            }
            spare = batch;
            spare.clear();
        }
    }

    /// Waits until there is a batch to write to disk. `None` when the engine closes.
    fn next(&self, spare: Batch) -> Option<Batch> {
        let mut queue = self.queue();
        loop {
            let Some(since) = queue.pending_since else {
                if queue.is_closing {
                    return None;
                }
                queue = self.wanted.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let wait = self.delay_max.saturating_sub(since.elapsed());
            let is_due = queue.is_closing
                || queue.is_urgent
                || wait.is_zero()
                || queue.pending.byte_length() as u64 >= self.behind_bytes_max / 2;
            if is_due {
                return Some(queue.take(spare));
            }
            queue = self.wanted.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Commits one batch, and retries while the disk is full. Returns whether it is on disk.
    fn persist(&self, batch: &Batch) -> bool {
        loop {
            let result = self.lsm.commit(batch, Durability::Disk);
            let mut queue = self.queue();
            queue.attempts += 1;
            queue.failure = result.err();
            let is_persisted = queue.failure.is_none();
            if is_persisted {
                queue.persisted += queue.persisting_batches;
                queue.persisting_batches = 0;
                queue.persisting_bytes = 0;
            }
            self.done.notify_all();
            match &queue.failure {
                None => return true,
                Some(failure) if failure.is_retryable() && !queue.is_closing => {}
                Some(_) => return false,
            }
            let is_waiting = |queue: &mut Queue| !queue.is_closing && !queue.is_urgent;
            let waited = self.wanted.wait_timeout_while(queue, RETRY, is_waiting);
            waited.unwrap_or_else(PoisonError::into_inner).0.is_urgent = false;
        }
    }

    /// Waits until there is room for more, or returns why there will be none. A batch is
    /// acknowledged only if the device has room for it and for all pending ones; how much those take
    /// is known once they are written, so a batch is not refused because of them before.
    fn wait_for_room(&self, parts: &[Part<'_>]) -> Result<MutexGuard<'_, Queue>> {
        let (bytes, purpose) = (parts::byte_length(parts) as u64, parts::purpose(parts));
        let mut queue = self.queue();
        loop {
            if let Some(failure) = queue.failure.as_ref().filter(|one| !one.is_retryable()) {
                return Err(failure.clone());
            }
            let behind = queue.behind_bytes();
            let room = match parts::are_empty(parts) {
                true => Ok(()),
                false => self.lsm.check_room(bytes, behind, purpose),
            };
            match (room, &queue.failure) {
                (Ok(()), _) if behind < self.behind_bytes_max => return Ok(queue),
                (Ok(()), Some(failure)) => return Err(failure.clone()),
                (Ok(()), None) => {}
                (Err(refusal), failure) if behind == 0 || failure.is_some() => return Err(refusal),
                (Err(_), _) => {
                    queue.is_urgent = true;
                    self.wanted.notify_one();
                }
            }
            queue = self.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Engine for MemoryFirst {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        self.memory.get(keyspace, key)
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        self.memory.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.commit_all(&[Part::from(batch)], durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], _: Durability) -> Result<()> {
        let mut queue = self.shared.wait_for_room(parts)?;
        self.memory.commit_all(parts, Durability::Memory)?;
        if parts::are_empty(parts) {
            return Ok(());
        }
        let was_idle = queue.pending_since.is_none();
        let before = queue.pending.byte_length() as u64;
        queue.push(parts);
        let half = self.shared.behind_bytes_max / 2;
        if was_idle || (before < half && queue.pending.byte_length() as u64 >= half) {
            self.shared.wanted.notify_one();
        }
        Ok(())
    }

    /// Removes the range on the device outside of the queue, which has none of its keys left by then:
    /// pending batches are about other keys.
    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        self.sync()?;
        self.shared.lsm.remove_range(keyspace, bounds)?;
        self.memory.remove_range(keyspace, bounds)
    }

    fn sync(&self) -> Result<()> {
        let mut queue = self.shared.queue();
        let (target, attempts) = (queue.committed, queue.attempts);
        while queue.persisted < target {
            // An earlier failure may be resolved.
            let failure = queue.failure.as_ref();
            let failure = failure.filter(|one| queue.attempts > attempts || !one.is_retryable());
            if let Some(failure) = failure {
                return Err(queue.unwritten(failure.clone()));
            }
            queue.is_urgent = true;
            self.shared.wanted.notify_one();
            queue = self.shared.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let result = self.sync();
        self.shared.queue().is_told = result.is_err();
        result
    }

    fn check_writable(&self) -> Result<()> {
        let queue = self.shared.queue();
        match queue.failure.as_ref().filter(|failure| !failure.is_retryable()) {
            Some(failure) => Err(failure.clone()),
            None => self.shared.lsm.check_room(0, queue.behind_bytes(), Purpose::Keep),
        }
    }

    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        // The deletions are pending.
        let synced = self.sync();
        self.shared.lsm.reclaim(without_snapshots)?;
        match synced {
            Err(error) if error.is_retryable() => {
                // There may be room for it now.
                self.sync()?;
                self.shared.lsm.reclaim(without_snapshots)
            }
            synced => synced,
        }
    }

    fn stats(&self) -> EngineStats {
        let disk = self.shared.lsm.stats();
        let mut stats = self.memory.stats();
        for (memory, disk) in stats.keyspaces.iter_mut().zip(disk.keyspaces) {
            memory.disk_bytes = disk.disk_bytes;
        }
        let queue = self.shared.queue();
        EngineStats {
            fsyncs: disk.fsyncs,
            behind_batches: queue.pending_batches + queue.persisting_batches,
            behind_bytes: queue.behind_bytes(),
            behind_reason: queue.failure.as_ref().map(ToString::to_string),
            disk_bytes: disk.disk_bytes,
            journal_bytes: disk.journal_bytes,
            ..stats
        }
    }
}

impl Drop for MemoryFirst {
    fn drop(&mut self) {
        self.shared.queue().is_closing = true;
        self.shared.wanted.notify_all();
        if let Some(persister) = self.persister.take() {
            // Its panic was reported where it happened.
            let _ = persister.join();
        }
        let queue = self.shared.queue();
        if let Some(failure) = queue.failure.clone().filter(|_| !queue.is_told) {
            // A drop cannot return an error; `Engine::close` does.
            eprintln!("velocitydb: {}", queue.unwritten(failure));
        }
    }
}
