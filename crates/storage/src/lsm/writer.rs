//! [`Writer`]: the only writer of a data folder, from opening to closing it.
//!
//! It owns the store, the commit numbers and what happens after a failure:
//!
//! ```text
//!              no room left by the reserve: refused before anything is written
//!                  ┌──────┐
//!   ┌─────────┐ ───┘      │    no room after all: the store is closed,      ┌──────────┐
//!   │ working │ ◄─────────┘    and what it wrote of the batch is cut off ──►│  closed  │
//!   └─────────┘ ◄────────────── a commit finds room: opened again ───────── └──────────┘
//!        │
//!        └── fsync failed, or anything else: ──► poisoned, for good
//! ```

use std::any::Any;
use std::fs::OpenOptions;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error;
use super::folder::Folder;
use super::fsync::{Fsync, OpenJournal, SharedMarker};
use super::journal::Journals;
use super::marker::{FORMAT, Marker};
use super::options::LsmOptions;
use super::reclaim::{Busy, JOURNAL_BYTES_MIN, RESTART_BYTES_MIN, Reclaiming};
use super::snapshot::State;
use super::space::Space;
use super::store::Store;
use super::{journal, tables};
use crate::{Error, Keyspace, Part, Purpose, Result, parts};

/// How much is written before the marker is updated.
const UNMARKED_BYTES_MAX: u64 = 1 << 20;

/// The journals that closing leaves to be read by the next opening, which takes a few milliseconds. Longer
/// ones are flushed to tables.
const CLOSED_JOURNAL_BYTES_MAX: u64 = 512 << 10;

/// The lock file of the store itself.
const LOCK_FILE_NAME: &str = "lock";

/// What a flush writes in addition to the content of the memtables: lists of tables.
const FLUSH_BYTES: u64 = 256 << 10;

/// The trees beside those of the keyspaces: the store's own and ours.
pub(super) const TREES_EXTRA: usize = 2;

/// What a commit needs exclusively.
pub(super) struct Writer {
    options: LsmOptions,
    marker: Arc<SharedMarker>,
    space: Arc<Space>,
    /// The number of the newest batch.
    number: u64,
    /// The number of the newest batch that was acknowledged. A later one may still be refused.
    acknowledged: u64,
    /// The number of the newest batch that is known to be on the device.
    synced: u64,
    /// Bytes committed since the marker was written.
    unmarked_bytes: u64,
    /// Keys deleted since space was last reclaimed, by keyspace.
    deletions: [u64; Keyspace::COUNT_MAX],
    /// The thread that reclaims space, for which the store stays open.
    busy: Arc<Busy>,
    store: Health,
    journal: OpenJournal,
    /// Shared with the states, see [`Trees`](super::snapshot::Trees).
    folder: Arc<Folder>,
}

enum Health {
    Working(Box<Store>),
    /// Closed because the device was full.
    Closed,
    Poisoned(String),
}

impl Writer {
    /// Opens the data folder, or creates it unless it is only read; with its newest state. `read` reads the
    /// marker of a folder of a format that is accepted.
    pub(super) fn open(
        options: LsmOptions,
        read: impl FnOnce(&Path) -> Result<Option<Marker>>,
    ) -> Result<(Self, State)> {
        let folder = Arc::new(match options.is_read_only {
            true => Folder::open_to_read(&options.path, options.wait)?,
            false => Folder::create(&options.path, options.wait)?,
        });
        Self::open_in(folder.clone(), options, read).map_err(|error| folder.named(error))
    }

    fn open_in(
        folder: Arc<Folder>,
        options: LsmOptions,
        read: impl FnOnce(&Path) -> Result<Option<Marker>>,
    ) -> Result<(Self, State)> {
        let (marker, is_new) = match read(folder.files())? {
            Some(marker) if marker.is_ready => (marker, false),
            _ => (create(&folder, &options)?, true),
        };
        if !options.keyspaces.starts_with(&marker.keyspaces) {
            return Err(Error::Invalid {
                what: format!(
                    "{} has the keyspaces {:?}, which {:?} does not begin with",
                    folder.path().display(),
                    marker.keyspaces,
                    options.keyspaces
                ),
            });
        }
        let has_keyspaces = marker.keyspaces.len();
        let mut writer = Writer {
            space: Arc::new(Space::new(folder.files(), &options)),
            options,
            number: 0,
            acknowledged: 0,
            synced: 0,
            unmarked_bytes: 0,
            deletions: [0; Keyspace::COUNT_MAX],
            busy: Arc::default(),
            store: Health::Closed,
            journal: OpenJournal::default(),
            marker: Arc::new(SharedMarker::new(folder.files().to_owned(), marker)),
            folder,
        };
        let state = match is_new {
            // The store was made a moment ago, after removing what was there, and nothing was written to
            // it: its journal is 64 MiB of zeros, which take a tenth of a second to read.
            true => writer.open_verified(&Journals::default())?,
            false => writer.open_store(has_keyspaces, None)?,
        };
        // How many of the batches are durable is not known: after a killed process they may only be
        // in the system's cache. A marker that is behind is valid, and a full device can still be
        // read.
        let _ = writer.marker.note(writer.marker.commits(), &writer.options.keyspaces);
        Ok((writer, state))
    }

