//! [`Failure`]: why a command failed, as one sentence with what to do about it.

use std::io;
use std::path::PathBuf;

use velocitydb::{DocumentId, InputError, JsonMistake, Refusal};

use crate::format::id_argument;
use crate::progress::Progress;
use crate::violations;

/// The result of a command.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database refused or failed.
    #[error(transparent)]
    Database(#[from] velocitydb::Error),
    /// One of many documents could not be read or inserted.
    #[error("input line {line}: {source}; {progress}")]
    Line {
        /// Its line, from 1; of a batch that failed as a whole, the first one.
        line: usize,
        /// What has been inserted.
        progress: Progress,
        /// Why.
        source: Box<Failure>,
    },
    /// A document of an import was refused, and the others were not.
    #[error("document {} was refused: {refusal}", id.to_value())]
    Document {
        /// Its id.
        id: DocumentId,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// Documents of an import were refused, and put aside.
    #[error("{}; {path} says why", refused(*count), path = .path.display())]
    Refused {
        /// How many.
        count: u64,
        /// The file that has them.
        path: PathBuf,
    },
    /// The file of refused documents could not be written.
    #[error("writing the refused documents to {path} failed: {source}", path = .path.display())]
    Errors {
        /// The file.
        path: PathBuf,
        /// The system's error message.
        source: io::Error,
    },
    /// A requested document does not exist.
    #[error("document {} does not exist in collection {collection:?}{}", id.to_value(), other_type(other))]
    NotFound {
        /// Where it was looked for.
        collection: String,
        /// Its id.
        id: DocumentId,
        /// An id of another type that looks the same, and exists.
        other: Option<DocumentId>,
    },
    /// One of several arguments is not valid.
    #[error("{name}: {source}")]
    Argument {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        source: Box<velocitydb::Error>,
    },
    /// A collection does not exist.
    #[error("collection {collection:?} does not exist{}", meant(nearest.as_ref()))]
    NoCollection {
        /// The name that was given.
        collection: String,
        /// The name of a collection that was probably meant.
        nearest: Option<String>,
    },
    /// No document matches the filter, but one is required.
    #[error("no document of collection {collection:?} matches the filter")]
    NoneFound {
        /// Where it was looked for.
        collection: String,
    },
    /// A collection has no schema.
    #[error("collection {collection:?} has no schema")]
    NoSchema {
        /// Its name.
        collection: String,
    },
    /// Documents violate the schema. The output lists them and their
    /// violations.
    #[error("documents that violate the schema: {count}")]
    Violated {
        /// How many.
        count: u64,
    },
    /// The retry of a claim returned no documents.
    #[error(
        "{count} were claimed before, and none of them still has the version that the claim gave it"
    )]
    Lost {
        /// How many the first attempt had claimed.
        count: usize,
    },
    /// The comparison did not hold. The output says so.
    #[error("the comparison did not hold")]
    NotSwapped {
        /// Why.
        refusal: Option<Refusal>,
    },
    /// There is no data folder to read from.
    #[error("there is no data folder {path}", path = .path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The given JSON is not valid for this command.
    #[error("{what}")]
    Input {
        /// What is wrong with it, and what is right.
        what: String,
    },
    /// The input is not text.
    #[error("the input is not UTF-8: found byte 0x{byte:02x} at line {line}, column {column}")]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// The first byte that is not part of a character.
        byte: u8,
    },
    /// A file could not be read.
    #[error("reading {path} failed: {source}", path = .path.display())]
    Read {
        /// The file, or `-` for standard input.
        path: PathBuf,
        /// The system's error message.
        source: io::Error,
    },
    /// A line of the input, or all of it, is longer than any document.
    #[error("the input is longer than {max} bytes, which is more than any document takes")]
    TooLong {
        /// The most bytes.
        max: usize,
    },
    /// The result of a command that changes nothing could not be written.
    #[error("writing the result failed: {0}")]
    Write(#[from] io::Error),
    /// The result of a command could not be written; the command itself was completed.
    #[error("the command was completed, but writing its result failed: {0}")]
    Unwritten(io::Error),
    /// A temporary folder could not be created or removed.
    #[error("creating or removing the temporary folder in {path} failed: {source}", path = .path.display())]
    TemporaryFolder {
        /// Where.
        path: PathBuf,
        /// The system's error message.
        source: io::Error,
    },
    /// The doctor found problems. The output lists them.
    #[error("the data folder has {count} problems")]
    Unhealthy {
        /// How many.
        count: u64,
    },
    /// Outcomes of the demo are not as expected.
    #[error("{count} outcomes of the demo are not as expected")]
    Demo {
        /// How many.
        count: usize,
    },
}

