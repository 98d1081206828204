//! The integration tests of the crate.

// Helpers of tests may unwrap, as tests do.
#![allow(clippy::unwrap_used)]

mod claims;
mod crash;
mod disk_full;
