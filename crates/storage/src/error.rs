//! [`Error`]: the failures of storage, distinguished by what the caller can do about them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lsm::FORMAT_BEFORE;

/// The result of a storage call.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of storage.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device is full. Reads go on, and deletes and drops, which free space, work for a while
    /// longer; writes work again once there is room.
    #[error("the disk that holds {path} is full{room}; free space there, or delete documents, and retry; reads go on meanwhile", path = path.display(), room = InWords(.room.as_ref()))]
    DiskFull {
        /// The data folder.
        path: PathBuf,
        /// How much room there is and has to be, if known.
        room: Option<Room>,
    },
    /// Commits that were acknowledged in memory are not on the device.
    #[error(
        "{batches} commits of {bytes} bytes together that were acknowledged are not on the disk: {cause}"
    )]
    Unwritten {
        /// How many there are. They are the newest ones.
        batches: u64,
        /// Bytes of their keys and values.
        bytes: u64,
        /// Why they are not.
        cause: Box<Error>,
    },
    /// Stored bytes are damaged. They are never returned to readers.
    #[error(
        "corrupt data in {place}: {what}; run `velocitydb doctor` on the data folder and restore from a backup"
    )]
    Corrupt {
        /// The file and offset, or the keyspace and key.
        place: String,
        /// What was found there.
        what: String,
    },
    /// An earlier write could not be made durable, so the content of the device is unknown.
    #[error(
        "the engine stopped accepting writes after a failure ({reason}); close the database and open it again"
    )]
    Poisoned {
        /// The first failure.
        reason: String,
    },
    /// Another process, or another handle in this one, has the data folder open.
    #[error("the data folder {path} is in use by another process or handle{still}; close that one first", path = path.display(), still = still(*waited))]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// How long opening has waited for it.
        waited: Duration,
    },
    /// The data folder was opened to be read only.
    #[error("the data folder {path} was opened to be read only", path = path.display())]
    ReadOnly {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder has a format that this version does not read.
    #[error("the data folder {path} has format {found}, and this version reads format {supported}; {advice}", path = path.display(), advice = format_advice(path, *found, *supported))]
    Format {
        /// The data folder.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The only supported format.
        supported: u32,
    },
    /// An option or argument is outside what is allowed.
    #[error("{what}")]
    Invalid {
        /// What was wrong, and what is allowed.
        what: String,
    },
    /// The operating system refused something.
    #[error("{action} {path} failed: {reason}", path = path.display())]
    Io {
        /// What was being done, such as "opening".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error message.
        reason: String,
    },
}

/// How much room a device has, and how much it has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Bytes that have to be free, for the write and for flushing and compacting.
    pub needed_bytes: u64,
}

/// The room in a sentence.
struct InWords<'a>(Option<&'a Room>);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Room { free_bytes, needed_bytes }) = self.0 else { return Ok(()) };
        write!(f, ": {free_bytes} bytes are free, and {needed_bytes} have to be")
    }
}

impl Error {
    /// Whether the same call can succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::DiskFull { .. } => true,
            Error::Unwritten { cause, .. } => cause.is_retryable(),
            _ => false,
        }
    }
}

/// For how long a folder that is still in use was waited for.
fn still(waited: Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(", also after waiting {waited:?}") }
}

/// What the user can do about a folder of another format.
fn format_advice(path: &Path, found: u32, supported: u32) -> String {
    match found {
        FORMAT_BEFORE => format!(
            "it is migrated when it is opened for writing, as by `velocitydb collections --path {}`",
            path.display()
        ),
        _ if found > supported => "use a newer version of velocitydb".to_owned(),
        _ => "export its documents with the version that wrote it, and import them into a new \
              folder"
            .to_owned(),
    }
}
