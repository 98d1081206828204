//! [`Lsm`]: the engine contract on a [`Store`](super::store::Store).
//!
//! It owns publication: readers see a batch only once it has its durability. One writer at a time;
//! readers take no lock that a writer holds.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use fjall::AbstractTree;

use super::error;
use super::folder;
use super::journal;
use super::marker::Marker;
use super::options::LsmOptions;
use super::reclaim;
use super::snapshot::{Held, State};
use super::space::Space;
use super::unsynced::Unsynced;
use super::writer::Writer;
use crate::{
    Batch, Blob, Bounds, Durability, Engine, EngineStats, Error, Keyspace, KeyspaceStats, Part,
    Purpose, Result, Snapshot, WithoutSnapshots, parts, range,
};

/// How long closing the store waits for its last reads.
const READ_WAIT: Duration = Duration::from_millis(1);
const READ_WAITS_MAX: u32 = 1000;

/// How many bytes of a range are removed before the tables that held them are dropped.
const REMOVED_BYTES_MAX: u64 = 256 << 20;

/// An engine that keeps its data on disk.
pub struct Lsm {
    /// The state that readers see. Replaced after each commit, once the batch has its durability.
    /// `None` while the store is reopened after a full disk.
    published: ArcSwapOption<State>,
    /// Locked by a commit, until the batch has its durability and is published.
    committing: Mutex<()>,
    /// Locked by an fsync, and before `writer`.
    syncing: Mutex<()>,
    /// Never held during an fsync, except while the store is closed.
    writer: Mutex<Writer>,
    unsynced: Unsynced,
    space: Arc<Space>,
    /// The data folder, as the caller named it, if it is only read.
    read_only: Option<PathBuf>,
    /// The folder of the journals.
    path: PathBuf,
    /// Locked while space is reclaimed.
    reclaiming: Mutex<()>,
    /// Why all writes are refused.
    poisoned: OnceLock<String>,
    snapshots_open: Arc<AtomicU64>,
    commits: AtomicU64,
    fsyncs: AtomicU64,
}

impl Lsm {
    /// Opens the data folder, or creates it.
    pub fn open(options: LsmOptions) -> Result<Self> {
        Self::open_marked(options, Marker::read)
    }

    /// Opens the data folder of this format or of the one before.
    pub(super) fn open_known(options: LsmOptions) -> Result<Self> {
        Self::open_marked(options, Marker::read_known)
    }

    /// Whether the folder has the format that this version writes.
    pub(super) fn is_current(&self) -> bool {
        self.writer().marker().is_current()
    }

    /// Makes everything durable, and then raises the format of the folder to that of this version.
    pub(super) fn raise_format(&self) -> Result<()> {
        self.sync()?;
        self.writer().marker().raise_format()
    }

    fn open_marked(
        options: LsmOptions,
        read: impl FnOnce(&Path) -> Result<Option<Marker>>,
    ) -> Result<Self> {
        options.validate()?;
        let read_only = options.is_read_only.then(|| options.path.clone());
        let (writer, state) = Writer::open(options, read)?;
        let (space, path) = (writer.space(), writer.path());
        let unsynced = Unsynced::default();
        // What is read only is as durable as it was made.
        if read_only.is_none() && writer.is_dirty() {
            unsynced.note();
        }
        Ok(Lsm {
            published: ArcSwapOption::from_pointee(state),
            committing: Mutex::default(),
            syncing: Mutex::default(),
            writer: Mutex::new(writer),
            unsynced,
            space,
            read_only,
            path,
            reclaiming: Mutex::default(),
            poisoned: OnceLock::new(),
            snapshots_open: Arc::default(),
            commits: AtomicU64::new(0),
            fsyncs: AtomicU64::new(0),
        })
    }

    /// Does what [`sync`](Engine::sync) does, unless nothing was committed since the last fsync. After a
    /// failure [`unsynced`](Self::unsynced) says so again.
    pub(crate) fn sync_if_needed(&self) -> Result<()> {
        let result = if self.writer().is_dirty() { self.sync() } else { Ok(()) };
        if result.is_err() {
            self.unsynced.note();
        }
        result
    }

