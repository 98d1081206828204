//! [`Fsync`]: one fsync of the journal, done beside those who write.
//!
//! What is to be fsynced is noted while nothing is written, see
//! [`Writer::begin_fsync`](super::writer::Writer::begin_fsync); what came of it is noted the same way.
//! In between nobody waits for it but who asked for it. When the store turns to another journal, it
//! fsyncs the one before by itself, so the newest one is all there is to do.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::marker::Marker;
use super::{error, journal};
use crate::Result;

/// What is called before each fsync of the journal: for tests and benchmarks, in which it takes as
/// long as a slow device would, or fails.
#[derive(Clone, Default)]
pub struct FsyncHook(Option<Arc<dyn Fn() -> io::Result<()> + Send + Sync>>);

impl FsyncHook {
    /// A hook that calls `before`, whose error is that of the fsync.
    pub fn new(before: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        FsyncHook(Some(Arc::new(before)))
    }

    pub(super) fn call(&self) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |before| before())
    }
}

impl fmt::Debug for FsyncHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "FsyncHook(..)" } else { "FsyncHook" })
    }
}

/// The marker of a folder, which may be written by more than one at a time.
pub(super) struct SharedMarker {
    folder: PathBuf,
    marker: Mutex<Marker>,
}

impl SharedMarker {
    pub(super) fn new(folder: PathBuf, marker: Marker) -> Self {
        SharedMarker { folder, marker: Mutex::new(marker) }
    }

    /// How many commits it says there are.
    pub(super) fn commits(&self) -> u64 {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner).commits
    }

    /// Notes how many commits there are, all of which are durable, and the keyspaces.
    pub(super) fn note(&self, commits: u64, keyspaces: &[String]) -> Result<()> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        if commits < marker.commits || (commits == marker.commits && marker.keyspaces == keyspaces)
        {
            return Ok(());
        }
        marker.commits = commits;
        marker.keyspaces = keyspaces.to_vec();
        marker.write(&self.folder)
    }
}

/// The journal that was fsynced last, kept open.
#[derive(Default)]
pub(super) struct OpenJournal(Option<(PathBuf, File)>);

impl OpenJournal {
    /// The newest journal of a store; `None` when it has just gone.
    fn newest(&mut self, store: &Path) -> Result<Option<&File>> {
        if !self.is_newest() {
            let path = journal::newest(store)?;
            let open = |error| error::io("opening", &path, &error);
            self.0 = match File::open(&path) {
                Ok(file) => Some((path, file)),
                // The store has been closed since, for which all of it was written to tables.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(open(error)),
            };
        }
        Ok(self.0.as_ref().map(|(_, file)| file))
    }

    /// Whether there is no newer one than that which is open.
    fn is_newest(&self) -> bool {
        let Some((path, file)) = &self.0 else { return false };
        let is_same = |other: Metadata| file.metadata().is_ok_and(|one| one.ino() == other.ino());
        fs::metadata(path).is_ok_and(is_same)
            && !journal::after(path).is_some_and(|next| next.exists())
    }
}

/// An fsync that has begun.
pub(super) struct Fsync {
    /// The newest batch that it makes durable.
    pub(super) number: u64,
    pub(super) store: PathBuf,
    pub(super) hook: FsyncHook,
    /// The marker, where it is to be brought up to date, and the keyspaces to be noted there.
    pub(super) mark: Option<(Arc<SharedMarker>, Vec<String>)>,
}

impl Fsync {
    /// Does it, which takes as long as the device does.
    pub(super) fn run(&self, journal: &mut OpenJournal) -> Result<()> {
        let failed = |error| error::io("syncing", &self.store, &error);
        self.hook.call().map_err(failed)?;
        if let Some(journal) = journal.newest(&self.store)? {
            journal.sync_data().map_err(failed)?;
        }
        if let Some((marker, keyspaces)) = &self.mark {
            // The batches are durable; the marker may stay behind, see `Marker::commits`.
            let _ = marker.note(self.number, keyspaces);
        }
        Ok(())
    }
}
