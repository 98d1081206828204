//! Many claimants of one queue of any size: every job goes to exactly one of them.
//!
//! The small form of this is a test of `velocitydb`; here there are a million jobs, and the process
//! of the claimants is killed at random moments:
//!
//! ```text
//!   auditor ──starts──► worker: 64 claimants on a data folder, its clock ahead of the last one's
//!      ▲                   │  "claimed …", "finished …" after each answer, through a pipe
//!      └───── book ◄───────┘
//!   auditor ──SIGKILL─► worker
//!   auditor: the next worker, until every job is finished; then doctor, read all, compare
//! ```
//!
//! The auditor survives, and its [`Book`] has the answers: which claim got which job with which
//! token, and which finished it. The next worker retries a claim that a kill has left unanswered
//! with the same request id, or the claim's lease expires when the clock jumps.
//!
//! # CAVEATS
//!
//! In `memory-only` nothing survives: [`uninterrupted`] claims without any kill.

mod book;
mod campaign;
mod claimants;
mod queue;
mod report;
pub mod uninterrupted;

pub use book::{Book, Finding};
pub use campaign::{Campaign, Outcome};
pub use claimants::Claimants;
pub use queue::CLAIMANTS;
pub use report::Report;
