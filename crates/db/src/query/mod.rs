//! Queries: planning and execution.
//!
//! ```text
//!   filter, sort ──▶ plan ──▶ execution ──▶ visit
//!                     │           │
//!      candidates ────┤           ├── ranges of an index, or of ids
//!      estimates ─────┘           └── the documents, the filter
//! ```
//!
//! A query is executed on any state: that of a reader's snapshot, or the one that a command sees
//! in the middle of a group. The code here does not depend on which, writes nothing, and holds
//! no lock.

mod access;
mod candidate;
mod candidates;
mod control;
mod estimate;
#[cfg(test)]
#[path = "tests/every_plan.rs"]
mod every_plan;
mod execute;
mod hint;
mod hit;
mod implied;
mod interval;
mod merge;
mod passed;
mod pause;
mod plan;
mod progress;
mod select;
mod sorter;
mod statistics;
mod target;

pub(crate) use access::{Access, IndexScan, Merge, Range};
pub(crate) use candidate::Candidate;
pub(crate) use control::{Control, Pause};
pub(crate) use execute::Execution;
pub(crate) use hint::{Hint, Moves};
pub(crate) use hit::{Accept, Examined, Hit, Need, Record};
pub(crate) use passed::Passed;
pub(crate) use pause::Paused;
pub(crate) use plan::Plan;
pub(crate) use progress::{RangeProgress, ScannedRange, Verdict};
pub(crate) use select::{Selection, allowed_need, count, order_key, run, select};
pub(crate) use statistics::{Statistics, analyze, decode as decode_histogram};
pub(crate) use target::{Order, Remembered, Target, UsableIndex};
