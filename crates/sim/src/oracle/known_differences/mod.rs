//! The differences between mingo and VelocityDB that are known, each with a name, an example and
//! the reason. A difference is recognised by the documents and the query, as narrowly as possible;
//! everything else is a mismatch.
//!
//! One table for each part of the language; `docs/queries.md` lists them for readers.

mod difference;
mod example;
mod explain;
mod filter;
mod listing;
mod pipeline;
mod projection;
mod sort;
mod update;

pub use difference::{Change, Condition, Example, Key, KnownDifference, Recognise};
pub use explain::{Situation, explain};
pub use listing::{all, listing};
