//! `kill -9` in a loop: a worker process is killed at a random moment, and its data folder is
//! compared with what its clients saw.
//!
//! ```text
//!   auditor ──starts──► worker: threads of operations on a data folder
//!      ▲                   │  "begin …" before and "applied …" after each, through a pipe
//!      └──── history ◄─────┘
//!   auditor ──SIGKILL─► worker
//!   auditor: doctor, open, read everything, check; make requests again; next cycle
//! ```
//!
//! # CAVEATS
//!
//! `kill -9` does not lose what the process wrote to the operating system, so it cannot distinguish
//! an fsync from a write. [`power`] removes what was not fsynced from the end of the journal, in
//! `persistent`; the device itself is assumed to keep what it has confirmed.

pub mod audit;
pub mod campaign;
pub mod folder;
pub mod pause;
pub mod power;
pub mod worker;

pub use campaign::{Campaign, Summary};
pub use worker::Worker;
