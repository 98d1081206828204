//! Partitions: many engines in one, each with the data of one shard of the node.
//!
//! ```text
//!   key in the engine:   range, 4 bytes, big-endian │ key in the partition
//!
//!   range 0              the directory: what is below            keyspace 0 alone
//!   range 1, 2, …        the content of one partition, or what one was, or is becoming
//!
//!   replacing            old range ◄── partition           new range ◄── leftover
//!                                          │ one commit, fsynced    │
//!                        old range ◄── leftover            new range ◄── partition
//!                            └─▶ removed, step by step
//! ```
//!
//! A partition's keys are in a range, which the directory names. A replacement is streamed into another
//! range, which is invisible and is listed as a leftover before its first key is written. One commit
//! makes it the partition's range, and the old one a leftover. So after a crash at any point, a
//! partition has one content or the other, and everything else is listed as to be removed.
//!
//! Range numbers are never reused, so a reader that finds the same number before and after its read has
//! read the partition's content: readers take no lock.
//!
//! # Caveats
//!
//! - While a partition is being replaced, and until its leftovers are removed, it occupies the space of
//!   both contents.
//! - Leftovers are removed only by [`Partitions::remove_leftovers`].

mod directory;
mod partitions;
mod prefixed;
mod replacement;
mod view;

pub use partitions::Partitions;
pub use prefixed::{Partition, PartitionId};
pub use replacement::Replacement;
