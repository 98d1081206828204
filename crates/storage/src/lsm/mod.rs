//! The LSM engine: ordered bytes on disk, on the `fjall` store.
//!
//! Only code in this folder uses `fjall`. It adds the engine contract: publication after
//! durability, commit numbers, a format of our own, detection of what recovery would silently drop,
//! and recovery from a full disk.

mod engine;
mod error;
mod folder;
mod fsync;
mod journal;
mod marker;
mod migrate;
mod mirror;
mod options;
mod reclaim;
mod snapshot;
mod space;
mod store;
mod stored;
mod tables;
mod unsynced;
#[cfg(test)]
mod unsynced_model;
mod verify;
mod writer;

pub use engine::Lsm;
pub use fsync::FsyncHook;
pub(crate) use marker::FORMAT_BEFORE;
pub use migrate::migrate;
pub use options::{LsmOptions, MEMORY_BYTES_MIN};
pub(crate) use stored::StoredBytes;
pub use verify::{Finding, Report, verify};

/// The atomics and locks that waiting for something to fsync uses.
mod sync {
    pub(super) use std::sync::atomic::{AtomicBool, Ordering};
    pub(super) use std::sync::{Condvar, Mutex, MutexGuard};
}
