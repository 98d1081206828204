//! The command language: everything that can change a database, as data.
//!
//! A [`Command`] holds all that its effect depends on beside the state that it is applied to: "now"
//! and new ids are inside it. Applying the same commands to the same state therefore gives the same
//! bytes on every machine, which is what replication stands on. Nothing here applies anything.
//!
//! What a caller asks for relative to now is a duration here, counted from the command's own "now":
//! so the retry of a call is the same command but for that one time.

mod bounds;
mod decoding;
mod encoding;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use smallvec::SmallVec;

use crate::{
    CollectionName, Consistency, DocumentId, Encoded, Error, Filter, IndexName, IndexSpec, Object,
    Path, Release, Sort, Time, Update, Value, Violations,
};

pub use encoding::COMMAND_VERSION;

/// One change of a database, applied as a whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The proposer's time. Applying never reads a clock.
    pub now: Time,
    /// Makes a retry harmless: a command whose request has been answered is answered so again, and
    /// not applied.
    pub request: Option<Request>,
    /// What is to be done.
    pub body: Body,
}

/// What a [`Command`] does.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Changes documents.
    Write(Write),
    /// Creates a collection.
    CreateCollection {
        /// Its name.
        name: CollectionName,
        /// How it behaves.
        options: CollectionOptions,
    },
    /// Drops a collection with all its documents.
    DropCollection {
        /// Its name.
        name: CollectionName,
    },
    /// Does what time has made due: expires documents and leases, forgets tombstones and request
    /// ids, and removes what dropped collections and indexes left.
    Maintain(Maintain),
    /// Finds documents and changes them.
    Modify(Box<Modify>),
    /// Begins an index, which the writes that follow keep up; creates the collection if need be.
    CreateIndex {
        /// Its collection.
        collection: CollectionName,
        /// What it is.
        spec: Box<IndexSpec>,
    },
    /// Does a part of the building of an index: enters the next documents in the order of ids.
    BuildIndex {
        /// Its collection.
        collection: CollectionName,
        /// Its name.
        name: IndexName,
        /// How many documents it may look at, so that no command takes long.
        count_max: u32,
    },
    /// Drops an index.
    DropIndex {
        /// Its collection.
        collection: CollectionName,
        /// Its name.
        name: IndexName,
    },
    /// Changes the schema of a collection.
    SetSchema {
        /// The collection, created if need be.
        collection: CollectionName,
        /// How it changes.
        change: SchemaChange,
    },
}

/// A step in the change of a collection's schema.
///
/// A schema that is to hold for documents that exist already is proposed first: from then on all
/// writes keep to it, as well as to the one before. Whoever proposed it looks at the documents of
/// before in a snapshot, while writes go on, and then confirms or withdraws it.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaChange {
    /// Writes have to satisfy this schema too, from now on.
    Propose(Object),
    /// The proposed schema of this version becomes the collection's.
    Confirm(u64),
    /// The proposed schema of this version is none any more.
    Withdraw(u64),
    /// The collection has this schema from now on, or none, whatever its documents are.
    Impose(Option<Object>),
}

/// Finding documents and changing them, as one.
///
/// The documents are those that satisfy the filter, in the order of the sort and, where that leaves
/// it open, of their ids. So it is the same ones on every replica, whichever indexes are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Modify {
    /// Where they are.
    pub collection: CollectionName,
    /// Which they are.
    pub filter: Filter,
    /// The only ones that are looked at, if not all.
    pub candidates: Option<Vec<DocumentId>>,
    /// Which come first.
    pub sort: Sort,
    /// How many are changed at the most; all when `None`, and an error when that are more than
    /// [`COMMAND_OPERATIONS_MAX`](crate::limits::COMMAND_OPERATIONS_MAX).
    pub limit: Option<u32>,
    /// What is done to each: an update, a replacement, a delete or a completion.
    pub action: Action,
    /// When they expire from then on.
    pub expiry: Expiry,
    /// For how long whoever asked has them.
    pub lease: Option<Lease>,
    /// What the retry of a request is told of them.
    pub recall: Recall,
    /// Which of them are skipped.
    pub skip: Skip,
}

/// What is remembered of the documents that a request found and changed, for the answer to a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// How many they were.
    Count,
    /// Their ids, and the versions that they got.
    Versions,
    /// The documents too, as they were and as they became, unless they are large.
    Documents,
}

