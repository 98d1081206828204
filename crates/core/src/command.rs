//! The command language: everything that can change a database, as data.
//!
//! Beside the state, the effect of a [`Command`] depends only on the command: "now" and new ids are inside
//! it. So the same commands applied to the same state give the same bytes on every machine, which
//! replication relies on. Nothing here applies commands.
//!
//! Times that a caller gives relative to now are durations, counted from the command's "now". So the retry
//! of a call differs from the first attempt only in its "now".

mod bounds;
mod decoding;
mod encoding;
mod output;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use smallvec::SmallVec;

use crate::{
    CollectionName, Consistency, DocumentId, Encoded, Error, Filter, Histogram, IndexName,
    IndexSpec, NewIds, Object, Origin, Path, Release, Sort, Time, Update, Value, Violations,
};

pub use encoding::COMMAND_VERSION;

/// A change of a database, which is applied as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The proposer's time. Applying never reads a clock.
    pub now: Time,
    /// The request that makes a retry harmless: if it has been answered before, the same answer is given
    /// again and the command is not applied.
    pub request: Option<Request>,
    /// What the command does.
    pub body: Body,
}

/// What a [`Command`] does.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Changes documents.
    Write(Write),
    /// Creates a collection.
    CreateCollection {
        /// The collection's name.
        name: CollectionName,
        /// The collection's options.
        options: CollectionOptions,
    },
    /// Drops a collection with all its documents.
    DropCollection {
        /// The collection's name.
        name: CollectionName,
    },
    /// Does what is due: removes expired documents, ends expired leases, forgets tombstones and request
    /// ids, and removes what dropped collections and indexes left.
    Maintain(Maintain),
    /// Finds documents and changes them.
    Modify(Box<Modify>),
    /// Begins an index, which later writes maintain. Creates the collection if it does not exist.
    CreateIndex {
        /// The index's collection.
        collection: CollectionName,
        /// The index's specification.
        spec: Box<IndexSpec>,
    },
    /// Does one step of the build of an index: adds the next documents, in the order of ids.
    BuildIndex {
        /// The index's collection.
        collection: CollectionName,
        /// The index's name.
        name: IndexName,
        /// How many documents the step may read, which bounds its duration.
        count_max: u32,
    },
    /// Keeps how the entries of an index are distributed, with which queries are planned. Changes nothing
    /// if there is no such index, or its build is not complete.
    SetStatistics {
        /// The index's collection.
        collection: CollectionName,
        /// The index's number, which no later index of the same name has.
        index: u32,
        /// The distribution of its keys, without its number, with which they begin.
        histogram: Box<Histogram>,
    },
    /// Drops an index.
    DropIndex {
        /// The index's collection.
        collection: CollectionName,
        /// The index's name.
        name: IndexName,
    },
    /// Changes the schema of a collection.
    SetSchema {
        /// The collection, which is created if it does not exist.
        collection: CollectionName,
        /// The change.
        change: SchemaChange,
    },
}

/// A step in the change of a collection's schema.
/// A schema that is to be checked against existing documents is proposed first: from then on all writes
/// have to satisfy it as well as the former one. The proposer checks the existing documents in a snapshot
/// while writes continue, and then confirms or withdraws the proposal.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaChange {
    /// From now on writes have to satisfy this schema too.
    Propose(Object),
    /// The proposed schema of this version becomes the collection's.
    Confirm(u64),
    /// The proposed schema of this version is dropped.
    Withdraw(u64),
    /// The collection has this schema from now on, or none, without a check of its documents.
    Impose(Option<Object>),
}

/// Finding documents and changing them, in one step.
/// The documents are those that satisfy the filter, in the order of the sort and then of their ids. So they
/// are the same on every replica, whichever indexes are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Modify {
    /// The collection of the documents.
    pub collection: CollectionName,
    /// Which documents are found.
    pub filter: Filter,
    /// The only documents that are considered; all when `None`.
    pub candidates: Option<Vec<DocumentId>>,
    /// In which order they are found.
    pub sort: Sort,
    /// How many are changed at the most. When `None` all are changed, and more than
    /// [`COMMAND_OPERATIONS_MAX`](crate::limits::COMMAND_OPERATIONS_MAX) are an error.
    pub limit: Option<u32>,
    /// What is done to each document: an update, a replacement, a delete or a completion.
    pub action: Action,
    /// When the documents expire from then on.
    pub expiry: Expiry,
    /// The lease that begins on each document, if any.
    pub lease: Option<Lease>,
    /// What is remembered for the answer to a retry of the request.
    pub recall: Recall,
    /// Which of the found documents are skipped.
    pub skip: Skip,
}

/// What is remembered of the documents that a request found and changed, for the answer to a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// Their number.
    Count,
    /// Their ids and new versions.
    Versions,
    /// The documents too, before and after the change, unless they are large.
    Documents,
}

/// A claimant's temporary right to work on a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// How long after the command it ends, unless it is renewed, or the document is completed before.
    pub duration: Duration,
    /// The update that is applied to the document then, if the fields that the claim has set still have the
    /// values that the claim gave them.
    pub release: Release,
}

