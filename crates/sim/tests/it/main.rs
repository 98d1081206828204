//! The integration tests of the crate.

mod crash;
mod disk_full;
