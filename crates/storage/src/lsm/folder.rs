//! [`Folder`]: a data folder, locked for exclusive use while this is held.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error;
use super::journal::BLOCK_BYTES;
use super::marker;
use super::mirror::Mirror;
use crate::{Error, Result};

/// The lock file, which is locked while the folder is open; empty.
const LOCK_FILE_NAME: &str = "LOCK";
/// The pause between two attempts to lock a folder: the system has no lock with a deadline.
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// The folder of the store.
const STORE_FOLDER_NAME: &str = "store";

/// A locked folder that is a data folder, or empty and about to become one.
pub(super) struct Folder {
    path: PathBuf,
    access: Access,
}

enum Access {
    /// Nobody else may read or write it.
    Exclusive(File),
    /// Nobody else may write it.
    Shared(Mirror),
}

impl Folder {
    /// Locks the folder as [`open`](Self::open) does, and creates it if it is missing.
    pub(super) fn create(path: &Path, wait: Duration) -> Result<Self> {
        fs::create_dir_all(path).map_err(|error| error::io("creating", path, &error))?;
        Folder::open(path, wait)
    }

    /// Locks an existing folder, which others may have locked for `wait` longer. Writes nothing into a
    /// folder that has foreign files.
    pub(super) fn open(path: &Path, wait: Duration) -> Result<Self> {
        check_owner(path)?;
        let lock_path = path.join(LOCK_FILE_NAME);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| error::io("opening", &lock_path, &error))?;
        lock_within(path, wait, || lock.try_lock())?;
        Ok(Folder { path: path.to_owned(), access: Access::Exclusive(lock) })
    }

    /// Locks an existing folder against writers, which may have locked it for `wait` longer. Nothing is
    /// written to it: its files are those of a [`Mirror`].
    pub(super) fn open_to_read(path: &Path, wait: Duration) -> Result<Self> {
        check_owner(path)?;
        let mirror = Mirror::new(Self::lock_to_read(path, wait)?)?;
        // Not what else somebody may have put there.
        mirror.show(path, marker::FILE_NAME)?;
        mirror.show(path, STORE_FOLDER_NAME)?;
        Ok(Folder { path: path.to_owned(), access: Access::Shared(mirror) })
    }

    /// Locks a folder against writers, which may have locked it for `wait` longer. `None` if it has no lock
    /// file, as a copy may have none: it is not made, since nothing is written, and nothing keeps a writer
    /// out then.
    pub(super) fn lock_to_read(path: &Path, wait: Duration) -> Result<Option<File>> {
        let lock_path = path.join(LOCK_FILE_NAME);
        let lock = match File::open(&lock_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lock => lock.map_err(|error| error::io("opening", &lock_path, &error))?,
        };
        lock_within(path, wait, || lock.try_lock_shared())?;
        Ok(Some(lock))
    }

    /// Whether creating a data folder here was begun or completed.
    pub(super) fn is_begun(path: &Path) -> Result<bool> {
        for name in [LOCK_FILE_NAME, marker::NEW_FILE_NAME, marker::FILE_NAME] {
            let file = path.join(name);
            if file.try_exists().map_err(|error| error::io("looking for", &file, &error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The folder as the caller named it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where its files are.
    pub(super) fn files(&self) -> &Path {
        match &self.access {
            Access::Exclusive(_) => &self.path,
            Access::Shared(mirror) => mirror.path(),
        }
    }

    /// An error with places in the folder as the caller named it.
    pub(super) fn named(&self, error: Error) -> Error {
        let named = |text: &str| {
            text.replace(&*self.files().to_string_lossy(), &self.path.to_string_lossy())
        };
        match error {
            Error::Corrupt { place, what } => {
                Error::Corrupt { place: named(&place), what: named(&what) }
            }
            Error::Invalid { what } => Error::Invalid { what: named(&what) },
            Error::Format { found, supported, .. } => {
                Error::Format { path: self.path.clone(), found, supported }
            }
            error => error,
        }
    }

    /// The folder of the store.
    pub(super) fn store(&self) -> PathBuf {
        Self::store_of(self.files())
    }

    /// The folder of the store in a data folder that has data.
    pub(super) fn existing_store(path: &Path) -> Result<PathBuf> {
        let store = Self::store_of(path);
        match store.try_exists().map_err(|error| error::io("looking for", &store, &error))? {
            true => Ok(store),
            false => Err(Error::Corrupt {
                place: store.display().to_string(),
                what: "it is missing, and with it all data".to_owned(),
            }),
        }
    }

    fn store_of(path: &Path) -> PathBuf {
        path.join(STORE_FOLDER_NAME)
    }

    /// Removes the store. There is none afterwards.
    pub(super) fn clear(&self) -> Result<()> {
        let store = self.store();
        match fs::remove_dir_all(&store) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error::io("removing", &store, &error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being forked has the file open too. If
        // unlocking fails, closing has to suffice.
        if let Access::Exclusive(lock) = &self.access {
            let _ = lock.unlock();
        }
    }
}

/// Whether a file manager made a file of this name: what macOS knows of a folder, or of another file.
pub(super) fn is_of_the_system(name: &OsStr) -> bool {
    name == ".DS_Store" || name.as_encoded_bytes().starts_with(b"._")
}

/// What a folder and everything in it occupies on the device.
pub(super) fn occupied_bytes(path: &Path) -> io::Result<u64> {
    let metadata = match fs::symlink_metadata(path) {
        // The store has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        metadata => metadata?,
    };
    let mut bytes = metadata.blocks() * BLOCK_BYTES;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            bytes += occupied_bytes(&entry?.path())?;
        }
    }
    Ok(bytes)
}

/// Locks a folder, which others may have locked for `wait` longer.
fn lock_within(
    path: &Path,
    wait: Duration,
    try_lock: impl Fn() -> std::result::Result<(), TryLockError>,
) -> Result<()> {
    let begin = Instant::now();
    loop {
        match try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error::io("locking", path, &error)),
            Err(TryLockError::WouldBlock) => {}
        }
        let rest = wait.saturating_sub(begin.elapsed());
        if rest.is_zero() {
            return Err(Error::Locked { path: path.to_owned(), waited: wait });
        }
        thread::sleep(rest.min(LOCK_PAUSE));
    }
}

/// Fails when the folder holds anything and has no marker.
fn check_owner(path: &Path) -> Result<()> {
    let failed = |error| error::io("listing", path, &error);
    let mut is_empty = true;
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name == marker::FILE_NAME {
            return Ok(());
        }
        let is_ours = name == LOCK_FILE_NAME || name == marker::NEW_FILE_NAME;
        is_empty &= is_ours || is_of_the_system(&name);
    }
    if is_empty {
        return Ok(());
    }
    Err(Error::Invalid {
        what: format!(
            "{} is neither empty nor a data folder (it has no file {})",
            path.display(),
            marker::FILE_NAME
        ),
    })
}
