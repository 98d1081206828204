//! Claims of waiting jobs, with no and with many finished ones, compared with SQLite and
//! PostgreSQL.

mod jobs;
mod moving;
mod postgres;
mod run;
mod sqlite;
mod store;
mod suite;

pub use jobs::{Executor, Job};
pub use store::{Claimant, Durability, Opening, Store};
pub use suite::{CLAIMANTS, FEW, FSYNC_TABLE, MEMORY_TABLE, finished, many, row, run};
