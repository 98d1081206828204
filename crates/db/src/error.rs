//! [`Error`]: the failures of a database call, distinguished by what the caller can do about them.

mod class;
#[cfg(test)]
#[path = "error/tests/every.rs"]
pub(crate) mod every;

use std::borrow::Cow;
use std::fmt;

use velocitydb_core::{
    CollectionName, Consistency, DocumentId, IndexName, Outcome, Path, Refusal, RequestId,
    Violations,
};

/// The result of a database call.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of a database call.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is not valid. The message says what is wrong, where, and what would be right.
    #[error(transparent)]
    Invalid(velocitydb_core::Error),
    /// The document does not exist.
    #[error("document {id:?} does not exist in collection {collection:?}{batch}", id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    NotFound {
        /// Where it was looked for.
        collection: CollectionName,
        /// Its id.
        id: DocumentId,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document exists already.
    #[error("document {id:?} exists in collection {collection:?} already, at version {version}; use upsert or replace to overwrite it{batch}", id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    AlreadyExists {
        /// Where it exists.
        collection: CollectionName,
        /// Its id.
        id: DocumentId,
        /// Its version.
        version: u64,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// Another document has the same values in a unique index.
    #[error("document {id:?} of collection {collection:?} was refused: document {other:?} has the same values in unique index {index:?}{batch}", id = id.by_ref(), other = other.by_ref(), index = index.as_str(), collection = collection.as_str(), batch = Within(.batch))]
    Duplicate {
        /// The collection.
        collection: CollectionName,
        /// The document that was refused.
        id: DocumentId,
        /// The index.
        index: IndexName,
        /// The document that has the values.
        other: DocumentId,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document violates the collection's schema.
    #[error("document {id:?} violates the schema of collection {collection:?}: {violations}{batch}", id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    SchemaViolation {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// Each violation, with its path, its rule and the value.
        violations: Violations,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document cannot be changed like this: a number would be added to a string, for instance,
    /// or it would be larger than a document may be.
    #[error("document {id:?} of collection {collection:?} cannot be written: {reason}{batch}", id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    Inapplicable {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// What cannot be done, and where.
        reason: velocitydb_core::Error,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document has another version than expected. If it was claimed, the version was its
    /// fencing token: it has been changed, or claimed by another claimant.
    #[error("document {id:?} of collection {collection:?} {state}{batch}", state = Stale(*expected, *found), id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    VersionMismatch {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// The expected version: the fencing token.
        expected: u64,
        /// The actual version; 0 when it does not exist.
        found: u64,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The content of the document does not satisfy a condition.
    #[error("document {id:?} of collection {collection:?}, at version {version}, {what}{batch}", what = Differing(.path), id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    ConditionFailed {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// The first field that has another value; `None` when the condition is about the whole
        /// document.
        path: Option<Path>,
        /// The document's version.
        version: u64,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// A lease was to be renewed or released, and the document has none.
    #[error("document {id:?} of collection {collection:?}, at version {version}, has no lease: it was completed, or claimed without one{batch}", id = id.by_ref(), collection = collection.as_str(), batch = Within(.batch))]
    NotLeased {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// Its version.
        version: u64,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The lease of a [guard](crate::LeaseGuard) is lost. Nothing was changed: stop the work, since
    /// another claimant may have the document.
    #[error("the lease on document {id:?} of collection {collection:?} is lost: {why}", why = Lost(cause.as_deref()), id = id.by_ref(), collection = collection.as_str())]
    LeaseLost {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// Why it could not be renewed; `None` when it has expired.
        cause: Option<Box<Error>>,
    },
    /// This process would [hold](crate::Claim::hold) more leases than it can renew. Nothing was
    /// claimed; retry when some are completed, or claim fewer.
    #[error(
        "this process holds {held} leases, and can hold at most {max}; complete some first, or claim fewer at a time"
    )]
    TooManyLeases {
        /// How many are held.
        held: usize,
        /// How many can be held.
        max: usize,
    },
    /// A change of many documents stopped between two of its steps.
    #[error("{changed} {of} collection {collection:?} {were} changed, up to {last:?} in the order of ids, and no others: {cause}", of = if *changed == 1 { "document of" } else { "documents of" }, were = if *changed == 1 { "was" } else { "were" }, last = last.by_ref(), collection = collection.as_str())]
    Unfinished {
        /// The collection.
        collection: CollectionName,
        /// How many documents were changed; they stay changed.
        changed: u64,
        /// The last id up to which documents were changed, in the order of ids.
        last: DocumentId,
        /// The position of the last command that changed some, in the order of all commands.
        index: u64,
        /// Why the others were not changed; it names the document if one was the cause.
        cause: Box<Error>,
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
    /// Another index has this name.
    #[error("collection {collection:?} has another index {index:?} already; drop it first, or choose another name", collection = collection.as_str(), index = index.as_str())]
    IndexExists {
        /// The collection.
        collection: CollectionName,
        /// The index's name.
        index: IndexName,
    },
    /// An index could not be built with the existing documents.
    #[error("index {index:?} of collection {collection:?} cannot be built: {reason}", collection = collection.as_str(), index = index.as_str())]
    IndexFailed {
        /// The collection.
        collection: CollectionName,
        /// The index's name.
        index: IndexName,
        /// Which documents, and why.
        reason: String,
    },
    /// The schema was changed concurrently.
    #[error("the schema of collection {collection:?} was changed concurrently; nothing was changed, try again", collection = collection.as_str())]
    SchemaSuperseded {
        /// The collection.
        collection: CollectionName,
    },
    /// Existing documents violate the schema that was to be set.
    #[error("{count} documents of collection {collection:?} violate the schema, among them {offenders}; fix them, or set the schema without checking them", collection = collection.as_str(), offenders = Offenders(.offenders))]
    SchemaViolated {
        /// The collection.
        collection: CollectionName,
        /// How many documents violate it.
        count: u64,
        /// The first of them, with their violations.
        offenders: Vec<(DocumentId, Violations)>,
    },
    /// The level is below the collection's floor.
    #[error("consistency_too_weak: collection {collection:?} takes {action} at {floor} or stronger, not at {level}", collection = collection.as_str())]
    ConsistencyTooWeak {
        /// The collection.
        collection: CollectionName,
        /// "reads" or "writes".
        action: Cow<'static, str>,
        /// The weakest level that it takes.
        floor: Consistency,
        /// The level that was asked for.
        level: Consistency,
    },
    /// A document does not fit the type that it is read into, or a value cannot become a document.
    #[error("document {id:?} of collection {collection:?} does not fit the type: {reason}", id = id.by_ref(), collection = collection.as_str())]
    Type {
        /// The document's collection.
        collection: CollectionName,
        /// The document's id.
        id: DocumentId,
        /// What does not fit, and where.
        reason: String,
    },
    /// A query was stopped at its deadline.
    #[error(
        "the query was stopped at its deadline; nothing was changed. Give it more time, an index or a narrower filter"
    )]
    DeadlineExceeded,
    /// It was [cancelled](crate::Cancellation). Nothing was changed.
    #[error("it was cancelled; nothing was changed")]
    Cancelled,
    /// A query would use more memory than its limit. Nothing was changed: narrow its filter, sort by
    /// an index, or raise the limit.
    #[error("{what}{place} is {found}, and at most {max} is allowed", place = AtPlace(.place))]
    MemoryExceeded {
        /// What the memory is used for, as in "memory of a query for sorting in bytes".
        what: Cow<'static, str>,
        /// The stage or operator of a pipeline; empty outside of pipelines.
        place: String,
        /// How many bytes it would be.
        found: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The command would do more than one command may. Nothing was done: do it in parts.
    #[error("{what} is {found}, and at most {max} is allowed; do it in parts")]
    CommandTooLarge {
        /// What there is too much of.
        what: Cow<'static, str>,
        /// How much there is, as far as it was counted.
        found: usize,
        /// How much there may be.
        max: usize,
    },
    /// Whether the command was applied is not known: storage failed after it was written and before
    /// it was known to be durable. Open the database again, and retry with the same request id, or
    /// read the data.
    #[error(
        "whether this was applied is not known: {cause}; then retry with the same request id, or read the data"
    )]
    OutcomeUnknown {
        /// What failed.
        cause: Box<Error>,
    },
    /// Too many commands wait. Nothing was done; retry later.
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
    /// A command with this request id was already applied, and what it returned is not remembered: the
    /// value of a transaction, or a large document. This call did nothing.
    #[error("request {request:?} was already applied, as command {index}, and what it returned is not remembered; this call did nothing", request = request.as_str())]
    AlreadyApplied {
        /// The request id.
        request: RequestId,
        /// The position of the first attempt in the order of all commands.
        index: u64,
    },
    /// The database cannot be closed yet: other handles or snapshots hold it. Everything that was
    /// acknowledged is as durable as the mode can make it, and the database closes when the last of
    /// them is dropped.
    #[error("the database is still open: {holders} it; drop what holds it, and it closes", holders = Holders(*handles, *snapshots))]
    InUse {
        /// Other handles: of the database, its collections, transactions and queries.
        handles: usize,
        /// Snapshots and cursors; not counted while there are other handles.
        snapshots: u64,
    },
    /// Stored bytes are damaged.
    #[error(
        "corrupt data at {place}: {what}; run `velocitydb doctor` on the data folder and restore from a backup"
    )]
    Corrupt {
        /// Where.
        place: String,
        /// What was found.
        what: String,
    },
    /// The state was written by a newer release, which applies commands by other rules.
    #[error(
        "the state was written with version {found} of the rules for applying commands, and this release supports version {supported}; use a newer release"
    )]
    StateVersion {
        /// The version found.
        found: u64,
        /// The only supported version.
        supported: u64,
    },
    /// The data folder has an older format and cannot be migrated, since something in it has the name
    /// `_meta`, which is reserved now. Nothing was changed.
    #[error(
        "the data folder has an older format and cannot be migrated: in collection {collection:?} {what}, and the name _meta belongs to the database now; with the version that wrote the folder, {remedy}", collection = collection.as_str()
    )]
    NotMigrated {
        /// The collection.
        collection: CollectionName,
        /// What has the name, as the rest of a sentence.
        what: String,
        /// What to do, and the command that does it.
        remedy: String,
    },
    /// The operating system could not start a thread.
    #[error("the thread {name} could not be started: {reason}")]
    Thread {
        /// Its name.
        name: &'static str,
        /// The system's error message.
        reason: String,
    },
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] velocitydb_storage::Error),
}