/// Which of the documents that it finds a [`Modify`] skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Skip {
    /// None. A document that cannot be changed makes the command refused.
    #[default]
    Nothing,
    /// Documents to which the action cannot be applied.
    Unfit,
    /// Documents to which the action cannot be applied, and documents under a lease.
    UnfitAndLeased,
}

/// Operations that take effect together, if all checks hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Write {
    /// What a transaction has read, which must be unchanged.
    pub checks: Vec<Check>,
    /// The operations in order; a later one sees the effects of earlier ones.
    pub operations: SmallVec<[Operation; 1]>,
}

/// Something that a transaction has read. If it has changed, the command is refused as a conflict.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// The version of a document; 0 when there was none.
    Document {
        /// Its collection.
        collection: CollectionName,
        /// Its id.
        id: DocumentId,
        /// The version that was read.
        version: u64,
    },
    /// The last command that had changed a collection, for reads of the collection as a whole (a listing, a
    /// count). A count of its writes would not be enough: after the collection was dropped and created
    /// again, it may be the same.
    Collection {
        /// Its name.
        collection: CollectionName,
        /// The position of that command in the order of all commands; 0 when the collection did not exist.
        index: u64,
    },
    /// The result of a query. It is a conflict if the query now finds more documents, fewer, or other
    /// versions.
    Query(Box<QueryCheck>),
}

impl Check {
    /// The collection that was read.
    pub fn collection(&self) -> &CollectionName {
        match self {
            Check::Document { collection, .. } | Check::Collection { collection, .. } => collection,
            Check::Query(check) => &check.collection,
        }
    }
}

/// The result of a query of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryCheck {
    /// The collection that was queried.
    pub collection: CollectionName,
    /// The position of the last command that had changed the collection; 0 when it did not exist. While
    /// this is still the last one, nothing else has to be checked.
    pub index: u64,
    /// The filter of the query.
    pub filter: Filter,
    /// The sort of the query, and then ids.
    pub sort: Sort,
    /// How many results were left out at the beginning.
    pub offset: u64,
    /// How many results were asked for at the most.
    pub limit: Option<u64>,
    /// A hash of the ids and versions of the documents that were found, in their order.
    pub fingerprint: u128,
}

/// One conditional write of one document.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The document's collection.
    pub collection: CollectionName,
    /// The document's id.
    pub id: DocumentId,
    /// The condition of the action.
    pub condition: Condition,
    /// What is done to the document.
    pub action: Action,
    /// When the document expires.
    pub expiry: Expiry,
}

/// The condition on a document under which an [`Action`] is applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// No condition.
    Always,
    /// The document does not exist.
    Absent,
    /// The document exists and has this version.
    Version(u64),
    /// The document exists and has exactly these fields.
    Document(Encoded),
    /// The document exists and these fields equal these values; `None` means that the field is missing.
    Fields(Vec<(Path, Option<Value>)>),
    /// The document exists and satisfies this filter.
    Matches(Box<Filter>),
}

/// What is done to a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create it. Refused if it exists.
    Insert(Encoded),
    /// Create it under an id that was generated for the caller, which the answer contains, also to a retry.
    /// Refused if it exists.
    InsertNew(Encoded),
    /// Create it with the version and times that it had elsewhere. Refused if it exists, and if it had that
    /// version or a later one here.
    Import(Encoded, Origin),
    /// Replace its fields. Refused if it does not exist.
    Replace(Encoded),
    /// Create it, or replace its fields.
    Upsert(Encoded),
    /// Change some of its fields. Refused if it does not exist.
    Update(Update),
    /// Delete it. It is not refused if it does not exist, and changes nothing then.
    Delete,
    /// Change some of its fields, and end its lease, if there is one. Refused if it does not exist.
    Complete(Update),
    /// Extend its lease to end this long after the command. Refused if there is no lease.
    Renew(Duration),
    /// End its lease now, and apply the lease's release. Refused if there is no lease.
    Release,
    /// End its lease now as [`Release`](Action::Release) does, and apply this update too, which says when
    /// the work is to be tried again and why it was given back. Refused if there is no lease.
    Retry(Update),
    /// Replace its fields, and end, renew or begin a lease. Transactions, which have read the document, use
    /// this for completing, renewing and releasing; and for claiming, which may also create the document.
    /// Refused if the document does not exist and no lease begins, and if a lease is renewed that does not
    /// exist.
    Settle(Encoded, LeaseChange),
    /// Change nothing: only the condition is checked.
    Compare,
}

/// The change of the lease on a document.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseChange {
    /// The lease ends.
    End,
    /// The lease ends this long after the command instead.
    Renew(Duration),
    /// A new lease begins. Whoever had a lease before loses it.
    Begin(Box<BegunLease>),
}

/// A lease that begins when a transaction commits a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct BegunLease {
    /// The duration, from the command on, and the release.
    pub lease: Lease,
    /// The paths that the claim set or unset; at most
    /// [`UPDATE_OPERATIONS_MAX`](crate::limits::UPDATE_OPERATIONS_MAX). The release is applied only if the
    /// document still has the values there that the claim left.
    pub set: Vec<Path>,
    /// A hash of those values, if the transaction has changed one of them after its claim. Otherwise they
    /// are those of the fields that are written.
    pub values: Option<u128>,
}