    /// Checks everything that the store would not, truncates the torn tail, and opens the store.
    /// Batches above `number_max` were refused, and are part of the tail. The folder has the trees of
    /// at least `keyspaces_min` keyspaces.
    fn open_store(&mut self, keyspaces_min: usize, number_max: Option<u64>) -> Result<State> {
        let path = Folder::existing_store(self.folder.files())?;
        let trees_max = self.options.keyspaces.len() + TREES_EXTRA;
        tables::verify(&path, keyspaces_min + TREES_EXTRA, trees_max)?;
        restore_lock(&path)?;
        let journals = journal::verify(&path, number_max)?;
        journals.repair()?;
        self.open_verified(&journals)
    }

    /// Opens the store, which has these journals.
    fn open_verified(&mut self, journals: &Journals) -> Result<State> {
        let path = self.folder.store();
        let store = open(&self.folder, &self.options)?;
        let number = store.verify(journals)?;
        let marked = self.marker.commits();
        if number < marked {
            return Err(Error::Corrupt {
                place: path.display().to_string(),
                what: format!("batches {} to {marked} are missing", number + 1),
            });
        }
        self.number = number;
        self.acknowledged = number;
        let state = store.state();
        self.store = Health::Working(Box::new(store));
        self.note_needs();
        Ok(state)
    }

    /// Updates how much room the store needs.
    fn note_needs(&self) {
        let Health::Working(store) = &self.store else { return };
        let needed = self.options.needed_bytes(store.buffered_bytes(), store.on_disk_bytes());
        self.space.set_needed(needed);
    }

    /// The marker of the folder.
    pub(super) fn marker(&self) -> &SharedMarker {
        &self.marker
    }

