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

// Unit tests share what integration tests make up.
#[cfg(test)]
extern crate self as velocitydb;

mod aggregate;
mod apply;
mod batch;
mod batch_typed;
mod cancellation;
mod catalog;
mod claim;
mod collection_schema;
mod cursor;
mod database;
mod doctor;
mod document;
mod documents;
mod environment;
mod error;
mod error_class;
mod explain;
mod fields;
mod find;
mod index;
mod indexes;
mod keys;
mod known_outcome;
mod lease;
mod lease_guard;
mod lease_keeper;
mod modify;
mod names;
mod options;
mod page;
mod pending;
mod queried;
mod query;
mod replica;
pub mod schema;
mod schemas;
mod snapshot;
mod snapshot_typed;
mod stats;
mod swap;
mod txn;
mod txn_aggregate;
mod txn_leases;
mod txn_run;
mod txn_typed;
mod typed;

pub use aggregate::Aggregate;
pub use apply::{
    Cause, Change, DocumentChange, Effect, REQUEST_BYTES_MAX, REQUEST_COUNT_MAX,
    REQUEST_DOCUMENT_BYTES_MAX,
};
pub use batch::{BatchOutcomes, BatchWritten, WriteBatch};
pub use batch_typed::BatchCollection;
pub use cancellation::Cancellation;
pub use claim::{
    CLAIM_COUNT_MAX, CLAIMANT_FIELD, Claim, Claimed, Lost, Misfit, PassedOver, RETRY_AT_FIELD,
    RETRY_REASON_FIELD,
};
pub use cursor::Cursor;
pub use database::Database;
pub use doctor::{PROBLEMS_MAX, Report, doctor};
pub use document::{Document, FromDocument, Typed};
pub use documents::{Documents, Written};
pub use environment::{Environment, SystemEnvironment, now};
pub use error::{Error, RefusedBatch, Result};
pub use explain::Explanation;
pub use fields::IntoFields;
pub use find::Find;
pub use indexes::{IndexBuild, IndexStats};
pub use lease_guard::LeaseGuard;
pub use lease_keeper::LEASE_GUARDS_MAX;
pub use modify::{Changed, FindAndModify, Modified};
pub use options::{MaintenanceMode, Options, open, open_in_memory};
pub use page::{Page, PageToken};
pub use schemas::{Existing, SchemaInfo};
pub use snapshot::{CollectionStats, Snapshot};
pub use snapshot_typed::SnapshotCollection;
pub use stats::{Health, Stats};
pub use swap::{CompareAndSwap, Swapped};
pub use txn::Transaction;
pub use txn_typed::TransactionCollection;
pub use typed::Collection;
/// What can be wrong with input, as [`Error::Invalid`] says it.
pub use velocitydb_core::Error as InputError;
/// Pipelines and what they are made of.
pub use velocitydb_core::aggregate::{Accumulator, Pipeline};
pub use velocitydb_core::{
    Action, Bytes, CollectionName, CollectionOptions, Condition, Consistency, DocumentId, Encoded,
    ErrorClass, Expiry, Filter, IndexName, IndexSpec, LeaseChange, More, Object, Operation,
    Outcome, Path, Projection, RawArray, RawObject, RawValue, Refusal, Release, RequestId, Sort,
    SortKey, Time, Update, Value, Violation, Violations, check_own_fields, field, filter, limits,
    object, value,
};
/// What can be wrong with storage, as [`Error::Storage`] says it.
pub use velocitydb_storage::Error as StorageError;
pub use velocitydb_storage::{Direction, EngineStats, KeyspaceStats, Mode};
