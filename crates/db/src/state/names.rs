//! [`Names`]: what readers know of collections without reading the state.
//!
//! Every read and every write begins with looking up a name, which takes no lock and copies nothing.
//! The names are divided into [`SHARDS`] small maps, each immutable behind an atomic pointer. A
//! change replaces one of them, so that it costs the same however many collections there are:
//!
//! ```text
//!  creating, dropping ──▶ withdraw ──▶ commit ──▶ publish ──▶ copies of the shards of those names
//!  readers ──▶ shard of the name ──▶ its collection, or else they look in the state
//! ```
//!
//! Names may lack a collection that was just created; then readers look in the state. They never
//! have one that is dropped in the visible state.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rapidhash::fast::RandomState;
use smallvec::SmallVec;
use velocitydb_core::{CollectionName, IndexName};

use crate::index::{Definition, IndexState};
use crate::keys::IndexNumber;
use crate::query::Statistics;
use crate::state::catalog::{Catalog, Collection, CollectionEntry};

/// Into how many parts the names are divided. With a million collections each has 250: replacing one
/// takes a microsecond or two, less than the rest of creating a collection.
const SHARDS: usize = 4_096;

/// The names of one shard.
type Shard = HashMap<CollectionName, Published, RandomState>;

/// What readers know of a collection.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) entry: CollectionEntry,
    /// The indexes that can be used, if it has any. Whether one is ready in a certain state, its
    /// totals in that state say.
    pub(crate) indexes: Option<Arc<[PublishedIndex]>>,
}

/// What readers know of an index.
#[derive(Debug, Clone)]
pub(crate) struct PublishedIndex {
    pub(crate) definition: Arc<Definition>,
    /// The distribution of its values.
    pub(crate) statistics: Arc<Statistics>,
}

/// The names of all collections, and the work lists for their indexes.
pub(crate) struct Names {
    shards: Box<[ArcSwap<Shard>]>,
    hasher: RandomState,
    /// The indexes that are being built.
    building: Mutex<BTreeMap<CollectionName, SmallVec<[IndexName; 1]>>>,
    /// The indexes whose statistics are stale.
    stale: Mutex<BTreeMap<IndexNumber, CollectionName>>,
    /// How many names have been copied for replacing shards.
    #[cfg(test)]
    pub(crate) copied: std::sync::atomic::AtomicUsize,
}

impl Default for Names {
    fn default() -> Self {
        let empty = Arc::new(Shard::default());
        Names {
            shards: (0..SHARDS).map(|_| ArcSwap::new(empty.clone())).collect(),
            hasher: RandomState::default(),
            building: Mutex::default(),
            stale: Mutex::default(),
            #[cfg(test)]
            copied: std::sync::atomic::AtomicUsize::default(),
        }
    }
}

impl Names {
    fn shard_of(&self, name: &CollectionName) -> usize {
        self.hasher.hash_one(name) as usize % SHARDS
    }

    /// The number and the options of a collection, if its name is published.
    #[inline]
    pub(crate) fn entry(&self, name: &CollectionName) -> Option<CollectionEntry> {
        self.shards[self.shard_of(name)].load().get(name).map(|published| published.entry)
    }

    /// What is known of a collection.
    pub(crate) fn get(&self, name: &CollectionName) -> Option<Published> {
        self.shards[self.shard_of(name)].load().get(name).cloned()
    }

    /// An index that can be used.
    pub(crate) fn index(
        &self,
        collection: &CollectionName,
        number: IndexNumber,
    ) -> Option<PublishedIndex> {
        let indexes = self.get(collection)?.indexes?;
        indexes.iter().find(|index| index.definition.number == number).cloned()
    }

    /// Removes the names whose collections are about to be dropped, and returns them.
    pub(crate) fn withdraw(
        &self,
        catalog: &Catalog,
        changed: &[CollectionName],
    ) -> Vec<CollectionName> {
        let is_dropped = |name: &&CollectionName| {
            let published = self.entry(name).map(|entry| entry.number);
            let stays = catalog.collections.get(*name).map(|one| one.number);
            published.is_some() && published != stays
        };
        let dropped: Vec<_> = changed.iter().filter(is_dropped).cloned().collect();
        self.replace(dropped.iter(), |_| None);
        dropped
    }

    /// Publishes the committed state of these names.
    pub(crate) fn publish(&self, catalog: &Catalog, changed: &[CollectionName]) {
        self.replace(changed.iter(), |name| {
            catalog.collections.get(name).map(|collection| Published::of(collection))
        });
        let mut building = self.building.lock();
        for name in changed {
            let unfinished = catalog.collections.get(name).map(|one| unfinished(one));
            match unfinished.filter(|indexes| !indexes.is_empty()) {
                Some(indexes) => building.insert(name.clone(), indexes),
                None => building.remove(name),
            };
        }
    }

    /// Publishes the committed state of all names.
    pub(crate) fn publish_all(&self, catalog: &Catalog) {
        let mut shards: Vec<Shard> = (0..SHARDS).map(|_| Shard::default()).collect();
        let (mut building, mut stale) = (BTreeMap::new(), BTreeMap::new());
        for (name, collection) in &catalog.collections {
            shards[self.shard_of(name)].insert(name.clone(), Published::of(collection));
            let unfinished = unfinished(collection);
            if !unfinished.is_empty() {
                building.insert(name.clone(), unfinished);
            }
            let used = collection.indexes.iter().filter(|index| index.totals.is_ready);
            stale.extend(used.map(|index| (index.definition.number, name.clone())));
        }
        // Nearly all shards of a small database are empty, and share one map.
        let empty = Arc::new(Shard::default());
        for (place, shard) in self.shards.iter().zip(shards) {
            place.store(if shard.is_empty() { empty.clone() } else { Arc::new(shard) });
        }
        *self.building.lock() = building;
        *self.stale.lock() = stale;
    }

