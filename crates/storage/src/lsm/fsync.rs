//! [`Fsync`]: one fsync of the journal, done beside those who write.
//!
//! What is to be fsynced is noted while nothing is written, see
//! [`Writer::begin_fsync`](super::writer::Writer::begin_fsync); what came of it is noted the same way.
//! In between nobody waits for it but who asked for it. When the store turns to another journal, it
//! fsyncs the one before by itself, so the newest one is all there is to do.

use std::fmt;
use std::fs::File;
use std::io;
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

/// The newest journal, kept open from one fsync to the next. A file that was removed occupies the device
/// for as long as it is open, so this goes before a store's journals do.
#[derive(Default)]
pub(super) struct OpenJournal(Option<(PathBuf, Arc<File>)>);

impl OpenJournal {
    /// The newest journal of a store.
    pub(super) fn newest(&mut self, store: &Path) -> Result<Arc<File>> {
        if let Some((path, file)) = &self.0
            && path.exists()
            && !journal::after(path).is_some_and(|next| next.exists())
        {
            return Ok(Arc::clone(file));
        }
        let path = journal::newest(store)?;
        let file = File::open(&path).map_err(|error| error::io("opening", &path, &error))?;
        let file = Arc::new(file);
        self.0 = Some((path, Arc::clone(&file)));
        Ok(file)
    }

    pub(super) fn close(&mut self) {
        self.0 = None;
    }
}

/// An fsync that has begun.
pub(super) struct Fsync {
    /// The newest batch that it makes durable.
    pub(super) number: u64,
    pub(super) journal: Arc<File>,
    pub(super) hook: FsyncHook,
    /// The marker, where it is to be brought up to date, and the keyspaces to be noted there.
    pub(super) mark: Option<(Arc<SharedMarker>, Vec<String>)>,
}

impl Fsync {
    /// Does it, which takes as long as the device does.
    pub(super) fn run(&self) -> io::Result<()> {
        self.hook.call()?;
        self.journal.sync_data()?;
        if let Some((marker, keyspaces)) = &self.mark {
            // The batches are durable; the marker may stay behind, see `Marker::commits`.
            let _ = marker.note(self.number, keyspaces);
        }
        Ok(())
    }
}