    /// The folder of the store.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.store()
    }

    /// The watcher of the device's free space.
    pub(super) fn space(&self) -> Arc<Space> {
        Arc::clone(&self.space)
    }

    /// Whether the store has to be reopened and there is room for that.
    pub(super) fn needs_reopening(&mut self, purpose: Purpose) -> Result<bool> {
        match &self.store {
            Health::Working(_) => Ok(false),
            Health::Poisoned(reason) => Err(Error::Poisoned { reason: reason.clone() }),
            Health::Closed => self.space.check(0, 0, purpose).map(|()| true),
        }
    }

    /// Begins to reclaim space, if that is worth it.
    pub(super) fn begin_reclaiming(&mut self) -> Result<Option<Reclaiming>> {
        let Health::Working(store) = &self.store else { return Ok(None) };
        let journal_bytes = journal::occupied_bytes(&self.folder.store())?;
        if !self.is_worth_restarting(journal_bytes)
            && !store.is_worth_reclaiming(&self.deletions, journal_bytes)
        {
            return Ok(None);
        }
        self.busy.wait();
        self.deletions = [0; Keyspace::COUNT_MAX];
        Ok(Some(store.begin_reclaiming(&self.busy)))
    }

    /// Begins to reclaim space unconditionally. `None` when the store is closed.
    pub(super) fn begin_dropping(&mut self) -> Option<Reclaiming> {
        let Health::Working(store) = &self.store else { return None };
        self.busy.wait();
        Some(store.begin_reclaiming(&self.busy))
    }

    /// Whether the device is short of room that closing the store would free: that of the journals,
    /// of `journal_bytes` bytes, and of obsolete tables that are not yet removed.
    fn is_worth_restarting(&self, journal_bytes: u64) -> bool {
        let Health::Working(store) = &self.store else { return false };
        if !self.space.is_short_of(0) {
            return false;
        }
        let table_bytes = tables::occupied_bytes(&self.folder.store()).unwrap_or_default();
        let merged_bytes = table_bytes.saturating_sub(store.on_disk_bytes());
        journal_bytes + merged_bytes >= RESTART_BYTES_MIN
    }

    /// Whether journals are too long to read again when opening, or to keep if room is short.
    pub(super) fn has_long_journals(&self) -> bool {
        self.has_journals_above(JOURNAL_BYTES_MIN)
    }

    fn has_journals_above(&self, bytes_min: u64) -> bool {
        let bytes = journal::occupied_bytes(&self.folder.store());
        bytes.is_ok_and(|bytes| bytes >= bytes_min || self.is_worth_restarting(bytes))
    }

    /// Whether there is room to start the journals anew: flushing their content needs room first.
    pub(super) fn can_restart_journals(&self) -> bool {
        let Health::Working(store) = &self.store else { return false };
        let buffered = store.buffered_bytes();
        self.has_long_journals() && self.space.has_free(buffered + buffered / 4 + FLUSH_BYTES)
    }

    /// Flushes the content of the journals to tables, so that they can be started anew. Returns
    /// whether it did.
    pub(super) fn flush(&mut self) -> Result<bool> {
        let Health::Working(store) = &self.store else { return Ok(false) };
        let flushed = store.flush();
        let path = self.folder.store();
        flushed.map_err(|error| error::store("flushing", &path, String::new, &error))
    }

    /// After [`flush`](Self::flush): closes the store, and starts the journals anew. The files of
    /// obsolete tables are removed when it is opened again.
    pub(super) fn restart_journals(&mut self) -> Result<()> {
        self.busy.wait();
        self.mark()?;
        self.journal.close();
        self.store = Health::Closed;
        self.synced = self.number;
        journal::restart(&self.folder.store())
    }

    /// Whether everything committed is on the device.
    pub(super) fn is_durable(&self) -> bool {
        self.synced == self.number && !self.is_poisoned()
    }

    /// Reopens the store. No state of it may be left: the trees of the old one would remove files
    /// that the new one may have written.
    pub(super) fn reopen(&mut self) -> Result<State> {
        self.open_store(self.options.keyspaces.len(), Some(self.number))
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.synced < self.number && !self.is_poisoned()
    }

    /// The newest state, unless the store is closed.
    pub(super) fn state(&self) -> Option<State> {
        match &self.store {
            Health::Working(store) => Some(store.state()),
            Health::Closed | Health::Poisoned(_) => None,
        }
    }

    pub(super) fn store(&mut self) -> Result<&mut Store> {
        match &mut self.store {
            Health::Working(store) => Ok(store),
            Health::Closed => Err(self.space.is_full()),
            Health::Poisoned(reason) => Err(Error::Poisoned { reason: reason.clone() }),
        }
    }

    /// Writes `parts`, no two of which write the same key, as one batch to the operating system.
    /// After an error it is not stored, unless the error is [`Error::Poisoned`].
    pub(super) fn append(&mut self, parts: &[Part<'_>]) -> Result<()> {
        let bytes = parts::byte_length(parts) as u64;
        self.space.check(bytes, 0, parts::purpose(parts))?;
        let number = self.number + 1;
        let store = self.store()?;
        let encoded = store.encode(parts, number)?;
        let has_looked = store.make_room(bytes);
        let written = has_looked.and_then(|has_looked| store.append(encoded).map(|()| has_looked));
        match written {
            Ok(true) => self.note_needs(),
            Ok(false) => {}
            Err(error) => return Err(self.fail(&error)),
        }
        let writes = parts.iter().flat_map(|part| part.batch.writes());
        let deleted = writes.filter(|write| write.value.is_none());
        deleted.for_each(|write| self.deletions[usize::from(write.keyspace.0)] += 1);
        self.number = number;
        self.unmarked_bytes += bytes + 1;
        Ok(())
    }

    pub(super) fn is_poisoned(&self) -> bool {
        matches!(self.store, Health::Poisoned(_))
    }

    /// The number of the newest batch.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The number of the newest batch that is known to be on the device.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// Notes that the written batches cannot be refused any more.
    pub(super) fn acknowledge(&mut self) {
        self.acknowledged = self.number;
    }

    /// Begins to fsync everything committed. A full device does not prevent that: the content of the
    /// journal can become durable without the store.
    pub(super) fn begin_fsync(&mut self) -> Result<Fsync> {
        if let Health::Working(store) = &self.store
            && let Err(error) = store.check_running()
        {
            self.fail(&error);
        }
        if let Health::Poisoned(reason) = &self.store {
            return Err(Error::Poisoned { reason: reason.clone() });
        }
        let is_behind = self.unmarked_bytes >= UNMARKED_BYTES_MAX;
        if is_behind {
            self.unmarked_bytes = 0;
        }
        let marker = || (Arc::clone(&self.marker), self.options.keyspaces.clone());
        Ok(Fsync {
            number: self.number,
            journal: self.journal.newest(&self.folder.store())?,
            hook: self.options.fsync_hook.clone(),
            mark: is_behind.then(marker),
        })
    }

    /// Records the result of an fsync. After a failed one the content of the device is unknown, even
    /// if a later one succeeds, so the first failure is final.
    pub(super) fn end_fsync(&mut self, fsync: &Fsync, result: io::Result<()>) -> Result<()> {
        if let Err(error) = result {
            return Err(self.poison(format!("fsync failed: {error}")));
        }
        self.synced = self.synced.max(fsync.number.min(self.number));
        Ok(())
    }

    /// Fsyncs everything that was committed.
    fn persist(&mut self) -> Result<()> {
        let result = self.options.fsync_hook.call().map_err(fjall::Error::from);
        let store = self.store()?;
        if let Err(error) = result.and_then(|()| store.persist()) {
            return Err(match error {
                error @ fjall::Error::Poisoned => self.fail(&error),
                error => self.poison(format!("fsync failed: {error:?}")),
            });
        }
        self.synced = self.number;
        Ok(())
    }

    /// Writes the number of commits, all of which are durable, to the marker.
    fn mark(&mut self) -> Result<()> {
        self.unmarked_bytes = 0;
        self.marker.note(self.number, &self.options.keyspaces)
    }

    /// Handles a failed write of the store. A batch that was not acknowledged is refused.
    fn fail(&mut self, error: &fjall::Error) -> Error {
        self.number = self.acknowledged;
        self.synced = self.synced.min(self.number);
        // Its workers report only that they stopped. If the device has too little room for their
        // work, we take that as the reason.
        let is_stopped = matches!(error, fjall::Error::Poisoned);
        let is_full = error::is_full(error)
            || (is_stopped && self.space.is_short_of(self.options.working_bytes()));
        if !is_full {
            return self.poison(format!("writing failed: {error:?}"));
        }
        match self.close_store() {
            Ok(()) => self.space.is_full(),
            Err(error) => self.poison(format!("the disk is full, and {error}")),
        }
    }

    fn poison(&mut self, reason: String) -> Error {
        self.store = Health::Poisoned(reason.clone());
        Error::Poisoned { reason }
    }

    /// Closes the store, which could otherwise complete its last write once there is room, and
    /// truncates that write: it was refused.
    fn close_store(&mut self) -> Result<()> {
        self.busy.wait();
        self.journal.close();
        self.store = Health::Closed;
        journal::verify(&self.folder.store(), Some(self.number))?.repair()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.busy.wait();
        let is_working = !self.options.is_read_only && matches!(self.store, Health::Working(_));
        let persisted = if is_working { self.persist() } else { Ok(()) };
        if let Err(error) = &persisted {
            // A drop cannot return an error; `Engine::close` does.
            eprintln!("velocitydb: commits that were not fsynced may be lost: {error}");
        }
        if is_working && persisted.is_ok() {
            // The store is complete without this, and a drop cannot return an error.
            if self.has_journals_above(CLOSED_JOURNAL_BYTES_MAX)
                && self.flush().is_ok_and(|is_flushed| is_flushed)
            {
                let _ = self.restart_journals();
            } else {
                let _ = self.mark();
            }
        }
        self.store = Health::Closed;
    }
}

