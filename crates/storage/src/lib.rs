//! The storage engines of VelocityDB: ordered keys and values as bytes.
//!
//! [`Engine`] is the contract; the memory engine and the LSM engine implement it, and the four
//! storage modes are composed of them. This crate handles keys and values, never documents.

pub mod batch;
pub mod blob;
mod cache;
#[doc(hidden)]
pub mod contract;
pub mod engine;
pub mod error;
mod hash;
pub mod lsm;
pub mod memory;
pub mod mode;
mod overlay;
pub mod partition;
mod parts;
mod range;
mod state_hash;

pub use batch::{Batch, Purpose, Savepoint};
pub use blob::Blob;
pub use engine::{
    Bounds, Direction, Durability, Engine, EngineStats, Keyspace, KeyspaceStats, Snapshot, Visit,
    WithoutSnapshots,
};
pub use error::{Error, Result, Room};
pub use mode::Mode;
pub use overlay::Overlay;
pub use partition::{Partition, PartitionId, Partitions, Replacement};
pub use parts::Part;
pub use state_hash::StateHasher;
