//! The contract suite: what every [`Engine`](crate::Engine) has to do, in every mode.
//!
//! [`run`] makes a fresh engine for every check and panics at the first broken promise. The suite
//! does not depend on the internals of any engine. Engines are compared with [`Model`], the
//! simplest engine that fulfils the contract. The suite itself is tested by engines with planted
//! faults.

mod basics;
mod concurrency;
mod differential;
#[cfg(test)]
mod faults;
mod model;
mod neighbours;
mod partitions;
mod parts;
mod puppet;
mod random;
mod ranges;
mod restarts;
mod snapshots;
mod suite;

pub use model::Model;
pub use neighbours::between_neighbours;
pub use random::Random;
pub use suite::{Check, Reopen, TestEngine, checks, partition_checks, run};

use suite::{
    FIRST, SECOND, all, commit, commit_all, delete, get, get_at, number, put, scan, snapshot,
};