/// Creates a data folder; an interrupted creation starts again from the beginning.
fn create(folder: &Arc<Folder>, options: &LsmOptions) -> Result<Marker> {
    let mut marker = Marker {
        format: FORMAT,
        is_ready: false,
        commits: 0,
        keyspaces: options.keyspaces.clone(),
    };
    marker.write(folder.files())?;
    folder.clear()?;
    drop(open(folder, options)?);
    marker.is_ready = true;
    marker.write(folder.files())?;
    Ok(marker)
}

/// Makes the empty lock file of the store, which opens nothing without it. Copying a folder may leave out
/// such a file.
fn restore_lock(store: &Path) -> Result<()> {
    let path = store.join(LOCK_FILE_NAME);
    let restored = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    restored.map(|_| ()).map_err(|error| error::io("creating", &path, &error))
}

/// Opens the store, which panics at some kinds of corruption.
fn open(folder: &Arc<Folder>, options: &LsmOptions) -> Result<Store> {
    let path = folder.store();
    let place = || path.display().to_string();
    match panic::catch_unwind(AssertUnwindSafe(|| Store::open(folder, options))) {
        Ok(store) => store.map_err(|error| error::store("opening", &path, place, &error)),
        Err(panic) => Err(Error::Corrupt { place: place(), what: words(&*panic) }),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the store cannot open it: {}", words.unwrap_or("no reason given"))
}