/// Says how many documents were refused.
fn refused(count: u64) -> String {
    match count {
        1 => "1 document was refused".to_owned(),
        count => format!("{count} documents were refused"),
    }
}

/// Asks whether a similar name is meant.
fn meant(nearest: Option<&String>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest:?}?"))
}

/// What to do about input in another encoding.
const NOT_UTF8: &str =
    "convert it to UTF-8, for instance with `iconv -f LATIN1 -t UTF-8`, or `-f UTF-16`";

/// Says how to write an id of another type that exists.
fn other_type(other: &Option<DocumentId>) -> String {
    other.as_ref().map_or_else(String::new, |other| {
        let kind = other.to_value().kind();
        format!("; but one exists whose id is of the type {kind}: write {}", id_argument(other))
    })
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Failure::Database(error.into())
    }
}

impl Failure {
    /// What failed; a list of violations follows below.
    pub fn sentence(&self) -> String {
        match (self, self.database().and_then(violations::heading)) {
            (Failure::Line { line, progress, .. }, Some(heading)) => {
                format!("input line {line}: {progress}; {heading}")
            }
            (_, Some(heading)) => heading,
            (_, None) => self.to_string(),
        }
    }

    /// The lines below the sentence.
    pub fn details(&self) -> Vec<String> {
        self.database().map(violations::lines).unwrap_or_default()
    }

    /// The database's error, if it is one.
    fn database(&self) -> Option<&velocitydb::Error> {
        match self {
            Failure::Database(error) => Some(error),
            Failure::Line { source, .. } => source.database(),
            Failure::Argument { source, .. } => Some(source),
            _ => None,
        }
    }

    /// The likely mistake in a text that is not JSON.
    pub fn mistake(&self) -> Option<JsonMistake> {
        match self {
            Failure::Database(velocitydb::Error::Invalid(InputError::InvalidJson {
                mistake,
                ..
            })) => Some(*mistake),
            _ => None,
        }
    }

    /// What to do about it, if the sentence itself does not say so.
    pub fn remedy(&self) -> Option<&'static str> {
        use velocitydb::Error as Db;
        match self {
            Failure::Database(Db::NotFound { .. }) => {
                Some("create it with `velocitydb insert` or `velocitydb upsert`")
            }
            Failure::NotFound { .. } => Some("`velocitydb list COLLECTION` shows what there is"),
            Failure::NoCollection { .. } | Failure::Database(Db::NoCollection { .. }) => {
                Some("`velocitydb collections` shows what there is")
            }
            Failure::Database(Db::ConsistencyTooWeak { .. }) => {
                Some("give a stronger level with --consistency")
            }
            Failure::Database(Db::NoIndex { .. }) => {
                Some("`velocitydb index list COLLECTION` shows what there is")
            }
            Failure::Database(Db::SchemaViolated { .. }) => {
                Some("fix them, or leave them as they are with --keep-existing")
            }
            Failure::Database(Db::VersionMismatch { .. }) => {
                Some("stop this work: the document was changed, or claimed by another claimant")
            }
            Failure::Database(Db::MemoryExceeded { .. }) => {
                Some("narrow the filter, sort by an index, or raise the limit with --memory")
            }
            Failure::NoSchema { .. } => Some("give it one with `velocitydb schema set`"),
            Failure::NoFolder { .. } => {
                Some("name another one with --path, or create it by inserting a document")
            }
            Failure::Unhealthy { .. } => Some("restore the folder from a backup"),
            Failure::NotUtf8 { .. } => Some(NOT_UTF8),
            Failure::Line { source, .. } if matches!(**source, Failure::NotUtf8 { .. }) => {
                Some(NOT_UTF8)
            }
            Failure::Line { source, .. } if source.mistake() == Some(JsonMistake::Unclosed) => {
                Some(
                    "with --many each line is a document, unless all are elements of one JSON array",
                )
            }
            Failure::Demo { .. } => Some("this is a bug of velocitydb, please report it"),
            _ => None,
        }
    }
}
