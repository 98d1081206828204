//! The collections: which there are, how they behave, and what they add up to.
//!
//! The catalog is a decoded copy of part of the state. The applier owns the one that changes;
//! readers see a published copy of names and options, which only creating and dropping replaces.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use velocitydb_core::{
    CollectionName, CollectionOptions, Consistency, IndexName, Time, decode_varint, encode_varint,
};
use velocitydb_storage::{Batch, Blob, Bounds, Direction, Snapshot};

use crate::collection_schema::CollectionSchema;
use crate::index::{Definition, IndexState, IndexTotals};
use crate::keys::{self, CollectionNumber, IndexNumber, SYSTEM};
use crate::{Error, Result};

/// What a collection adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// Documents that it has.
    pub(crate) count: u64,
    /// Bytes of their ids, headers and fields.
    pub(crate) bytes: u64,
    /// Writes that have been applied to it, deletes and expiries included.
    pub(crate) writes: u64,
    /// Tombstones that it has.
    pub(crate) tombstones: u64,
    /// The highest version of any of its documents, ever.
    pub(crate) version_max: u64,
    /// New documents start one above this; above 0 when the name was dropped a short while ago.
    pub(crate) version_floor: u64,
    /// The number of the last command that changed it.
    pub(crate) index: u64,
}

impl Totals {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        for number in self.numbers() {
            encode_varint(number, &mut bytes);
        }
        bytes
    }

    fn numbers(&self) -> [u64; 7] {
        let Totals { count, bytes, writes, tombstones, version_max, version_floor, index } = *self;
        [count, bytes, writes, tombstones, version_max, version_floor, index]
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut numbers = [0; 7];
        for number in &mut numbers {
            *number = decode_varint(&mut bytes)?;
        }
        let [count, total, writes, tombstones, version_max, version_floor, index] = numbers;
        let totals =
            Totals { count, bytes: total, writes, tombstones, version_max, version_floor, index };
        bytes.is_empty().then_some(totals)
    }
}

/// What the state as a whole adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SystemTotals {
    /// The number of the next collection.
    pub(crate) next_collection: CollectionNumber,
    /// The oldest request id that is remembered.
    pub(crate) request_first: u64,
    /// The number of the next request id.
    pub(crate) request_next: u64,
    /// Bytes of the answers that are remembered.
    pub(crate) request_bytes: u64,
    /// The number of the last command that changed these.
    pub(crate) index: u64,
    /// The number of the next index.
    pub(crate) next_index: IndexNumber,
}

impl SystemTotals {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16);
        let SystemTotals {
            next_collection,
            request_first,
            request_next,
            request_bytes,
            index,
            next_index,
        } = *self;
        let numbers = [
            next_collection.into(),
            request_first,
            request_next,
            request_bytes,
            index,
            next_index.into(),
        ];
        for number in numbers {
            encode_varint(number, &mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let totals = SystemTotals {
            next_collection: u32::try_from(decode_varint(&mut bytes)?).ok()?,
            request_first: decode_varint(&mut bytes)?,
            request_next: decode_varint(&mut bytes)?,
            request_bytes: decode_varint(&mut bytes)?,
            index: decode_varint(&mut bytes)?,
            next_index: u32::try_from(decode_varint(&mut bytes)?).ok()?,
        };
        bytes.is_empty().then_some(totals)
    }
}

/// One collection of the catalog.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) number: CollectionNumber,
    pub(crate) options: CollectionOptions,
    pub(crate) totals: Totals,
    /// Whether the totals differ from those that are stored.
    pub(crate) is_changed: bool,
    /// In the order of their names.
    pub(crate) indexes: SmallVec<[Index; 2]>,
    pub(crate) schema: Option<Arc<CollectionSchema>>,
}

/// One index of the catalog.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) definition: Arc<Definition>,
    pub(crate) totals: IndexTotals,
    /// Whether the totals differ from those that are stored.
    pub(crate) is_changed: bool,
}

impl Collection {
    pub(crate) fn index(&self, name: &IndexName) -> Option<&Index> {
        self.indexes.iter().find(|index| index.definition.name == *name)
    }
}

/// A map that every operation looks its collection up in.
pub(crate) type ByName<T> = HashMap<CollectionName, T, rapidhash::fast::RandomState>;

