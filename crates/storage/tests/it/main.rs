//! The crate's integration tests: every engine in every mode, and every fault.

mod contract;
