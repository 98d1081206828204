//! [`Access`]: the ways to documents.

use std::sync::Arc;

use velocitydb_core::DocumentId;
use velocitydb_storage::Direction;

use crate::index::Definition;
use crate::keys::Key;

/// A way to documents.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// There are none: the filter contradicts itself.
    Nothing,
    /// Those with these ids, in order.
    Ids(Vec<DocumentId>),
    /// All within a range of ids.
    Collection(Range, Direction),
    /// Those that an index leads to.
    Index(IndexScan),
    /// Those that one of several ways leads to, each once.
    Union(Vec<Access>),
    /// Those that both indexes lead to; the ids of the first are held in memory.
    Intersection(Box<IndexScan>, Box<IndexScan>),
}

/// The keys from `low`, included, to `high`, excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: Key,
    pub(crate) high: Option<Key>,
}

/// The reading of one or more ranges of an index.
#[derive(Debug, Clone)]
pub(crate) struct IndexScan {
    pub(crate) definition: Arc<Definition>,
    /// In the order of keys, without overlap.
    pub(crate) ranges: Vec<Range>,
    /// By range, how many bytes of its keys are the same for all of them.
    pub(crate) prefixes: Vec<usize>,
    /// How many keys of the index have the same value in all of a range.
    pub(crate) fixed: usize,
    pub(crate) direction: Direction,
    /// How the ranges are put together.
    pub(crate) merge: Merge,
    /// By how many bytes of its keys the order that was asked for is preceded, if it is theirs.
    pub(crate) order_at: Option<OrderAt>,
    /// Whether it can lead to a document more than once.
    pub(crate) has_repeats: bool,
}

/// How the ranges of a scan are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    /// One after another.
    Concatenated,
    /// By what follows the prefix of each, smallest first.
    Ordered,
}

/// Where in the keys of a scan the order begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderAt {
    /// After so many bytes, which are the same in all ranges.
    Shared(usize),
    /// After the prefix of each range.
    Prefix,
    /// It is spread over the keys: a place in the order is found by looking.
    Spread,
    /// The keys have it but for ties, which come in any order.
    Ties,
}

impl Range {
    pub(crate) fn is_empty(&self) -> bool {
        self.high.as_ref().is_some_and(|high| *high <= self.low)
    }
}

impl Access {
    /// Whether it can lead to a document more than once.
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

    /// Whether documents that the sort does not tell apart come in any order.
    pub(crate) fn has_open_ties(&self) -> bool {
        matches!(self, Access::Index(scan) if scan.order_at == Some(OrderAt::Ties))
    }
}
