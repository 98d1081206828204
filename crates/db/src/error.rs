//! What can go wrong, by what the caller can do about it.

use velocitydb_core::{CollectionName, Consistency, DocumentId, Refusal};

/// The result of a database call.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of a database call.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is not what is allowed. The message says what, where, and what is.
    #[error(transparent)]
    Invalid(#[from] velocitydb_core::Error),
    /// The document does not exist.
    #[error("document {id:?} does not exist in collection {collection:?}", id = id.as_str(), collection = collection.as_str())]
    NotFound {
        /// Where it was looked for.
        collection: CollectionName,
        /// Its id.
        id: DocumentId,
    },
    /// The document exists already.
    #[error("document {id:?} exists in collection {collection:?} already, at version {version}; use upsert or replace to overwrite it", id = id.as_str(), collection = collection.as_str())]
    AlreadyExists {
        /// Where it exists.
        collection: CollectionName,
        /// Its id.
        id: DocumentId,
        /// Its version.
        version: u64,
    },
    /// One operation of a batch could not be applied, so none was.
    #[error("operation {position} of {count}, on document {id:?} of collection {collection:?}, was refused: {refusal}; nothing of the batch was applied", id = id.as_str(), collection = collection.as_str())]
    Refused {
        /// Which operation, from 0.
        position: usize,
        /// How many the batch has.
        count: usize,
        /// The document's collection.
        collection: CollectionName,
        /// The document's id.
        id: DocumentId,
        /// Why.
        refusal: Refusal,
    },
    /// A transaction read something that has changed since. Nothing of it was applied; run it again.
    #[error(
        "the transaction conflicts with another one that was committed since it began; run it again"
    )]
    Conflict,
    /// A transaction kept conflicting with others.
    #[error(
        "the transaction was given up after {attempts} attempts that each conflicted with another one; make it smaller, or retry later"
    )]
    Contention {
        /// How often it was tried.
        attempts: u32,
    },
    /// The collection does not exist.
    #[error("collection {collection:?} does not exist", collection = collection.as_str())]
    NoCollection {
        /// Its name.
        collection: CollectionName,
    },
    /// The collection exists already.
    #[error("collection {collection:?} exists already", collection = collection.as_str())]
    CollectionExists {
        /// Its name.
        collection: CollectionName,
    },
    /// The level is below the collection's floor.
    #[error("consistency_too_weak: collection {collection:?} takes {action} at {floor} or stronger, not at {level}", collection = collection.as_str())]
    ConsistencyTooWeak {
        /// The collection.
        collection: CollectionName,
        /// "reads" or "writes".
        action: &'static str,
        /// The weakest level that it takes.
        floor: Consistency,
        /// The level that was asked for.
        level: Consistency,
    },
    /// A document does not fit the type that it is read into, or a value cannot become a document.
    #[error("document {id:?} of collection {collection:?} does not fit the type: {reason}", id = id.as_str(), collection = collection.as_str())]
    Type {
        /// The document's collection.
        collection: CollectionName,
        /// The document's id.
        id: DocumentId,
        /// What does not fit, and where.
        reason: String,
    },
    /// More requests wait than the database takes. Nothing was done; retry later.
    #[error("overloaded: {waiting} commands wait to be applied; retry later")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// Stored bytes are not what was written.
    #[error(
        "corrupt data at {place}: {what}; run `velocitydb doctor` on the data folder and restore from a backup"
    )]
    Corrupt {
        /// Where.
        place: String,
        /// What was found.
        what: String,
    },
    /// The operating system gave no thread.
    #[error("the thread {name} could not be started: {reason}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// The system's words.
        reason: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] velocitydb_storage::Error),
}

impl Error {
    /// Whether the same call can succeed later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Conflict | Error::Contention { .. } | Error::Overloaded { .. } => true,
            Error::Storage(error) => error.is_retryable(),
            _ => false,
        }
    }
}
