//! [`Failure`]: why a command did not do what it was asked, as one sentence on standard error with
//! what to do about it, and as an exit code by kind.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use velocitydb::{InputError, Refusal, StorageError};

use crate::output;

/// The result of a command.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database refused or failed.
    #[error(transparent)]
    Database(#[from] velocitydb::Error),
    /// One of many documents could not be inserted.
    #[error("input line {line}: {source}; {inserted} documents were inserted")]
    Line {
        /// Its line, from 1; of a batch that failed as a whole, the first one.
        line: usize,
        /// How many documents are in the database now.
        inserted: usize,
        /// Why.
        source: Box<velocitydb::Error>,
    },
    /// A document that was asked for does not exist.
    #[error("document {id:?} does not exist in collection {collection:?}")]
    NotFound {
        /// Where it was looked for.
        collection: String,
        /// Its id.
        id: String,
    },
    /// The comparison did not hold. The result has said so.
    #[error("the comparison did not hold")]
    NotSwapped,
    /// There is no data folder to read from.
    #[error("there is no data folder {path}", path = .path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The JSON given is not what this command takes.
    #[error("{what}")]
    Input {
        /// What is wrong with it, and what is right.
        what: String,
    },
    /// A file could not be read.
    #[error("reading {path} failed: {source}", path = .path.display())]
    Read {
        /// The file, or `-` for standard input.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The result could not be written.
    #[error("writing the result failed: {0}")]
    Write(#[from] io::Error),
    /// A temporary folder could not be made or removed.
    #[error("making or removing the temporary folder in {path} failed: {source}", path = .path.display())]
    TemporaryFolder {
        /// Where.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The doctor found something. The result has said what.
    #[error("the data folder has {count} problems")]
    Unhealthy {
        /// How many.
        count: usize,
    },
    /// The demo did not come out as it has to.
    #[error("{count} outcomes of the demo are not what they have to be")]
    Demo {
        /// How many.
        count: usize,
    },
}

/// The exit codes, as `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Code {
    NotFound = 1,
    InvalidInput = 3,
    Conflict = 4,
    Unavailable = 5,
    Corrupt = 6,
    TooWeak = 7,
    Bug = 70,
}

impl Failure {
    /// Writes the failure to standard error, and gives the exit code of its kind.
    pub fn report(&self) -> ExitCode {
        if let Failure::Write(error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            // Whoever reads the result has seen enough.
            return ExitCode::SUCCESS;
        }
        if !matches!(self, Failure::NotSwapped) {
            output::error(&self.to_string(), self.remedy());
        }
        ExitCode::from(self.code() as u8)
    }

    fn code(&self) -> Code {
        match self {
            Failure::Database(error) => code_of(error),
            Failure::Line { source, .. } => code_of(source),
            Failure::NotFound { .. } | Failure::NotSwapped => Code::NotFound,
            Failure::Input { .. } | Failure::Read { .. } => Code::InvalidInput,
            Failure::NoFolder { .. } | Failure::Write(_) | Failure::TemporaryFolder { .. } => {
                Code::Unavailable
            }
            Failure::Unhealthy { .. } => Code::Corrupt,
            Failure::Demo { .. } => Code::Bug,
        }
    }

    /// What to do about it, where the sentence itself does not say so.
    fn remedy(&self) -> Option<&'static str> {
        use velocitydb::Error as Db;
        match self {
            Failure::Database(Db::NotFound { .. }) => {
                Some("create it with `velocitydb insert` or `velocitydb upsert`")
            }
            Failure::NotFound { .. } => Some("`velocitydb list COLLECTION` shows what there is"),
            Failure::Database(Db::NoCollection { .. }) => {
                Some("`velocitydb collections` shows what there is")
            }
            Failure::Database(Db::ConsistencyTooWeak { .. }) => {
                Some("give a stronger level with --consistency")
            }
            Failure::NoFolder { .. } => {
                Some("name another one with --path, or make it by inserting a document")
            }
            Failure::Unhealthy { .. } => Some("restore the folder from a backup"),
            Failure::Demo { .. } => Some("this is a bug of velocitydb, please report it"),
            _ => None,
        }
    }
}

fn code_of(error: &velocitydb::Error) -> Code {
    use velocitydb::Error as Db;
    match error {
        Db::Invalid(InputError::Corrupt { .. }) | Db::Corrupt { .. } => Code::Corrupt,
        Db::Invalid(_) | Db::Type { .. } => Code::InvalidInput,
        Db::NotFound { .. } | Db::NoCollection { .. } => Code::NotFound,
        Db::Refused { refusal: Refusal::Update(_), .. } => Code::InvalidInput,
        Db::Refused { refusal: Refusal::Missing, .. } => Code::NotFound,
        Db::AlreadyExists { .. }
        | Db::CollectionExists { .. }
        | Db::Refused { .. }
        | Db::Conflict
        | Db::Contention { .. } => Code::Conflict,
        Db::ConsistencyTooWeak { .. } => Code::TooWeak,
        Db::Overloaded { .. } | Db::Thread { .. } => Code::Unavailable,
        Db::Storage(StorageError::Corrupt { .. }) => Code::Corrupt,
        Db::Storage(StorageError::Invalid { .. }) => Code::InvalidInput,
        Db::Storage(_) => Code::Unavailable,
        _ => Code::Bug,
    }
}
