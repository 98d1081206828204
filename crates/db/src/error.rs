//! What can go wrong, by what the caller can do about it.

use std::fmt;

use velocitydb_core::{
    CollectionName, Consistency, DocumentId, IndexName, Refusal, RequestId, Violations,
};

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
    /// A unique index has the document's values for another one.
    #[error("document {id:?} of collection {collection:?} was refused: document {other:?} has the same values in unique index {index:?}", id = id.as_str(), other = other.as_str(), index = index.as_str(), collection = collection.as_str())]
    Duplicate {
        /// The collection.
        collection: CollectionName,
        /// The document that was refused.
        id: DocumentId,
        /// The index.
        index: IndexName,
        /// The document that has the values.
        other: DocumentId,
    },
    /// The document violates the collection's schema.
    #[error("document {id:?} violates the schema of collection {collection:?}: {violations}", id = id.as_str(), collection = collection.as_str())]
    SchemaViolation {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// Each violation, with its place, its rule and the value.
        violations: Violations,
    },
    /// Claimed work has another version than the claim gave it: it is somebody else's, or changed.
    #[error("document {id:?} of collection {collection:?} {state}, and the claim gave it version {version}: it is no longer the claimant's", state = Versioned(*found), id = id.as_str(), collection = collection.as_str())]
    Fenced {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// The version that was given, the fencing token.
        version: u64,
        /// The version that it has; 0 when it does not exist.
        found: u64,
    },
    /// A lease was to be renewed or released, and nobody has one on the document.
    #[error("document {id:?} of collection {collection:?}, at version {version}, has no lease: it was completed, or claimed without one", id = id.as_str(), collection = collection.as_str())]
    NotLeased {
        /// The collection.
        collection: CollectionName,
        /// The document.
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
    /// There is no index of this name.
    #[error("collection {collection:?} has no index {index:?}", collection = collection.as_str(), index = index.as_str())]
    NoIndex {
        /// The collection.
        collection: CollectionName,
        /// The index's name.
        index: IndexName,
    },
    /// There is another index of this name.
    #[error("collection {collection:?} has another index {index:?} already; drop it first, or choose another name", collection = collection.as_str(), index = index.as_str())]
    IndexExists {
        /// The collection.
        collection: CollectionName,
        /// The index's name.
        index: IndexName,
    },
    /// An index could not be built, since documents are as they are.
    #[error("index {index:?} of collection {collection:?} cannot be built: {reason}", collection = collection.as_str(), index = index.as_str())]
    IndexFailed {
        /// The collection.
        collection: CollectionName,
        /// The index's name.
        index: IndexName,
        /// Which documents, and why.
        reason: String,
    },
    /// Another change of the schema came in between.
    #[error("another change of the schema of collection {collection:?} came in between; nothing was changed, try again", collection = collection.as_str())]
    SchemaSuperseded {
        /// The collection.
        collection: CollectionName,
    },
    /// Documents that exist violate a schema that is to be set.
    #[error("{count} documents of collection {collection:?} violate the schema, among them {offenders}; mend them, or impose the schema as it is", collection = collection.as_str(), offenders = Offenders(.offenders))]
    SchemaViolated {
        /// The collection.
        collection: CollectionName,
        /// How many documents do.
        count: u64,
        /// The first of them, and how.
        offenders: Vec<(DocumentId, Violations)>,
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
    /// The request id was used before, for another command. Nothing was done.
    #[error("request id {request:?} was used for another command before, and nothing was done; give every command an id of its own, and the same one only to a retry of the same call", request = request.as_str())]
    RequestReused {
        /// The request id.
        request: RequestId,
    },
    /// The request was done before, and what it returned then is not remembered: the value of a
    /// transaction, or a large document. Nothing was done now.
    #[error("request {request:?} was done before, as command {index}, and what it returned is not remembered; nothing was done now", request = request.as_str())]
    DoneBefore {
        /// The request id.
        request: RequestId,
        /// The place of the first attempt in the order of all commands.
        index: u64,
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
            Error::Conflict
            | Error::Contention { .. }
            | Error::Overloaded { .. }
            | Error::SchemaSuperseded { .. } => true,
            Error::Storage(error) => error.is_retryable(),
            _ => false,
        }
    }
}

/// Documents that violate a schema, in a sentence.
struct Offenders<'a>(&'a [(DocumentId, Violations)]);

impl fmt::Display for Offenders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (id, violations)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{:?}", id.as_str())?;
            if let Some(violation) = violations.as_slice().first() {
                write!(f, " ({violation})")?;
            }
        }
        Ok(())
    }
}

/// The version of a document, or that there is none, in a sentence.
struct Versioned(u64);

impl fmt::Display for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("does not exist"),
            version => write!(f, "has version {version}"),
        }
    }
}
