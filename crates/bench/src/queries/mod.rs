//! Queries by secondary indexes, scans, groups, and inserts that maintain indexes, compared with
//! SQLite and PostgreSQL.

mod orders;
mod postgres;
mod sqlite;
mod store;
mod suite;

pub use orders::{Order, Orders, Question};
pub use store::{Index, Line, Opening, Parallelism, Store};
pub use suite::{COUNTS, FIND, GROUP, INSERT, INSERT_MANY, INSERT_TABLE, PEERS, SCAN, run, table};