    /// Replaces the shards of these names, each once.
    fn replace<'a>(
        &self,
        names: impl Iterator<Item = &'a CollectionName>,
        published: impl Fn(&CollectionName) -> Option<Published>,
    ) {
        let mut names: Vec<_> = names.map(|name| (self.shard_of(name), name)).collect();
        names.sort_by_key(|(number, _)| *number);
        for names in names.chunk_by(|one, other| one.0 == other.0) {
            let place = &self.shards[names[0].0];
            let mut shard = Shard::clone(&place.load());
            #[cfg(test)]
            self.copied.fetch_add(shard.len(), std::sync::atomic::Ordering::Relaxed);
            for (_, name) in names {
                match published(name) {
                    Some(published) => drop(shard.insert((*name).clone(), published)),
                    None => drop(shard.remove(*name)),
                }
            }
            place.store(Arc::new(shard));
        }
    }

    /// The first of the indexes that are being built.
    pub(crate) fn first_building(&self) -> Option<(CollectionName, IndexName)> {
        let building = self.building.lock();
        let (collection, indexes) = building.first_key_value()?;
        Some((collection.clone(), indexes.first()?.clone()))
    }

    /// Notes that the statistics of an index are stale.
    pub(crate) fn note_stale(&self, index: IndexNumber, collection: CollectionName) {
        self.stale.lock().insert(index, collection);
    }

    /// Takes an index whose statistics are stale.
    pub(crate) fn take_stale(&self) -> Option<(IndexNumber, CollectionName)> {
        self.stale.lock().pop_first()
    }
}

impl Published {
    /// A collection as it is in the catalog.
    fn of(collection: &Collection) -> Self {
        let entry = CollectionEntry { number: collection.number, options: collection.options };
        let ready = collection.indexes.iter().filter(|index| index.totals.is_ready);
        let indexes: Arc<[_]> = ready
            .map(|index| PublishedIndex {
                definition: index.definition.clone(),
                statistics: index.statistics.clone(),
            })
            .collect();
        Published { entry, indexes: (!indexes.is_empty()).then_some(indexes) }
    }
}

/// The indexes of a collection that are being built.
fn unfinished(collection: &Collection) -> SmallVec<[IndexName; 1]> {
    let indexes = collection.indexes.iter().map(|index| &index.definition);
    let unfinished = indexes.filter(|one| matches!(one.state, IndexState::Building { .. }));
    unfinished.map(|one| one.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::Ordering;

    use velocitydb_core::CollectionOptions;

    use super::*;
    use crate::state::catalog::Totals;

    fn collection(number: u32) -> Collection {
        Collection::new(number, CollectionOptions::default(), Totals::default())
    }

    /// Creating or dropping a name once copied all others: the 8,000th collection cost 3.7 ms.
    #[test]
    fn a_change_copies_few_names_however_many_there_are() {
        let (names, mut catalog) = (Names::default(), Catalog::default());
        let name = |number: u32| CollectionName::new(format!("collection-{number}")).unwrap();
        let count = 50_000;
        for number in 0..count {
            catalog.insert(name(number), collection(number));
            names.publish(&catalog, &[name(number)]);
        }
        let copied_per_name = names.copied.load(Ordering::Relaxed) as f64 / f64::from(count);
        assert!(copied_per_name < 10.0, "{copied_per_name} names are copied for a new one");
        for number in (0..count).step_by(97) {
            assert_eq!(names.entry(&name(number)).unwrap().number, number);
            catalog.remove(&name(number));
            names.withdraw(&catalog, &[name(number)]);
            assert!(names.entry(&name(number)).is_none());
        }
    }

    /// Opening once allocated a map for each shard, 230 kB for a database of three collections.
    #[test]
    fn empty_shards_share_one_map() {
        let (names, mut catalog) = (Names::default(), Catalog::default());
        let users = CollectionName::new("users").unwrap();
        catalog.insert(users.clone(), collection(1));
        names.publish_all(&catalog);
        let maps: BTreeSet<_> =
            names.shards.iter().map(|shard| Arc::as_ptr(&shard.load())).collect();
        assert_eq!(maps.len(), 2);
        assert_eq!(names.entry(&users).unwrap().number, 1);
        // A map that others share is not changed in place.
        let jobs = CollectionName::new("jobs").unwrap();
        catalog.insert(jobs.clone(), collection(2));
        names.publish(&catalog, std::slice::from_ref(&jobs));
        let sizes = names.shards.iter().map(|shard| shard.load().len());
        assert_eq!(sizes.sum::<usize>(), 2);
    }

    /// Of two names that share a shard, only the one that is dropped is withdrawn, and one whose
    /// collection was replaced is withdrawn too.
    #[test]
    fn only_what_is_dropped_is_withdrawn() {
        let (names, mut catalog) = (Names::default(), Catalog::default());
        let (stays, goes) =
            (CollectionName::new("stays").unwrap(), CollectionName::new("goes").unwrap());
        catalog.insert(stays.clone(), collection(1));
        catalog.insert(goes.clone(), collection(2));
        let both = [stays.clone(), goes.clone()];
        names.publish(&catalog, &both);
        catalog.insert(goes.clone(), collection(3));
        names.withdraw(&catalog, &both);
        assert_eq!(names.entry(&stays).unwrap().number, 1);
        assert!(names.entry(&goes).is_none());
        names.publish(&catalog, &both);
        assert_eq!(names.entry(&goes).unwrap().number, 3);
    }
}
