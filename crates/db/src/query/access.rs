//! [`Access`]: the access paths to documents.

use std::sync::Arc;

use velocitydb_core::DocumentId;
use velocitydb_storage::Direction;

use crate::index::Definition;
use crate::keys::Key;

/// An access path.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// No documents: the filter contradicts itself.
    Nothing,
    /// The documents with these ids, in order.
    Ids(Vec<DocumentId>),
    /// The documents within a range of ids.
    Collection(Range, Direction),
    /// The documents of index entries.
    Index(IndexScan),
    /// The union of several access paths, each document once.
    Union(Vec<Access>),
    /// The documents that are in both scans; the ids of the first are held in memory.
    Intersection(Box<IndexScan>, Box<IndexScan>),
}

/// The keys from `low`, included, to `high`, excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: Key,
    pub(crate) high: Option<Key>,
}

/// A scan of one or more ranges of an index.
#[derive(Debug, Clone)]
pub(crate) struct IndexScan {
    pub(crate) definition: Arc<Definition>,
    /// In the order of keys, without overlap.
    pub(crate) ranges: Vec<Range>,
    /// By range, how many leading bytes all of its keys share.
    pub(crate) prefixes: Vec<usize>,
    /// How many keys of the index have the same value in all of a range.
    pub(crate) fixed: usize,
    pub(crate) direction: Direction,
    /// How the ranges are combined.
    pub(crate) merge: Merge,
    /// After how many bytes of its keys the requested order begins, if the keys have it.
    pub(crate) order_at: Option<OrderAt>,
    /// Whether it can find a document more than once.
    pub(crate) has_repeats: bool,
}

/// How the ranges of a scan are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// One after another.
    Concatenated,
    /// Merged by what follows the prefix of each, smallest first.
    Ordered,
}

/// Where in the keys of a scan the order begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderAt {
    /// After so many bytes, which are the same in all ranges.
    Shared(usize),
    /// After the prefix of each range.
    Prefix,
    /// The order is not a contiguous part of the keys: a position in it is found by
    /// reading.
    Spread,
    /// The keys have the order except for ties, which come in any order.
    Ties,
}

impl Range {
    pub(crate) fn is_empty(&self) -> bool {
        self.high.as_ref().is_some_and(|high| *high <= self.low)
    }
}

impl Access {
    /// Whether it can find a document more than once.
    pub(crate) fn has_repeats(&self) -> bool {
        match self {
            Access::Index(scan) => scan.has_repeats,
            Access::Union(parts) => parts.len() > 1 || parts.iter().any(Self::has_repeats),
            Access::Nothing
            | Access::Ids(_)
            | Access::Collection(..)
            | Access::Intersection(..) => false,
        }
    }

    /// Whether documents with equal sort keys come in any order.
    pub(crate) fn has_open_ties(&self) -> bool {
        matches!(self, Access::Index(scan) if scan.order_at == Some(OrderAt::Ties))
    }
}
