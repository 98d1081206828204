//! The memory engine: everything in memory, readers that never wait, one writer at a time.
//!
//! ```text
//!   record   one version of one key, counted          record.rs
//!   table    key to newest version, by hash           table.rs
//!   tree     newest versions in order                 tree.rs, branch.rs, leaf.rs
//!   clock    which commits and snapshots there are    clock.rs
//!   writer   commits; unlinks unseen versions         writer.rs
//!   garbage  frees unlinked memory after its readers  garbage.rs
//! ```
//!
//! A get goes through the table alone, a scan through the tree alone. Both find the newest version of a
//! key, which links to older ones as long as a snapshot sees them.
//!
//! # Caveats
//!
//! - Nothing is freed while a reader is within a leaf, so a slow visitor of a scan delays freeing memory
//!   in the whole process; a scan inside the visitor of another one does so for as long as the outer one
//!   is at its leaf.
//! - A [`Blob`](crate::Blob) holds its record, key and value, and the statistics do not count it once the
//!   version is superseded.
//! - A table keeps its size when keys go, until it is used again.
//! - Opening and closing a snapshot takes a lock, which the writer takes once a commit for as
//!   long as it takes to copy the numbers of the open snapshots, if they have changed.

mod branch;
mod clock;
#[cfg(test)]
mod clock_model;
mod engine;
mod garbage;
mod leaf;
mod prefetch;
mod record;
mod scan;
mod table;
mod tagged;
mod tree;
mod writer;

/// The atomics and locks that the clock uses.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
    pub(super) use std::sync::{Mutex, MutexGuard};
}

pub use engine::Memory;
pub(crate) use record::SharedRecord;
