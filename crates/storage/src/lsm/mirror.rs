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
    /// A mirror that shows nothing yet, of a folder of which `lock` is held.
    pub(super) fn new(lock: Option<File>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("velocitydb-").tempdir();
        let folder = folder
            .map_err(|error| error::io("making a folder in", &std::env::temp_dir(), &error))?;
        Ok(Mirror { folder, lock })
    }

    /// Shows a file or folder of the data folder `path`, if it exists.
    pub(super) fn show(&self, path: &Path, name: &str) -> Result<()> {
        let path = fs::canonicalize(path).map_err(|error| error::io("finding", path, &error))?;
        let (original, copy) = (path.join(name), self.path().join(name));
        if !original.try_exists().map_err(|error| error::io("looking for", &original, &error))? {
            return Ok(());
        }
        show(&original, &copy, false).map_err(|(path, error)| error::io("mirroring", &path, &error))
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

/// Shows a file, or a folder with everything in it, as `copy`; by a link if it is complete.
fn show(
    path: &Path,
    copy: &Path,
    is_complete: bool,
) -> std::result::Result<(), (PathBuf, io::Error)> {
    let failed = |error| (path.to_owned(), error);
    // It may be a link to another device.
    if fs::metadata(path).map_err(failed)?.is_dir() {
        let is_complete =
            path.file_name().is_some_and(|name| COMPLETE.iter().any(|one| name == *one));
        fs::create_dir(copy).map_err(failed)?;
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            show(&entry.path(), &copy.join(entry.file_name()), is_complete)?;
        }
    } else if is_complete {
        symlink(path, copy).map_err(failed)?;
    } else {
        // Without its permissions, so that the copy of a file that cannot be written can be.
        let mut content = File::open(path).map_err(failed)?;
        io::copy(&mut content, &mut File::create(copy).map_err(failed)?).map_err(failed)?;
    }
    Ok(())
}
