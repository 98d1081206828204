//! The state as it is stored: the catalog, documents and leases, and the snapshots that show them.

pub(crate) mod catalog;
pub(crate) mod collection_schema;
pub(crate) mod document;
pub(crate) mod due_next;
pub(crate) mod lease;
pub(crate) mod names;
pub(crate) mod snapshot;
pub(crate) mod views;

pub(crate) use due_next::DueNext;
pub(crate) use views::Views;
