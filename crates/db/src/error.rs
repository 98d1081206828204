//! What can go wrong, by what the caller can do about it.

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
    /// The input is not what is allowed. The message says what, where, and what is.
    #[error(transparent)]
    Invalid(velocitydb_core::Error),
    /// The document does not exist.
    #[error("document {id:?} does not exist in collection {collection:?}{batch}", id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
    NotFound {
        /// Where it was looked for.
        collection: CollectionName,
        /// Its id.
        id: DocumentId,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document exists already.
    #[error("document {id:?} exists in collection {collection:?} already, at version {version}; use upsert or replace to overwrite it{batch}", id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
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
    /// A unique index has the document's values for another one.
    #[error("document {id:?} of collection {collection:?} was refused: document {other:?} has the same values in unique index {index:?}{batch}", id = id.as_str(), other = other.as_str(), index = index.as_str(), collection = collection.as_str(), batch = Within(.batch))]
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
    #[error("document {id:?} violates the schema of collection {collection:?}: {violations}{batch}", id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
    SchemaViolation {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// Each violation, with its place, its rule and the value.
        violations: Violations,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document cannot be changed so: a number would be added to a text, for instance, or it
    /// would be larger than a document may be.
    #[error("document {id:?} of collection {collection:?} cannot be written so: {reason}{batch}", id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
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
    /// The document has another version than the one that was expected. Of claimed work: it is
    /// somebody else's by now, or was changed, and the version was its fencing token.
    #[error("document {id:?} of collection {collection:?} {state}{batch}", state = Stale(*expected, *found), id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
    VersionMismatch {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// The version that it was to have: the fencing token.
        expected: u64,
        /// The version that it has; 0 when it does not exist.
        found: u64,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// The document is not what a condition says of its content.
    #[error("document {id:?} of collection {collection:?}, at version {version}, {what}{batch}", what = Differing(.path), id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
    ConditionFailed {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// The first field that has another value; `None` when the condition is about the document
        /// as a whole.
        path: Option<Path>,
        /// The document's version.
        version: u64,
        /// The batch that was refused for it.
        batch: Option<Box<RefusedBatch>>,
    },
    /// A lease was to be renewed or released, and nobody has one on the document.
    #[error("document {id:?} of collection {collection:?}, at version {version}, has no lease: it was completed, or claimed without one{batch}", id = id.as_str(), collection = collection.as_str(), batch = Within(.batch))]
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
    /// The lease of a [guard](crate::LeaseGuard) is lost. Nothing was changed: stop the work, which
    /// somebody else may have by now.
    #[error("the lease on document {id:?} of collection {collection:?} is lost: {why}", why = Lost(cause.as_deref()), id = id.as_str(), collection = collection.as_str())]
    LeaseLost {
        /// The collection.
        collection: CollectionName,
        /// The document.
        id: DocumentId,
        /// Why it could not be renewed; `None` when it has expired.
        cause: Option<Box<Error>>,
    },
    /// More leases would be [held](crate::Claim::hold) by this process than it renews. Nothing was
    /// claimed; retry when some are settled, or claim fewer.
    #[error(
        "this process holds {held} leases, and would hold more than {max}, which is as many as it renews; complete some first, or claim fewer at a time"
    )]
    TooManyLeases {
        /// How many are held.
        held: usize,
        /// How many may be.
        max: usize,
    },
    /// Changing many documents stopped between two of its steps.
    #[error("{changed} {of} collection {collection:?} {were} changed, up to {last:?} in the order of ids, and no others: {cause}", of = if *changed == 1 { "document of" } else { "documents of" }, were = if *changed == 1 { "was" } else { "were" }, last = last.as_str(), collection = collection.as_str())]
    Unfinished {
        /// The collection.
        collection: CollectionName,
        /// How many documents were changed, and stay so.
        changed: u64,
        /// The last id up to which that was done, in the order of ids.
        last: DocumentId,
        /// The place of the last command that changed some in the order of all.
        index: u64,
        /// Why the others were not; it names the document if it is about one.
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
        action: Cow<'static, str>,
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
    /// A query was stopped at its deadline.
    #[error(
        "the query was stopped at its deadline; nothing was changed. Give it more time, an index or a narrower filter"
    )]
    DeadlineExceeded,
    /// It was [cancelled](crate::Cancellation). Nothing was changed.
    #[error("it was cancelled; nothing was changed")]
    Cancelled,
    /// A query would hold more memory than it was given. Nothing was changed: narrow its filter, sort
    /// by an index, or give it more.
    #[error("{what}{place} is {found}, and at most {max} is allowed", place = AtPlace(.place))]
    MemoryExceeded {
        /// What it is held for, as in "memory of a query for sorting in bytes".
        what: Cow<'static, str>,
        /// The stage or operator of a pipeline; empty for what is none.
        place: String,
        /// How many bytes it would be.
        found: usize,
        /// How many it was given.
        max: usize,
    },
    /// One command would change more than one may. Nothing was done: do it in parts.
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
    /// it was known to be durable. Open the database again, and ask again with the same request id,
    /// or look.
    #[error(
        "whether this was applied is not known: {cause}; then retry with the same request id, or read what is there"
    )]
    OutcomeUnknown {
        /// What failed.
        cause: Box<Error>,
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
    /// The database was to be closed, and is held by others. Everything that was acknowledged is as
    /// durable as the mode can make it, and the database closes with the last of them.
    #[error("the database is still open: {holders} it; drop what holds it, and it closes", holders = Holders(*handles, *snapshots))]
    InUse {
        /// Other handles: of the database, its collections, transactions and queries.
        handles: usize,
        /// Snapshots and cursors; not counted while there are other handles.
        snapshots: u64,
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
    /// The state was written by a release that applies commands by later rules.
    #[error(
        "the state follows version {found} of the rules, and this release knows version {supported}; use a newer release"
    )]
    StateVersion {
        /// The version found.
        found: u64,
        /// The only version that is known.
        supported: u64,
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

impl From<velocitydb_core::Error> for Error {
    /// What is no matter of the input has a variant of its own here.
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

/// Where the operation that is an [`Error`] stood in its batch, nothing of which was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedBatch {
    /// Which operation it is, from 0: the first that was refused.
    pub position: usize,
    /// What became of each operation, in their order: refused, or abandoned since another one was.
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

    /// Why it failed: of changing many documents that was [`Unfinished`](Error::Unfinished), why
    /// it stopped; of a command whose [outcome is unknown](Error::OutcomeUnknown), what failed; of
    /// all else, the error itself.
    pub fn cause(&self) -> &Error {
        match self {
            Error::Unfinished { cause, .. } | Error::OutcomeUnknown { cause } => cause.cause(),
            error => error,
        }
    }

    /// The batch that was refused, if it was one: which of its operations this is about, and what
    /// became of the others.
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
            write!(f, "{separator}{:?}", id.as_str())?;
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
            0 => write!(f, "does not exist, and was to have version {expected}"),
            _ => write!(
                f,
                "has version {found}, not {expected}: it was changed, or claimed by somebody else"
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

/// What of a document is not as a condition says, in a sentence.
struct Differing<'a>(&'a Option<Path>);

impl fmt::Display for Differing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "has another value in field {path}"),
            None => f.write_str("does not satisfy its condition"),
        }
    }
}
