//! [`Mirror`]: a temporary folder through which another data folder is read without writing to it.
//!
//! The store writes whenever it is opened: locks, the truncated end of a journal, the result of a
//! compaction. Tables, which are most of the bytes, are never changed once they are complete. So the mirror
//! has links to them, and copies of everything else, which is small after a clean close:
//!
//! ```text
//!  data folder, locked for readers          mirror
//!    VELOCITYDB  ─────────── copied ──────▶   VELOCITYDB
//!    store/7.jnl ─────────── copied ──────▶   store/7.jnl
//!    store/keyspaces/2/v9  ─ copied ──────▶   store/keyspaces/2/v9
//!    store/keyspaces/2/tables/31  ◀── link ── store/keyspaces/2/tables/31
//! ```
//!
//! Any number of mirrors can be open at a time, and no writer meanwhile.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error;
use crate::Result;

/// The folders whose files are complete and never changed.
const COMPLETE: [&str; 2] = ["tables", "blobs"];

/// A temporary folder that shows another one.
pub(super) struct Mirror {
    folder: TempDir,
    /// The lock of the folder that is shown; it may have none where nobody can write.
    lock: Option<File>,
}

impl Mirror {
    /// A mirror of the data folder `path`, of which `lock` is held.
    pub(super) fn of(path: &Path, lock: Option<File>) -> Result<Self> {
        let path = fs::canonicalize(path).map_err(|error| error::io("finding", path, &error))?;
        let folder = tempfile::Builder::new().prefix("velocitydb-").tempdir();
        let folder = folder
            .map_err(|error| error::io("making a folder in", &std::env::temp_dir(), &error))?;
        show(&path, folder.path())
            .map_err(|(path, error)| error::io("mirroring", &path, &error))?;
        Ok(Mirror { folder, lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // As for a folder that is locked for writing.
        if let Some(lock) = &self.lock {
            let _ = lock.unlock();
        }
    }
}

/// Shows everything in the folder `from` in the empty folder `to`.
fn show(from: &Path, to: &Path) -> std::result::Result<(), (PathBuf, io::Error)> {
    let is_complete = from.file_name().is_some_and(|name| COMPLETE.iter().any(|one| name == *one));
    for entry in fs::read_dir(from).map_err(|error| (from.to_owned(), error))? {
        let entry = entry.map_err(|error| (from.to_owned(), error))?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let failed = |error| (path.clone(), error);
        if entry.file_type().map_err(failed)?.is_dir() {
            fs::create_dir(&copy).map_err(failed)?;
            show(&path, &copy)?;
        } else if is_complete {
            symlink(&path, &copy).map_err(failed)?;
        } else {
            // Without its permissions, so that the copy of a file that cannot be written can be.
            let mut content = File::open(&path).map_err(failed)?;
            io::copy(&mut content, &mut File::create(&copy).map_err(failed)?).map_err(failed)?;
        }
    }
    Ok(())
}
