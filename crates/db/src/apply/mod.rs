//! Applying commands: the deterministic core of the database.

mod answer;
mod changes;
mod claims;
mod collections;
mod commit;
mod documents;
mod due;
mod fronts;
#[cfg(test)]
#[path = "tests/hinted.rs"]
mod hinted;
mod hints;
mod indexes;
mod machine;
mod maintain;
mod modify;
mod new_ids;
mod plans;
mod reply;
mod requests;
mod schemas;
mod unique;
mod verdict;
mod write;

pub(crate) use changes::OnChanges;
pub use changes::{Cause, Change, DocumentChange, Effect};
pub(crate) use claims::SKIPPED_MAX;
pub(crate) use commit::Committed;
pub(crate) use machine::{Machine, purpose_of};
pub(crate) use modify::{Fingerprint, Searched};
pub(crate) use new_ids::next_id;
pub(crate) use reply::{Found, Reply};
pub(crate) use requests::find_answer;
pub use requests::{REQUEST_BYTES_MAX, REQUEST_COUNT_MAX, REQUEST_DOCUMENT_BYTES_MAX};
pub(crate) use verdict::{Answer, Fatal};
pub(crate) use write::{unmet, unmet_by_none};