/// When a written document expires.
/// A document that expires at the time of the command or before is written and removed by the same command:
/// it is never read, and its tombstone has the version after that of the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// An update keeps the former time; any other write clears it.
    #[default]
    Keep,
    /// Never, whatever was set before.
    Never,
    /// At this time.
    At(Time),
    /// This long after the command, at [`Time::MAX`] at the latest.
    After(Duration),
}

/// The options of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectionOptions {
    /// The weakest level at which it can be written; any level when `None`.
    pub min_write: Option<Consistency>,
    /// The weakest level at which it can be read; any level when `None`.
    pub min_read: Option<Consistency>,
    /// Which ids new documents get that are inserted without one.
    pub ids: NewIds,
}

/// What one step of maintenance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintainScope {
    /// Removes expired documents and ends expired leases.
    Due,
    /// Also forgets old tombstones and request ids, and removes what was dropped.
    All,
}

/// The bounds of one step of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintain {
    /// Tombstones and dropped collections from before this time are forgotten.
    pub forget_deleted_before: Time,
    /// Request ids from before this time are forgotten.
    pub forget_requests_before: Time,
    /// How many keys it may remove at the most, which bounds its duration.
    pub count_max: u32,
    /// What the step does.
    pub scope: MaintainScope,
}

/// The request that a command belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request's id.
    pub id: RequestId,
    /// A hash of what the request asks for, see [`Body::fingerprint`]: another command under the same id is
    /// refused.
    pub fingerprint: u128,
}

/// A name that a client gives to a request and to all its retries.
///
/// 1 to [`RequestId::LENGTH_MAX`] bytes; anything that is unique, such as a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The largest length of a request id in bytes: enough for two UUIDs or a hash in hexadecimal.
    pub const LENGTH_MAX: usize = 128;

    /// Checks the length of `text`.
    ///
    /// # Errors
    ///
    /// When it is empty or too long.
    pub fn new(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > Self::LENGTH_MAX {
            return Err(Error::InvalidRequestId { length: text.len() });
        }
        Ok(RequestId(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The result of one [`Operation`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was applied, and the document now has this version. After a delete it is the version of the
    /// tombstone.
    Applied {
        /// The document's version after the operation.
        version: u64,
        /// Whether the document existed before.
        existed: bool,
    },
    /// Its condition holds, and there was nothing to change: a comparison, or a delete of a document that
    /// does not exist.
    Held {
        /// The document's version; 0 when it does not exist.
        version: u64,
    },
    /// It could not be applied, so nothing of the command was applied.
    Refused(Refusal),
    /// It was not refused, but another operation of the same command was. Unique indexes are checked only
    /// if nothing else is refused.
    Abandoned,
}

/// Why an [`Operation`] could not be applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// The document exists already.
    Exists {
        /// Its version.
        version: u64,
    },
    /// The document does not exist.
    Missing,
    /// The document has another version.
    Version {
        /// The expected version.
        expected: u64,
        /// The document's version; 0 when it does not exist.
        found: u64,
    },
    /// The document does not have the expected content.
    Content {
        /// The first field that differs; `None` when the whole document was compared.
        path: Option<Path>,
        /// The document's version.
        version: u64,
    },
    /// The document does not satisfy the filter.
    Unmatched {
        /// Its version.
        version: u64,
    },
    /// The update cannot be applied to this document, for instance because it would add a number to a
    /// string.
    Update(Error),
    /// Another document has the same values in a unique index.
    Duplicate {
        /// The index.
        index: IndexName,
        /// The other document.
        id: DocumentId,
    },
    /// The document would violate the collection's schema.
    Schema(Violations),
    /// The document has no lease.
    NoLease {
        /// The document's version.
        version: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Exists { version } => write!(f, "it exists already, at version {version}"),
            Refusal::Missing => write!(f, "it does not exist"),
            Refusal::Version { expected, found: 0 } => {
                write!(f, "it does not exist, and version {expected} was expected")
            }
            Refusal::Version { expected, found } => {
                write!(f, "it has version {found}, not {expected}")
            }
            Refusal::Content { path: Some(path), version } => {
                write!(f, "field {path} has another value, at version {version}")
            }
            Refusal::Content { path: None, version } => {
                write!(f, "it has other content, at version {version}")
            }
            Refusal::Unmatched { version } => {
                write!(f, "it does not satisfy the filter, at version {version}")
            }
            Refusal::Update(error) => write!(f, "{error}"),
            Refusal::Duplicate { index, id } => {
                let (index, id) = (index.as_str(), id.by_ref());
                write!(f, "document {id:?} has the same values in unique index {index:?}")
            }
            Refusal::Schema(violations) => write!(f, "it violates the schema: {violations}"),
            Refusal::NoLease { version } => {
                write!(f, "it has no lease, at version {version}")
            }
        }
    }
}