/// Every collection by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) collections: ByName<Collection>,
    pub(crate) system: SystemTotals,
    pub(crate) is_system_changed: bool,
}

impl Catalog {
    /// Reads the catalog out of a state.
    pub(crate) fn load(snapshot: &dyn Snapshot) -> Result<Self> {
        let mut catalog = Catalog::default();
        if let Some(bytes) = snapshot.get(SYSTEM, &[keys::TOTALS])? {
            catalog.system =
                SystemTotals::decode(&bytes).ok_or_else(|| corrupt(&[keys::TOTALS]))?;
        }
        let mut names = Vec::new();
        let prefix = [keys::COLLECTION];
        let end = keys::end_of(&prefix);
        let bounds = Bounds { start: &prefix, end: end.as_deref() };
        snapshot.scan(SYSTEM, bounds, Direction::Forward, &mut |key, value| {
            names.push((key.to_vec(), Blob::copy_of(value)));
            std::ops::ControlFlow::Continue(())
        })?;
        for (key, value) in names {
            let name = std::str::from_utf8(&key[1..]).ok();
            let name = name.and_then(|name| CollectionName::new(name).ok());
            let name = name.ok_or_else(|| corrupt(&key))?;
            let (number, options) = decode_collection(&value).ok_or_else(|| corrupt(&key))?;
            let totals_key = keys::numbered(keys::COLLECTION_TOTALS, number);
            let totals = snapshot.get(SYSTEM, &totals_key)?;
            let totals = totals.as_deref().and_then(Totals::decode);
            let totals = totals.ok_or_else(|| corrupt(&totals_key))?;
            let indexes = load_indexes(snapshot, number)?;
            let schema = CollectionSchema::load(snapshot, number)?.map(Arc::new);
            let is_changed = false;
            let collection = Collection { number, options, totals, is_changed, indexes, schema };
            catalog.collections.insert(name, collection);
        }
        Ok(catalog)
    }

    /// The number of the last command that changed anything.
    pub(crate) fn index(&self) -> u64 {
        let collections = self.collections.values().map(|collection| collection.totals.index);
        collections.fold(self.system.index, u64::max)
    }

    /// Puts the totals that have changed into `batch`.
    pub(crate) fn write_totals(&mut self, batch: &mut Batch) {
        for collection in self.collections.values_mut().filter(|one| one.is_changed) {
            let key = keys::numbered(keys::COLLECTION_TOTALS, collection.number);
            batch.put(SYSTEM, &key, &collection.totals.encode());
            collection.is_changed = false;
            for index in collection.indexes.iter_mut().filter(|index| index.is_changed) {
                let key = keys::numbered(keys::INDEX_TOTALS, index.definition.number);
                batch.put(SYSTEM, &key, &index.totals.encode());
                index.is_changed = false;
            }
        }
        if std::mem::take(&mut self.is_system_changed) {
            batch.put(SYSTEM, &[keys::TOTALS], &self.system.encode());
        }
    }
}

/// What readers need to know of a collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) number: CollectionNumber,
    pub(crate) options: CollectionOptions,
}

/// The published names: replaced as a whole, so that readers never wait.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By name.
    pub(crate) entries: ByName<Entry>,
    /// The indexes that can be used, by collection. Whether one can be in a certain state, its
    /// totals in that state tell.
    pub(crate) indexes: HashMap<CollectionNumber, Arc<[Arc<Definition>]>>,
    /// The indexes that are being built.
    pub(crate) building: Vec<(CollectionName, IndexName)>,
}

impl Names {
    pub(crate) fn of(catalog: &Catalog) -> Arc<Self> {
        let entry = |one: &Collection| Entry { number: one.number, options: one.options };
        let entries = catalog.collections.iter();
        let ready = |one: &Collection| {
            let ready = one.indexes.iter().filter(|index| index.totals.is_ready);
            ready.map(|index| index.definition.clone()).collect()
        };
        let indexed = catalog.collections.values().filter(|one| !one.indexes.is_empty());
        let mut building = Vec::new();
        for (name, one) in &catalog.collections {
            let unfinished = one.indexes.iter().map(|index| &index.definition);
            let unfinished =
                unfinished.filter(|one| matches!(one.state, IndexState::Building { .. }));
            building.extend(unfinished.map(|one| (name.clone(), one.name.clone())));
        }
        Arc::new(Names {
            building,
            entries: entries.map(|(name, one)| (name.clone(), entry(one))).collect(),
            indexes: indexed.map(|one| (one.number, ready(one))).collect(),
        })
    }
}

