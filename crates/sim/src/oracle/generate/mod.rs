//! Random batches: collections, and queries that match some of their documents. Everything is
//! derived from a seed and a batch's number.

mod any;
mod batch;
mod conversions;
mod documents;
mod edges;
mod expression;
mod filter;
mod ids;
mod operands;
mod pipeline;
mod shape;
mod source;
mod update;
mod values;

pub use batch::batch;
pub use documents::RANK;
pub use source::Source;
