//! Partitions: many engines on one, each a shard's part of a node's engine.
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
//! A partition's keys stand in a range, and the directory says in which. What is to replace them is
//! streamed into another range, which nobody sees and which the directory calls a leftover from before
//! its first key on. One commit makes it the partition's, and the old one a leftover. So after a crash,
//! whenever it comes, a partition is the one or the other, and everything else is on the list of what
//! is to be removed.
//!
//! Numbers of ranges are not used again, so who found one knows that it is still the partition's when
//! the partition still has the number: readers take no lock.
//!
//! # Caveats
//!
//! - While a partition is being replaced it occupies what both contents need, and until its leftovers
//!   are removed too.
//! - Leftovers are removed by whoever calls [`Partitions::remove_leftovers`], nobody else.

mod directory;
mod partitions;
mod prefixed;
mod replacement;
mod view;

pub use partitions::Partitions;
pub use prefixed::{Partition, PartitionId};
pub use replacement::Replacement;