/// The indexes of a collection in a state.
pub(crate) fn load_indexes(
    snapshot: &dyn Snapshot,
    collection: CollectionNumber,
) -> Result<SmallVec<[Index; 2]>> {
    let prefix = keys::numbered(keys::INDEX, collection);
    let end = keys::end_of(&prefix);
    let bounds = Bounds { start: &prefix, end: end.as_deref() };
    let mut found = Vec::new();
    snapshot.scan(SYSTEM, bounds, Direction::Forward, &mut |key, value| {
        found.push((key.to_vec(), Definition::decode(value)));
        std::ops::ControlFlow::Continue(())
    })?;
    let load = |(key, definition): (Vec<u8>, Option<Definition>)| {
        let definition = definition.ok_or_else(|| corrupt(&key))?;
        let totals = index_totals(snapshot, definition.number)?;
        let totals = totals.ok_or_else(|| corrupt(&key))?;
        Ok(Index { definition: Arc::new(definition), totals, is_changed: false })
    };
    found.into_iter().map(load).collect()
}

/// The totals of an index in a state; `None` when it does not exist there.
pub(crate) fn index_totals(
    snapshot: &dyn Snapshot,
    index: IndexNumber,
) -> Result<Option<IndexTotals>> {
    let key = keys::numbered(keys::INDEX_TOTALS, index);
    let Some(bytes) = snapshot.get(SYSTEM, &key)? else { return Ok(None) };
    Ok(Some(IndexTotals::decode(&bytes).ok_or_else(|| corrupt(&key))?))
}

/// The entry of one collection in a state; `None` when it does not exist.
pub(crate) fn find(snapshot: &dyn Snapshot, name: &CollectionName) -> Result<Option<Entry>> {
    let key = keys::named(keys::COLLECTION, name.as_str());
    let Some(bytes) = snapshot.get(SYSTEM, &key)? else { return Ok(None) };
    let (number, options) = decode_collection(&bytes).ok_or_else(|| corrupt(&key))?;
    Ok(Some(Entry { number, options }))
}

/// The stored form of a collection: its number and its options.
pub(crate) fn encode_collection(number: CollectionNumber, options: &CollectionOptions) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.push(encode_level(options.min_write));
    bytes.push(encode_level(options.min_read));
    bytes
}

fn decode_collection(bytes: &[u8]) -> Option<(CollectionNumber, CollectionOptions)> {
    let (number, levels) = bytes.split_first_chunk::<4>()?;
    let [min_write, min_read] = levels else { return None };
    let options = CollectionOptions {
        min_write: decode_level(*min_write)?,
        min_read: decode_level(*min_read)?,
    };
    Some((u32::from_be_bytes(*number), options))
}

const LEVELS: [Option<Consistency>; 5] = [
    None,
    Some(Consistency::Local),
    Some(Consistency::Eventual),
    Some(Consistency::Quorum),
    Some(Consistency::Strong),
];

fn encode_level(level: Option<Consistency>) -> u8 {
    LEVELS.iter().position(|one| *one == level).expect("every level is in the table") as u8
}

fn decode_level(byte: u8) -> Option<Option<Consistency>> {
    LEVELS.get(usize::from(byte)).copied()
}

/// What is remembered of a document that was deleted, or of a collection that was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tombstone {
    /// The version of the delete; for a collection, the highest version of its documents.
    pub(crate) version: u64,
    /// When it was deleted.
    pub(crate) deleted: Time,
}

impl Tombstone {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.deleted.as_micros().to_le_bytes().to_vec();
        encode_varint(self.version, &mut bytes);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (deleted, mut rest) = bytes.split_first_chunk::<8>()?;
        let version = decode_varint(&mut rest)?;
        let deleted = Time::from_micros(i64::from_le_bytes(*deleted)).ok()?;
        rest.is_empty().then_some(Tombstone { version, deleted })
    }
}

/// The error for a system value that cannot be read.
pub(crate) fn corrupt(key: &[u8]) -> Error {
    Error::Corrupt {
        place: format!("system key {}", key.escape_ascii()),
        what: "a value that cannot be read".to_owned(),
    }
}
