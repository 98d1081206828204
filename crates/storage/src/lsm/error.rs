//! Converts the store's errors to ours, by what the caller can do about them.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Error;

fn is_io_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether the store failed because the device is full.
pub(super) fn is_full(error: &fjall::Error) -> bool {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            is_io_full(error)
        }
        _ => false,
    }
}

/// The error of an operating system call on `path`.
pub(super) fn io(action: &'static str, path: &Path, error: &io::Error) -> Error {
    if is_io_full(error) {
        return Error::DiskFull { path: path.to_owned(), room: None };
    }
    Error::Io { action, path: path.to_owned(), reason: error.to_string() }
}

/// The error of a call of the store; `place` is where it was, in case it found corruption.
pub(super) fn store(
    action: &'static str,
    path: &Path,
    place: impl FnOnce() -> String,
    error: &fjall::Error,
) -> Error {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            match error.kind() {
                // The last one is the system's error for an invalid offset in a damaged
                // table.
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::NotFound
                | io::ErrorKind::InvalidInput => Error::Corrupt {
                    place: place(),
                    what: format!("a file is missing, too short or damaged ({error})"),
                },
                _ => io(action, path, error),
            }
        }
        fjall::Error::Locked => Error::Locked { path: path.to_owned(), waited: Duration::ZERO },
        fjall::Error::Poisoned => Error::Poisoned {
            reason: "the store stopped after a failure in the background".to_owned(),
        },
        error => {
            Error::Corrupt { place: place(), what: format!("the store refuses it: {error:?}") }
        }
    }
}
