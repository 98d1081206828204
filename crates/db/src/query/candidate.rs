//! [`Candidate`]: a way to the documents of a query that could be taken, and its [`Estimate`].

use super::access::Access;

/// A way that could be taken.
pub(crate) struct Candidate {
    pub(crate) access: Access,
    pub(crate) is_exact: bool,
    pub(crate) is_sorted: bool,
    pub(crate) estimate: Estimate,
}

/// What a way is expected to cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Estimate {
    /// Entries of indexes that are read.
    pub(crate) keys: u64,
    /// Documents that are read.
    pub(crate) documents: u64,
    /// In documents fetched by id.
    pub(crate) cost: f64,
}
