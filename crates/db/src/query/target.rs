//! [`Target`]: the collection that a query reads, in one state, and the [`Request`] that is
//! planned.

use std::sync::Arc;

use smallvec::SmallVec;
use velocitydb_core::key::Direction;
use velocitydb_core::{Filter, Sort, Time};
use velocitydb_storage::Snapshot;

use super::hint::Hint;
use super::statistics::Statistics;
use crate::index::{Definition, IndexTotals};
use crate::keys::CollectionNumber;

/// A collection in one state.
#[derive(Clone)]
pub(crate) struct Target<'a> {
    /// The state: that of a snapshot, or that in the middle of a group of commands.
    pub(crate) state: &'a dyn Snapshot,
    pub(crate) number: CollectionNumber,
    /// How many documents it has.
    pub(crate) count: u64,
    /// The indexes that are ready in this state.
    pub(crate) indexes: SmallVec<[UsableIndex; 4]>,
    /// Documents that have expired by this time are skipped; `None` if there are none in this
    /// collection.
    pub(crate) now: Option<Time>,
}

/// An index that a plan can use.
#[derive(Clone)]
pub(crate) struct UsableIndex {
    pub(crate) definition: Arc<Definition>,
    pub(crate) totals: IndexTotals,
    /// The distribution of its values, if it has been analysed.
    pub(crate) statistics: Arc<Statistics>,
}

/// What a plan has to find.
pub(crate) struct Request<'a> {
    pub(crate) filter: &'a Filter,
    pub(crate) order: Order<'a>,
    /// How many documents are needed at the most, skipped ones included.
    pub(crate) limit: Option<u64>,
    /// Hints for the ranges, if the same search was made before.
    pub(crate) remembered: Option<&'a dyn Remembered>,
}

/// What is remembered of earlier searches of the same shape.
pub(crate) trait Remembered {
    /// The hint for the keys of an index that begin with a prefix.
    fn of(&self, prefix: &[u8]) -> Option<&Hint>;
}

/// The requested order of documents.
#[derive(Clone, Copy)]
pub(crate) enum Order<'a> {
    /// Any order.
    Any,
    /// By these keys, and documents with equal keys by id, in the direction of the last key.
    By(&'a Sort),
}

impl Order<'_> {
    /// The direction of the ids.
    pub(crate) fn id_direction(&self) -> Direction {
        match self {
            Order::Any => Direction::Ascending,
            Order::By(sort) => id_direction(sort),
        }
    }
}

/// The direction of the ids among documents with equal sort keys.
pub(crate) fn id_direction(sort: &Sort) -> Direction {
    sort.keys().last().map(|key| key.direction).unwrap_or_default()
}