impl From<velocitydb_core::Error> for Error {
    /// Errors that are not about the input have variants of their own here.
    fn from(error: velocitydb_core::Error) -> Self {
        use velocitydb_core::Error as Core;
        match error {
            Core::DeadlineExceeded => Error::DeadlineExceeded,
            Core::MemoryExceeded { what, place, found, max } => {
                Error::MemoryExceeded { what, place, found, max }
            }
            Core::Corrupt { problem } => {
                let (place, what) = ("an encoded value".to_owned(), problem.into_owned());
                Error::Corrupt { place, what }
            }
            error => Error::Invalid(error),
        }
    }
}

/// Which operation of a batch caused an [`Error`]. Nothing of the batch was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedBatch {
    /// Which operation it is, from 0: the first that was refused.
    pub position: usize,
    /// The outcome of each operation, in order: refused, or abandoned since another one was
    /// refused.
    pub outcomes: Vec<Outcome>,
}

impl Error {
    /// The error for a write that was refused.
    pub(crate) fn refused(
        collection: CollectionName,
        id: DocumentId,
        refusal: Refusal,
        batch: Option<Box<RefusedBatch>>,
    ) -> Self {
        match refusal {
            Refusal::Exists { version } => Error::AlreadyExists { collection, id, version, batch },
            Refusal::Missing => Error::NotFound { collection, id, batch },
            Refusal::Version { expected, found } => {
                Error::VersionMismatch { collection, id, expected, found, batch }
            }
            Refusal::Content { path, version } => {
                Error::ConditionFailed { collection, id, path, version, batch }
            }
            Refusal::Unmatched { version } => {
                Error::ConditionFailed { collection, id, path: None, version, batch }
            }
            Refusal::Update(reason) => Error::Inapplicable { collection, id, reason, batch },
            Refusal::Duplicate { index, id: other } => {
                Error::Duplicate { collection, id, index, other, batch }
            }
            Refusal::Schema(violations) => {
                Error::SchemaViolation { collection, id, violations, batch }
            }
            Refusal::NoLease { version } => Error::NotLeased { collection, id, version, batch },
        }
    }

