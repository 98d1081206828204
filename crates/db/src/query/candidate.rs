//! [`Candidate`]: a possible access path of a query, and its [`Estimate`].

use super::access::{Access, IndexScan};

/// A possible access path.
pub(crate) struct Candidate {
    pub(crate) access: Access,
    pub(crate) is_exact: bool,
    pub(crate) is_sorted: bool,
    pub(crate) estimate: Estimate,
}

impl Candidate {
    /// The scans of indexes whose results it unites.
    pub(super) fn scans(&self) -> impl Iterator<Item = &IndexScan> {
        let parts = match &self.access {
            Access::Union(parts) => parts.as_slice(),
            access => std::slice::from_ref(access),
        };
        parts.iter().filter_map(|part| match part {
            Access::Index(scan) => Some(scan),
            _ => None,
        })
    }
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
