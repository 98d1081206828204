//! VelocityDB, embedded: a JSON-document database in which every operation chooses its own
//! consistency.
//!
//! ```
//! # fn main() -> velocitydb::Result<()> {
//! use velocitydb::object;
//!
//! let db = velocitydb::open_in_memory()?;
//! let users = db.documents("users");
//! users.insert("alice", object! { "name": "Alice", "age": 28 })?;
//! let written = users.update("alice", object! { "age": 29 })?;
//! assert_eq!(written.version, 2);
//! # Ok(())
//! # }
//! ```
//!
//! [`open`] opens a folder, [`open_in_memory`] needs none, and [`Options`] chooses the rest. From
//! the [`Database`] come [`Documents`] (of any shape), typed [`Collection`]s, [`Snapshot`]s and
//! [`Transaction`]s. No async runtime is needed; every call is safe from any thread.

// Unit tests share the generators of integration tests.
#[cfg(test)]
extern crate self as velocitydb;

// From what users hold down to what is stored; each storey knows those below it.
mod handle;

mod doctor;
mod migration;
mod options;
mod replica;

mod apply;
mod state;

mod index;
mod query;
pub mod schema;

mod cancellation;
mod environment;
mod error;
mod keys;

pub use apply::{
    Cause, Change, DocumentChange, Effect, REQUEST_BYTES_MAX, REQUEST_COUNT_MAX,
    REQUEST_DOCUMENT_BYTES_MAX,
};
pub use cancellation::Cancellation;
pub use doctor::report::{PROBLEMS_MAX, Report};
pub use doctor::{doctor, doctor_within};
pub use environment::{Environment, SystemEnvironment, now};
pub use error::{Error, RefusedBatch, Result};
pub use handle::aggregate::Aggregate;
pub use handle::asynchronous::Proposed;
pub use handle::batch::{BatchOutcomes, BatchWritten, WriteBatch};
pub use handle::claim::{
    CLAIM_COUNT_MAX, CLAIMANT_FIELD, Claim, Claimed, Lost, Misfit, RETRY_AT_FIELD,
    RETRY_REASON_FIELD, Skipped,
};
pub use handle::cursor::Cursor;
pub use handle::database::Database;
pub use handle::documents::{Documents, NewDocument, Written};
pub use handle::explain::Explanation;
pub use handle::fields::IntoFields;
pub use handle::find::Find;
pub use handle::indexes::{IndexBuild, IndexStats};
pub use handle::lease_guard::LeaseGuard;
pub use handle::lease_keeper::LEASE_GUARDS_MAX;
pub use handle::modify::{Changed, FindAndModify, Modified};
pub use handle::opening::{open, open_in_memory};
pub use handle::page::{Page, PageToken};
pub use handle::schemas::{Existing, SchemaInfo};
pub use handle::stats::{Health, Stats};
pub use handle::swap::{CompareAndSwap, Swapped};
pub use handle::transaction::Transaction;
pub use handle::transaction::claim::TransactionClaim;
pub use handle::transaction::query::TransactionQuery;
pub use handle::typed::Collection;
pub use handle::typed::batch::BatchCollection;
pub use handle::typed::snapshot::SnapshotCollection;
pub use handle::typed::transaction::TransactionCollection;
pub use options::{MaintenanceMode, Options};
pub use state::document::{Document, FromDocument, Typed};
pub use state::snapshot::{CollectionStats, Snapshot};
/// What can be wrong with input, as [`Error::Invalid`] says it.
pub use velocitydb_core::Error as InputError;
/// Pipelines and what they are made of.
pub use velocitydb_core::aggregate::{Accumulator, Pipeline};
/// The reserved names of a document's id and metadata, and the fields of the latter.
pub use velocitydb_core::document::{ID, META_FIELDS, METADATA};
pub use velocitydb_core::{
    Action, BegunLease, Binary, BinaryRef, Bytes, CollectionName, CollectionOptions, Condition,
    Consistency, Decimal, DocumentId, Encoded, ErrorClass, Expiry, Filter, Foreign, ForeignContent,
    ForeignKind, IdRef, IndexName, IndexSpec, IntoDocumentId, JsonMistake, Lease, LeaseChange,
    More, NewIds, Object, ObjectId, Operation, Origin, Outcome, Path, Projection, RawArray,
    RawForeign, RawObject, RawValue, Refusal, Release, RequestId, Rounding, Sort, SortKey, Time,
    Update, Uuid, Value, Violation, Violations, check_own_fields, field, filter, limits, object,
    uuid_binary, value,
};
/// What can be wrong with storage, as [`Error::Storage`] says it.
pub use velocitydb_storage::Error as StorageError;
pub use velocitydb_storage::{Direction, EngineStats, KeyspaceStats, Mode};