    /// The underlying failure: for [`Unfinished`](Error::Unfinished), why it stopped; for
    /// [`OutcomeUnknown`](Error::OutcomeUnknown), what failed; otherwise the error itself.
    pub fn cause(&self) -> &Error {
        match self {
            Error::Unfinished { cause, .. } | Error::OutcomeUnknown { cause } => cause.cause(),
            error => error,
        }
    }

    /// If a batch was refused: which of its operations this error is about, and the outcomes of
    /// all.
    pub fn batch(&self) -> Option<&RefusedBatch> {
        match self {
            Error::NotFound { batch, .. }
            | Error::AlreadyExists { batch, .. }
            | Error::Duplicate { batch, .. }
            | Error::SchemaViolation { batch, .. }
            | Error::Inapplicable { batch, .. }
            | Error::VersionMismatch { batch, .. }
            | Error::ConditionFailed { batch, .. }
            | Error::NotLeased { batch, .. } => batch.as_deref(),
            _ => None,
        }
    }

    /// Whether the device has too little room.
    pub(crate) fn is_disk_full(&self) -> bool {
        matches!(self, Error::Storage(velocitydb_storage::Error::DiskFull { .. }))
    }
}

/// Documents that violate a schema, in a sentence.
struct Offenders<'a>(&'a [(DocumentId, Violations)]);

