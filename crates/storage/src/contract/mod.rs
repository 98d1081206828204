//! The contract suite: what every [`Engine`](crate::Engine) has to do, whichever engine and mode it is.
//!
//! [`run`] makes a fresh engine for every check and panics at the first broken promise. The suite
//! knows nothing of any engine's inside. Engines compare against [`Model`], the plainest engine
//! that keeps the contract. The suite itself is tested by engines with planted faults.

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
