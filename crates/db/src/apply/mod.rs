//! Applying commands: the deterministic heart of the database.

mod collections;
mod documents;
mod hints;
mod indexes;
mod machine;
mod maintain;
mod modify;
mod requests;
mod schemas;
mod write;

pub(crate) use machine::{Found, Machine, Reply};
pub(crate) use modify::Fingerprint;
pub use requests::REQUEST_COUNT_MAX;
