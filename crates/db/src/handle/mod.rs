//! What users hold: the database, its collections, snapshots, transactions and batches. Nothing here
//! knows more of the state than what a snapshot shows, and nothing changes it but by a command.

pub(crate) mod aggregate;
pub(crate) mod asynchronous;
pub(crate) mod batch;
pub(crate) mod claim;
mod closing;
pub(crate) mod cursor;
pub(crate) mod database;
pub(crate) mod documents;
pub(crate) mod explain;
pub(crate) mod fields;
pub(crate) mod find;
pub(crate) mod indexes;
pub(crate) mod lease_guard;
pub(crate) mod lease_keeper;
pub(crate) mod modify;
pub(crate) mod opening;
pub(crate) mod page;
mod queried;
pub(crate) mod schemas;
pub(crate) mod stats;
pub(crate) mod swap;
pub(crate) mod transaction;
pub(crate) mod typed;
