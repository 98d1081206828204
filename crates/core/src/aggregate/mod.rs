//! The aggregation pipeline: MongoDB's stages, accumulators and expressions, as pure code. Rows are
//! pushed in, by an engine's scan for instance, and results are passed to a sink; other
//! collections, the time and the deadline are accessed through a [`Context`].
//!
//! ```text
//! Pipeline ── start ──▶ Run ◀── push(Row) ── the engine's scan
//!                        │
//!                        ├─ Chain: a state for each stage; a row goes through as many as it can
//!                        │         Match, Project, Unwind … hand rows on at once
//!                        │         Group, Sort, Facet … keep what they need until finish
//!                        ▼
//!                      sink(Object)
//! ```
//!
//! Results are deterministic: the same rows in the same order give the same results in the same
//! order. Groups are returned in the order of their keys, in the total order of
//! [`order`](crate::order).

mod accumulator;
mod bucket;
mod builder;
mod chain;
mod context;
mod expression;
mod facet;
mod group;
mod lookup;
mod matching;
mod measure;
mod needs;
mod parse;
mod pipeline;
mod projection;
mod projection_parse;
mod row;
mod run;
mod sorter;
mod stage;
mod state;
mod unwind;

pub use accumulator::Accumulator;
pub use context::{Context, SingleCollection};
pub use pipeline::{Leading, Pipeline};
pub use row::Row;
pub use run::Run;
