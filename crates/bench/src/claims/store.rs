//! The interface of a contestant of the suite `claims`.

use super::{Executor, Job};
use crate::Result;

/// When a claim is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// At once.
    Memory,
    /// When it is on the device.
    Fsync,
}

/// Jobs that can be claimed.
pub trait Store: Send + Sync {
    /// Inserts jobs in one transaction.
    fn insert(&self, jobs: &[Job]) -> Result<()>;

    /// Does what the store's manual advises after a load or many changes.
    fn settle(&self) -> Result<()>;

    /// A claimant, for a thread of its own.
    fn claimant(&self, executor: Executor) -> Result<Box<dyn Claimant + '_>>;

    /// How many jobs wait.
    fn waiting(&self) -> Result<u64>;
}

/// A claimant.
pub trait Claimant: Send {
    /// Claims the waiting job with the least priority time among those that fit, sets its state,
    /// executor and start time, fetches it, and returns its id.
    fn claim(&mut self, now: i64) -> Result<Option<String>>;
}

/// The result of opening a contestant's store.
pub enum Opening {
    /// It is open, and empty.
    Open(Box<dyn Store>),
    /// It cannot be measured here, for the reason.
    Absent(String),
}