/// What a claim is for so long.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// How long after the command it ends, unless it is renewed or the document completed before.
    pub duration: Duration,
    /// What is done to the document then, if what the claim has set is still so.
    pub release: Release,
}

/// Which of the documents that it finds a [`Modify`] skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Skip {
    /// None. One that cannot be changed refuses the whole.
    #[default]
    Nothing,
    /// Those that cannot be changed.
    Unfit,
    /// Those that cannot be changed, and those that are under a lease.
    UnfitAndLeased,
}

/// A set of operations that take effect together, under checks that must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Write {
    /// What a transaction has read, and what must still be so.
    pub checks: Vec<Check>,
    /// What is done, in order; a later one sees what an earlier one did.
    pub operations: SmallVec<[Operation; 1]>,
}

/// Something that a transaction has read. When it is no longer so, the command is refused as a
/// conflict.
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
    /// The last command that had changed a collection, for what was read of it as a whole (a
    /// listing, a count). A count of its writes would not do: dropped and made again, it can have
    /// seen as many.
    Collection {
        /// Its name.
        collection: CollectionName,
        /// The place of that command in the order of all; 0 when the collection did not exist.
        index: u64,
    },
    /// What a query found: a document that would come in, go, or have changed is a conflict.
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

/// What a query of a transaction found.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryCheck {
    /// The collection that was queried.
    pub collection: CollectionName,
    /// The place of the last command that had changed the collection; 0 when it did not exist. If
    /// that still is the last one, nothing else has to be looked at.
    pub index: u64,
    /// Which documents.
    pub filter: Filter,
    /// In which order; where it leaves that open, by id.
    pub sort: Sort,
    /// How many were left out first.
    pub offset: u64,
    /// How many were asked for at the most.
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
    /// What must hold for the action to be taken.
    pub condition: Condition,
    /// What is done to the document.
    pub action: Action,
    /// When the document is to expire.
    pub expiry: Expiry,
}

/// What must hold of a document for an [`Action`] to be taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// There is no such document.
    Absent,
    /// The document exists and has this version.
    Version(u64),
    /// The document exists and its fields, as a whole, equal these.
    Document(Encoded),
    /// The document exists and these fields equal these values; `None` stands for a field that is
    /// missing.
    Fields(Vec<(Path, Option<Value>)>),
    /// The document exists and satisfies this filter.
    Matches(Box<Filter>),
}

/// What is done to a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create it; refused when it exists.
    Insert(Encoded),
    /// Create it under an id that was made up for the caller, who is told it, also by the answer
    /// to a retry; refused when it exists.
    InsertNew(Encoded),
    /// Replace its fields; refused when it does not exist.
    Replace(Encoded),
    /// Create it, or replace its fields.
    Upsert(Encoded),
    /// Change some of its fields; refused when it does not exist.
    Update(Update),
    /// Delete it. Deleting what does not exist is no refusal: it changes nothing.
    Delete,
    /// Change some of its fields and end the lease on it, if there is one; refused when it does
    /// not exist.
    Complete(Update),
    /// Let the lease on it end so long after the command instead; refused when there is no lease.
    Renew(Duration),
    /// End the lease on it now, with the update that the lease holds for that; refused when there
    /// is no lease.
    Release,
    /// End the lease on it now as [`Release`](Action::Release) does, and make this change as well:
    /// what says when the work is to be tried again, and why it was given back. Refused when there
    /// is no lease.
    Retry(Update),
    /// Replace its fields and end the lease on it, or let it end later: what completing, renewing
    /// and releasing come to in a transaction, which has read the document. Or create it or replace
    /// its fields and begin a lease, which is what claiming comes to there. Refused when it does not
    /// exist, unless a lease begins, and when a lease is to end later that there is none of.
    Settle(Encoded, LeaseChange),
    /// Change nothing: the operation only compares.
    Compare,
}

/// What becomes of the lease on a document.
#[derive(Debug, Clone, PartialEq)]
pub enum LeaseChange {
    /// It ends.
    End,
    /// It ends so long after the command instead.
    Renew(Duration),
    /// Another one begins. Whoever had one before has lost it.
    Begin(Box<BegunLease>),
}