    /// When to call [`sync_if_needed`](Self::sync_if_needed).
    pub(crate) fn unsynced(&self) -> &Unsynced {
        &self.unsynced
    }

    /// Fsyncs, concurrently with writers, unless batch `number` is on the device already. If the batch
    /// has been refused meanwhile, the device is full.
    fn sync_to(&self, number: u64) -> Result<()> {
        let _one = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let fsync = {
            let mut writer = self.writer();
            if !writer.is_poisoned() && number <= writer.synced() {
                return Ok(());
            }
            self.noted(writer.begin_fsync())?
        };
        let result = fsync.run();
        self.noted(self.writer().end_fsync(&fsync, result))?;
        self.fsyncs.fetch_add(1, Ordering::Relaxed);
        if fsync.number < number { Err(self.space.is_full()) } else { Ok(()) }
    }

    /// Writes `parts`, no two of which write the same key, as one batch to the operating system, and
    /// returns its number. A batch that waits for its fsync may still be refused.
    fn append(&self, parts: &[Part<'_>], durability: Durability) -> Result<u64> {
        self.ensure_writable()?;
        let mut writer = self.writer();
        self.revive(&mut writer, parts::purpose(parts))?;
        if !parts::are_empty(parts) {
            let mut result = writer.append(parts);
            if matches!(result, Err(Error::DiskFull { .. }))
                && writer.can_restart_journals()
                && self.restart_journals(&mut writer).is_ok()
            {
                result = writer.append(parts);
            }
            self.noted(result)?;
            self.unsynced.note();
        }
        if durability != Durability::Disk {
            self.publish(&mut writer);
        }
        Ok(writer.number())
    }

    /// The data folder.
    fn folder(&self) -> &Path {
        self.read_only.as_deref().unwrap_or(self.space.path())
    }

    fn ensure_writable(&self) -> Result<()> {
        match &self.read_only {
            None => Ok(()),
            Some(path) => Err(Error::ReadOnly { path: path.clone() }),
        }
    }

    /// Publishes the newest state to readers.
    fn publish(&self, writer: &mut Writer) {
        writer.acknowledge();
        if let Some(state) = writer.state() {
            self.published.store(Some(Arc::new(state)));
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    /// Records a failure for the engine's statistics.
    fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(Error::Poisoned { reason }) = &result {
            self.poisoned.get_or_init(|| reason.clone());
        }
        result
    }

    /// Reopens the store if it was closed because the disk was full.
    fn revive(&self, writer: &mut Writer, purpose: Purpose) -> Result<()> {
        if writer.needs_reopening(purpose)? {
            if !self.unpublish() {
                let reason = "the disk was full; writes go on once the snapshots from before are \
                              dropped";
                return Err(Error::Poisoned { reason: reason.to_owned() });
            }
            self.published.store(Some(Arc::new(writer.reopen()?)));
        }
        Ok(())
    }

    /// Starts the journals anew, unless a snapshot is held; the memtables of `writer` are empty.
    /// Returns whether it did.
    fn restart_journals(&self, writer: &mut Writer) -> Result<bool> {
        if self.snapshots_open.load(Ordering::Relaxed) > 0 || !writer.flush()? {
            return Ok(false);
        }
        if !self.unpublish() {
            return Ok(false);
        }
        writer.restart_journals()?;
        self.published.store(Some(Arc::new(writer.reopen()?)));
        Ok(true)
    }

    /// Compacts the trees that are worth it, and starts the journals anew after that or because they
    /// are long. Returns whether there may now be room for a compaction that lacked it.
    fn reclaim_once(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<bool> {
        let mut begun = Ok(None);
        without_snapshots(&mut || {
            if self.snapshots_open.load(Ordering::Relaxed) == 0 {
                begun = self.writer().begin_reclaiming();
            }
        });
        // The writer is unlocked meanwhile.
        let Some(reclaiming) = begun? else { return Ok(false) };
        let has_room = |bytes| self.space.check(bytes, 0, Purpose::Free).is_ok();
        let merged = reclaiming.merge(has_room).map_err(|error| {
            let place = || "merging tables".to_owned();
            error::store("reclaiming space in", self.space.path(), place, &error)
        })?;
        let mut restarted = Ok(false);
        without_snapshots(&mut || {
            let mut writer = self.writer();
            if merged.trees > 0 || writer.has_long_journals() {
                restarted = self.restart_journals(&mut writer);
            }
        });
        Ok(restarted? && merged.lacked_room)
    }

    /// Drops the tables that have no key outside of `bounds`, within which all keys are deleted.
    /// Returns whether there were any.
    ///
    /// A table that reaches beyond the bounds may have an older version of such a key, which reappears
    /// since its tombstone was dropped: it has to be deleted again. Replaying a journal brings none
    /// back, since every journal that has a version of a key has its later tombstone too. Earlier
    /// snapshots go on reading the tables.
    fn drop_tables(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<bool> {
        let _one = self.reclaiming.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.published.load_full();
        let state = state.map_or_else(|| self.reopened(), Ok)?;
        if reclaim::bytes_within(state.tree(keyspace)?, bounds) == 0 {
            return Ok(false);
        }
        drop(state);
        // Dropping tables cannot be undone, so the deletions must not be lost with the end of a
        // journal.
        self.sync()?;
        let Some(dropping) = self.writer().begin_dropping() else { return Ok(false) };
        dropping.drop_tables(keyspace, bounds).map_err(|error| {
            let place = || "dropping tables".to_owned();
            error::store("removing a range in", self.space.path(), place, &error)
        })?;
        self.publish_again();
        Ok(true)
    }

    /// Publishes the same batches again, with the current tables.
    fn publish_again(&self) {
        // A batch that waits for its fsync is not published.
        let _one = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = self.writer().state() {
            self.published.store(Some(Arc::new(state)));
        }
    }

    /// Checks that there is room for `bytes` that are to be committed later, in addition to the
    /// pending ones.
    pub(crate) fn check_room(&self, bytes: u64, on_the_way: u64, purpose: Purpose) -> Result<()> {
        self.space.check(bytes, on_the_way, purpose)
    }

    /// Withdraws the published state and waits a short time until no reader uses it. Returns whether
    /// none does.
    fn unpublish(&self) -> bool {
        let Some(state) = self.published.swap(None) else { return true };
        for _ in 0..READ_WAITS_MAX {
            if Arc::strong_count(&state) == 1 {
                return true;
            }
            if self.snapshots_open.load(Ordering::Relaxed) > 0 {
                break;
            }
            thread::sleep(READ_WAIT);
        }
        self.published.store(Some(state));
        false
    }

    /// Waits for the store to be reopened, which is the only time that a reader waits.
    fn reopened(&self) -> Result<Arc<State>> {
        let _opened = self.writer();
        let state = self.published.load_full();
        // It is still closed if the disk was too full to open it.
        state.ok_or_else(|| self.space.is_full())
    }

    /// Locks the writer. Its state is valid after a panic too: what was being written then was not
    /// published.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Lsm {
    fn get(&self, keyspace: Keyspace, key: &[u8]) -> Result<Option<Blob>> {
        match &*self.published.load() {
            Some(state) => state.get(keyspace, key),
            None => self.reopened()?.get(keyspace, key),
        }
    }

    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let open = Arc::clone(&self.snapshots_open);
        let state = self.published.load_full();
        let state = state.map_or_else(|| self.reopened(), Ok)?;
        Ok(Arc::new(Held::new(state, open)))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<()> {
        self.commit_all(&[Part::from(batch)], durability)
    }

    fn commit_all(&self, parts: &[Part<'_>], durability: Durability) -> Result<()> {
        let _one = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let number = parts::apart(parts, |parts| self.append(parts, durability))?;
        if durability == Durability::Disk {
            self.sync_to(number)?;
            self.publish(&mut self.writer());
        }
        Ok(())
    }

    fn remove_range(&self, keyspace: Keyspace, bounds: Bounds<'_>) -> Result<()> {
        let mut rest = Some(bounds.start.to_vec());
        while let Some(start) = rest {
            let left = Bounds { start: &start, end: bounds.end };
            rest = range::remove(self, keyspace, left, REMOVED_BYTES_MAX)?.rest;
            let removed = Bounds { start: bounds.start, end: rest.as_deref().or(bounds.end) };
            if self.drop_tables(keyspace, removed)? {
                range::remove(self, keyspace, removed, u64::MAX)?;
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        if self.read_only.is_some() {
            return Ok(());
        }
        let number = {
            let mut writer = self.writer();
            // Even without room, the content of the journal can become durable.
            let _ = self.revive(&mut writer, Purpose::Keep);
            writer.number()
        };
        self.sync_to(number)
    }

    fn close(&self) -> Result<()> {
        if self.writer().is_durable() { Ok(()) } else { self.sync() }
    }

    fn check_writable(&self) -> Result<()> {
        self.ensure_writable()?;
        let mut writer = self.writer();
        self.revive(&mut writer, Purpose::Keep)?;
        self.space.check(0, 0, Purpose::Keep)
    }

    fn reclaim(&self, without_snapshots: &WithoutSnapshots<'_>) -> Result<()> {
        if self.read_only.is_some() {
            return Ok(());
        }
        // Another thread's reclaim may have begun before the last deletions.
        let _one = self.reclaiming.lock().unwrap_or_else(PoisonError::into_inner);
        if self.reclaim_once(without_snapshots)? {
            self.reclaim_once(without_snapshots)?;
        }
        Ok(())
    }

    fn stats(&self) -> EngineStats {
        let published = self.published.load();
        let trees = published.as_ref().map_or(&[][..], |state| state.trees());
        let keyspaces = trees.iter().map(|tree| KeyspaceStats {
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
            behind_reason: self.poisoned.get().cloned(),
            disk_bytes: folder::occupied_bytes(self.folder()).unwrap_or_default(),
            journal_bytes: journal::occupied_bytes(&self.path).unwrap_or_default(),
            ..EngineStats::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    use super::*;
    use crate::lsm::FsyncHook;

    const DOCUMENTS: Keyspace = Keyspace(0);

    fn put(engine: &Lsm, key: &[u8], durability: Durability) -> Result<()> {
        let mut batch = Batch::new();
        batch.put(DOCUMENTS, key, b"value");
        engine.commit(&batch, durability)
    }

    /// A batch whose fsync failed is not visible before a restart; afterwards it may be.
    #[test]
    fn a_failed_fsync_poisons_writes_and_leaves_reads() {
        let folder = tempfile::tempdir().unwrap();
        let options = LsmOptions::new(folder.path(), &["documents"]);
        let is_broken = Arc::new(AtomicBool::new(false));
        let fsync_hook = FsyncHook::new({
            let is_broken = Arc::clone(&is_broken);
            move || match is_broken.load(Ordering::Relaxed) {
                true => Err(io::Error::other("the test broke it")),
                false => Ok(()),
            }
        });
        let engine = Lsm::open(LsmOptions { fsync_hook, ..options.clone() }).unwrap();
        put(&engine, b"before", Durability::Disk).unwrap();
        is_broken.store(true, Ordering::Relaxed);
        put(&engine, b"without fsync", Durability::Os).unwrap();
        let mut batch = Batch::new();
        batch.put(DOCUMENTS, b"fused", b"value");
        for _ in 0..2 {
            for durability in [Durability::Disk, Durability::Os] {
                let error = put(&engine, b"refused", durability).unwrap_err();
                assert!(matches!(error, Error::Poisoned { .. }), "{error}");
                let parts = [Part { prefix: b"re", batch: &batch }, Part::from(&batch)];
                let error = engine.commit_all(&parts, durability).unwrap_err();
                assert!(matches!(error, Error::Poisoned { .. }), "{error}");
            }
            assert!(matches!(engine.sync(), Err(Error::Poisoned { .. })));
            assert!(engine.get(DOCUMENTS, b"refused").unwrap().is_none());
            assert!(engine.get(DOCUMENTS, b"fused").unwrap().is_none());
            assert!(engine.get(DOCUMENTS, b"before").unwrap().is_some());
            assert!(engine.get(DOCUMENTS, b"without fsync").unwrap().is_some());
        }
        drop(engine);
        let engine = Lsm::open(options).unwrap();
        assert!(engine.get(DOCUMENTS, b"before").unwrap().is_some());
        put(&engine, b"after", Durability::Disk).unwrap();
    }

    /// The writer was locked during every background fsync, so that commits that wait for none were
    /// blocked for its duration.
    #[test]
    fn commits_go_on_during_an_fsync() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let released = Mutex::new(released);
        let fsync_hook = FsyncHook::new(move || {
            begun.send(()).map_err(io::Error::other)?;
            released.lock().unwrap().recv().map_err(io::Error::other)
        });
        let options = LsmOptions { fsync_hook, ..LsmOptions::new(folder.path(), &["documents"]) };
        let engine = Lsm::open(options).unwrap();
        put(&engine, b"before", Durability::Os).unwrap();
        thread::scope(|scope| {
            let syncing = scope.spawn(|| engine.sync());
            begins.recv().unwrap();
            for number in 0..1_000_u32 {
                put(&engine, &number.to_be_bytes(), Durability::Os).unwrap();
                assert!(engine.get(DOCUMENTS, &number.to_be_bytes()).unwrap().is_some());
            }
            // Batches that the fsync does not cover still have to be fsynced.
            release.send(()).unwrap();
            syncing.join().unwrap().unwrap();
            assert!(engine.writer().is_dirty());
            release.send(()).unwrap();
            engine.sync().unwrap();
            assert!(!engine.writer().is_dirty());
        });
        release.send(()).unwrap();
    }

    /// The journal of the last fsync was kept open after it was removed, and so kept occupying a small
    /// device.
    #[test]
    #[cfg(target_os = "linux")]
    fn removed_journals_are_not_kept_open() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Lsm::open(LsmOptions::new(folder.path(), &["documents"])).unwrap();
        let removed_and_open = || {
            let files = std::fs::read_dir("/proc/self/fd").unwrap();
            let paths = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
            let removed = |path: &PathBuf| path.to_string_lossy().ends_with(".jnl (deleted)");
            paths.filter(|path| path.starts_with(folder.path()) && removed(path)).count()
        };
        for number in 0..3_u32 {
            put(&engine, &number.to_be_bytes(), Durability::Os).unwrap();
            engine.sync().unwrap();
            assert!(engine.restart_journals(&mut engine.writer()).unwrap());
            assert_eq!(removed_and_open(), 0);
        }
    }

    /// Memtables are flushed as their bound requires, and every key stays where it was.
    #[test]
    fn write_buffers_stay_within_their_bound() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            LsmOptions { memory_bytes: 4 << 20, ..LsmOptions::new(folder.path(), &["documents"]) };
        let engine = Lsm::open(options.clone()).unwrap();
        let mut batch = Batch::new();
        for number in 0..20_000_u32 {
            batch.put(DOCUMENTS, &number.to_be_bytes(), &[7; 500]);
            if number % 10 == 9 {
                engine.commit(&batch, Durability::Os).unwrap();
                batch.clear();
                let memory = engine.stats().keyspaces[0].memory_bytes;
                assert!(memory <= options.write_buffer_bytes(), "{memory} bytes");
            }
        }
        for number in 0..20_000_u32 {
            assert!(engine.get(DOCUMENTS, &number.to_be_bytes()).unwrap().is_some());
        }
    }
}
