//! The crate's integration tests: every engine in every mode, and every fault.

mod cache;
mod contract;
mod corruption;
mod faults;
mod folder;