/// A lease that begins with the commit of a transaction that has claimed the document.
#[derive(Debug, Clone, PartialEq)]
pub struct BegunLease {
    /// How long after the command it ends, and what is done then.
    pub lease: Lease,
    /// The paths that the claim gave a value, or took it from; at most
    /// [`UPDATE_OPERATIONS_MAX`](crate::limits::UPDATE_OPERATIONS_MAX). The release is done only while
    /// the document has the values there that the claim left.
    pub set: Vec<Path>,
    /// A hash of those values, where the transaction has changed one of them after its claim. Without
    /// it they are those that the document is written with.
    pub values: Option<u128>,
}

/// When a document that is written expires.
///
/// One that is to expire at the time of the command or before is written and expires with the same
/// command: nobody ever reads it, and its tombstone has the version after that of the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// An update keeps what was set before; any other write clears it.
    #[default]
    Keep,
    /// Never, whatever was set before.
    Never,
    /// At this time.
    At(Time),
    /// So long after the command, at [`Time::MAX`] at the latest.
    After(Duration),
}

/// How a collection behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectionOptions {
    /// The weakest level at which it can be written; no floor when `None`.
    pub min_write: Option<Consistency>,
    /// The weakest level at which it can be read; no floor when `None`.
    pub min_read: Option<Consistency>,
}

/// What one step of maintenance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaintainScope {
    /// It expires documents and ends leases.
    Due,
    /// And it forgets and removes what is left over.
    All,
}

/// The bounds of one step of maintenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintain {
    /// Tombstones and dropped collections from before this time are forgotten.
    pub forget_deleted_before: Time,
    /// Request ids from before this time are forgotten.
    pub forget_requests_before: Time,
    /// How many keys it may remove at the most, so that no command takes long.
    pub count_max: u32,
    /// Whether it expires documents and ends leases, or more.
    pub scope: MaintainScope,
}

/// Which request a command is an attempt at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// What is asked for, see [`Body::fingerprint`]: another command under the same id is none of
    /// its attempts, and is refused.
    pub fingerprint: u128,
}

/// A name that a client gives to one request and to all retries of it.
///
/// 1 to [`RequestId::LENGTH_MAX`] bytes; anything that is unique, such as a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The most bytes of a request id: enough for two UUIDs or a hash in hexadecimal.
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

/// What became of one [`Operation`].
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was applied, and the document has this version now. A delete has a version too: that of
    /// the tombstone.
    Applied {
        /// The document's version from here on.
        version: u64,
        /// Whether the document existed before.
        existed: bool,
    },
    /// Its condition holds, and there was nothing to change: a comparison, or a delete of what did
    /// not exist.
    Held {
        /// The document's version; 0 when it does not exist.
        version: u64,
    },
    /// It could not be applied, and so nothing of the command was.
    Refused(Refusal),
    /// It could have been applied, but another operation of the same command was refused. Whether
    /// unique indexes would have let it is looked at only when nothing else is refused.
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
        /// The version that it was to have.
        expected: u64,
        /// The version that it has; 0 when it does not exist.
        found: u64,
    },
    /// The document's content is not the expected one.
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
    /// The change cannot be made to this document, for instance because it would add a number to
    /// a string.
    Update(Error),
    /// A unique index has the same values for another document.
    Duplicate {
        /// The index.
        index: IndexName,
        /// The other document.
        id: DocumentId,
    },
    /// The document would violate the collection's schema.
    Schema(Violations),
    /// Nobody holds a lease on the document.
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
                write!(f, "it does not exist, and was to have version {expected}")
            }
            Refusal::Version { expected, found } => {
                write!(f, "it has version {found}, not {expected}")
            }
            Refusal::Content { path: Some(path), version } => {
                write!(f, "field {path} has another value, at version {version}")
            }
            Refusal::Content { path: None, version } => {
                write!(f, "its content is another, at version {version}")
            }
            Refusal::Unmatched { version } => {
                write!(f, "it does not satisfy the filter, at version {version}")
            }
            Refusal::Update(error) => write!(f, "{error}"),
            Refusal::Duplicate { index, id } => {
                let (index, id) = (index.as_str(), id.as_str());
                write!(f, "unique index {index:?} has its values for document {id:?} already")
            }
            Refusal::Schema(violations) => write!(f, "it violates the schema: {violations}"),
            Refusal::NoLease { version } => {
                write!(f, "nobody has a lease on it, at version {version}")
            }
        }
    }
}
