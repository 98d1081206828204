//! [`Fsync`]: one fsync of the journal, concurrent with writers.
//!
//! What is to be fsynced is recorded under the writer's lock, see
//! [`Writer::begin_fsync`](super::writer::Writer::begin_fsync), and so is the result. In between only
//! callers that asked for the fsync wait for it. When the store starts another journal, it fsyncs the
//! one before by itself, so only the newest one has to be fsynced.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::marker::{FORMAT, Marker};
use super::{error, journal};
use crate::Result;

/// A hook before each fsync of the journal: for tests and benchmarks, to simulate a slow device or a
/// failure.
#[derive(Clone, Default)]
pub struct FsyncHook(Option<Arc<dyn Fn() -> io::Result<()> + Send + Sync>>);

impl FsyncHook {
    /// A hook that calls `before`, whose error becomes the error of the fsync.
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

/// The marker of a folder, which several threads may write at a time.
pub(super) struct SharedMarker {
    folder: PathBuf,
    marker: Mutex<Marker>,
}

impl SharedMarker {
    pub(super) fn new(folder: PathBuf, marker: Marker) -> Self {
        SharedMarker { folder, marker: Mutex::new(marker) }
    }

    /// The count of commits in the marker.
    pub(super) fn commits(&self) -> u64 {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner).commits
    }

    /// Whether the folder has the format that this version writes.
    pub(super) fn is_current(&self) -> bool {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner).format == FORMAT
    }

    /// Raises the format of the folder, whose content is durable and has been converted.
    pub(super) fn raise_format(&self) -> Result<()> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        let raised = Marker { format: FORMAT, ..marker.clone() };
        raised.write(&self.folder)?;
        *marker = raised;
        Ok(())
    }

    /// Writes the number of commits, all of which are durable, and the keyspaces.
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

/// The newest journal, kept open from one fsync to the next. A removed file occupies the device while it
/// is open, so this is dropped before a store's journals are removed.
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
    /// The marker and the keyspaces to write there, if the marker is to be updated.
    pub(super) mark: Option<(Arc<SharedMarker>, Vec<String>)>,
}

impl Fsync {
    /// Runs the fsync, and blocks until the device is done.
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
