//! Many claimants at one queue, as large as is wanted: every job goes to exactly one of them.
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
//! The auditor lives on, and its [`Book`] says what was answered: which claim got which job with
//! which token, and who finished it. A claim that a kill has left without an answer is made again
//! by the next worker with the same request id, or its lease is over when the clock has jumped.
//!
//! # CAVEATS
//!
//! `memory-only` has nothing that could survive: [`uninterrupted`] claims there without any kill.

mod book;
mod campaign;
mod claimants;
mod queue;
mod told;
pub mod uninterrupted;

pub use book::{Book, Finding};
pub use campaign::{Campaign, Outcome};
pub use claimants::Claimants;
pub use queue::CLAIMANTS;
pub use told::Told;
