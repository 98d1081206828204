//! Applying commands: the deterministic heart of the database.

mod collections;
mod machine;
mod maintain;
mod requests;
mod write;

pub(crate) use machine::{Machine, Reply};
pub use requests::REQUEST_COUNT_MAX;
