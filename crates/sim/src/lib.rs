//! Faults, histories of what clients saw, and one checker for each promise; unpublished.
//!
//! [`workload`] generates operations, [`perform`] executes them, [`history`] records what was
//! acknowledged, [`check`] compares that with the content of the database afterwards, and
//! [`crash`] combines them with `kill -9`. No checker depends on how the database works.
//! [`oracle`] compares query results with those of an independent evaluator.

#![deny(missing_docs)]

pub mod clock;
pub mod random;

pub mod content;
pub mod ids;
pub mod operation;
pub mod workload;

pub mod added;
pub mod jobs;
pub mod perform;
pub mod shapes;

pub mod history;
pub mod record;
pub mod state;

pub mod check;
pub mod claims;
pub mod crash;

pub mod oracle;

pub use random::Random;
