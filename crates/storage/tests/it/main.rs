//! The crate's integration tests: every engine in every mode, and every fault.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cache;
mod contract;
mod corruption;
mod faults;
mod folder;
mod modes;
mod opening;
mod partitions;
mod ranges;
mod read_only;
mod reclaim;
