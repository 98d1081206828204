//! [`Candidate`]: a possible access path of a query, and its [`Estimate`].

use super::access::Access;

/// A possible access path.
pub(crate) struct Candidate {
    pub(crate) access: Access,
    pub(crate) is_exact: bool,
    pub(crate) is_sorted: bool,
    pub(crate) estimate: Estimate,
}

/// The expected cost of an access path.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Estimate {
    /// Entries of indexes that are read.
    pub(crate) keys: u64,
    /// Documents that are read.
    pub(crate) documents: u64,
    /// In documents fetched by id.
    pub(crate) cost: f64,
}
