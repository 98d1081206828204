//! [`Queried`]: a collection in one state, with everything that a query needs to know about it.

use smallvec::SmallVec;
use velocitydb_core::{CollectionName, Consistency, Time};

use crate::handle::database::Access;
use crate::keys::CollectionNumber;
use crate::query::{Target, UsableIndex};
use crate::state::catalog::{self, Totals};
use crate::{Database, Result, Snapshot};

/// A collection in one state.
pub(crate) struct Queried {
    pub(crate) snapshot: Snapshot,
    number: CollectionNumber,
    count: u64,
    indexes: SmallVec<[UsableIndex; 4]>,
    /// Documents that have expired by this time are left out; `None` when there are none.
    now: Option<Time>,
    /// The number of the last command that had changed the collection.
    pub(crate) index: u64,
}

impl Queried {
    fn new(
        snapshot: Snapshot,
        number: CollectionNumber,
        totals: Totals,
        indexes: SmallVec<[UsableIndex; 4]>,
    ) -> Result<Self> {
        let expired = snapshot.expired_count(number)?;
        let now = (expired > 0).then_some(snapshot.time());
        let (count, index) = (totals.count.saturating_sub(expired), totals.index);
        Ok(Queried { snapshot, number, count, indexes, now, index })
    }

    /// The collection as the target of plans.
    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            state: self.snapshot.state(),
            number: self.number,
            count: self.count,
            indexes: self.indexes.clone(),
            now: self.now,
        }
    }
}

impl Database {
    /// The newest state of a collection; `None` when it does not exist.
    pub(crate) fn queried(
        &self,
        name: &CollectionName,
        level: Consistency,
    ) -> Result<Option<Queried>> {
        let Some(entry) = self.entry(name, Access::Read, level)? else { return Ok(None) };
        let published = self.core().names.get(name);
        let published = published.filter(|published| published.entry.number == entry.number);
        // The names are older than the snapshot. A collection or an index that was dropped in between has
        // no totals in the snapshot.
        let snapshot = self.snapshot_at(level)?;
        let Some(totals) = snapshot.totals_of(entry.number)? else { return Ok(None) };
        let mut indexes = SmallVec::new();
        let published = published.and_then(|published| published.indexes);
        for index in published.iter().flat_map(|list| &**list) {
            let totals = catalog::index_totals(snapshot.state(), index.definition.number)?;
            if let Some(totals) = totals.filter(|totals| totals.is_ready) {
                let (definition, statistics) = (index.definition.clone(), index.statistics.clone());
                indexes.push(UsableIndex { definition, totals, statistics });
            }
        }
        Queried::new(snapshot, entry.number, totals, indexes).map(Some)
    }
}

impl Snapshot {
    /// A collection in this state; `None` when it does not exist.
    pub(crate) fn queried(&self, name: &CollectionName) -> Result<Option<Queried>> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let Some(totals) = self.totals_of(number)? else { return Ok(None) };
        let ready = catalog::load_indexes(self.state(), number)?;
        let ready = ready.into_iter().filter(|index| index.totals.is_ready);
        let indexes = ready.map(|index| UsableIndex {
            definition: index.definition,
            totals: index.totals,
            statistics: index.statistics,
        });
        Queried::new(self.clone(), number, totals, indexes.collect()).map(Some)
    }
}
