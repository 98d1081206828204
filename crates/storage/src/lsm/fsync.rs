//! [`Fsync`]: one fsync of the journal, done beside those who write.
//!
//! What is to be fsynced is noted while nothing is written, see
//! [`Writer::begin_fsync`](super::writer::Writer::begin_fsync); what came of it is noted the same way.
//! In between nobody waits for it but who asked for it. When the store turns to another journal, it
//! fsyncs the one before by itself, so the newest one is all there is to do.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::marker::Marker;

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
    pub(super) fn note(&self, commits: u64, keyspaces: &[String]) -> crate::Result<()> {
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

/// An fsync that has begun.
pub(super) struct Fsync {
    /// The newest batch that it makes durable.
    pub(super) number: u64,
    pub(super) journal: PathBuf,
    pub(super) hook: FsyncHook,
    /// The marker, where it is to be brought up to date, and the keyspaces to be noted there.
    pub(super) mark: Option<(Arc<SharedMarker>, Vec<String>)>,
}

impl Fsync {
    /// Does it, which takes as long as the device does.
    pub(super) fn run(&self) -> io::Result<()> {
        self.hook.call()?;
        match File::open(&self.journal) {
            Ok(journal) => journal.sync_data()?,
            // The store has been closed since, for which all of it was written to tables.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some((marker, keyspaces)) = &self.mark {
            // The batches are durable; the marker may stay behind, see `Marker::commits`.
            let _ = marker.note(self.number, keyspaces);
        }
        Ok(())
    }
}