impl fmt::Display for Offenders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (id, violations)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{:?}", id.by_ref())?;
            if let Some(violation) = violations.as_slice().first() {
                write!(f, " ({violation})")?;
            }
        }
        Ok(())
    }
}

/// Why a lease is lost, in a sentence.
struct Lost<'a>(Option<&'a Error>);

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cause) => write!(f, "{cause}"),
            None => f.write_str("it has expired"),
        }
    }
}

/// What holds a database, in a sentence.
struct Holders(usize, u64);

impl fmt::Display for Holders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Holders(0, 1) => write!(f, "1 snapshot or cursor holds"),
            Holders(0, count) => write!(f, "{count} snapshots or cursors hold"),
            Holders(1, _) => write!(f, "1 other handle holds"),
            Holders(count, _) => write!(f, "{count} other handles hold"),
        }
    }
}

/// A version that was expected, and that which was found, in a sentence.
struct Stale(u64, u64);

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stale(expected, found) = self;
        match found {
            0 => write!(f, "does not exist, and version {expected} was expected"),
            _ => write!(
                f,
                "has version {found}, not {expected}: it was changed, or claimed by another claimant"
            ),
        }
    }
}

/// A place in a pipeline, as part of a sentence.
struct AtPlace<'a>(&'a str);

impl fmt::Display for AtPlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at {:?}", self.0) }
    }
}

/// The place in a batch, behind a sentence.
struct Within<'a>(&'a Option<Box<RefusedBatch>>);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(batch) = self.0 else { return Ok(()) };
        let (number, count) = (batch.position + 1, batch.outcomes.len());
        write!(f, " (operation {number} of {count}, none of which was applied)")
    }
}

/// How a document fails a condition, in a sentence.
struct Differing<'a>(&'a Option<Path>);

impl fmt::Display for Differing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "has another value in field {path}"),
            None => f.write_str("does not satisfy its condition"),
        }
    }
}
