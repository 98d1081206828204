//! Faults, histories of what clients saw, and one checker for each promise; unpublished.
//!
//! [`workload`] decides what is done, [`perform`] does it, [`history`] remembers what was
//! acknowledged, [`check`] compares that with what a database holds afterwards, and [`crash`] puts
//! them together around `kill -9`. No checker knows how the database works. [`oracle`] asks an
//! evaluator that nobody here wrote what queries should answer.

#![deny(missing_docs)]

pub mod clock;
pub mod random;

pub mod content;
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
