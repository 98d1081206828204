//! The catalog: the collections, their options, and their totals.
//!
//! It is a decoded copy of part of the state. The machine owns the one that changes; readers see
//! [`Names`](crate::state::names::Names).

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;
use velocitydb_core::{
    CollectionName, CollectionOptions, Consistency, IndexName, NewIds, Time, decode_varint,
    encode_varint,
};
use velocitydb_storage::{Batch, Bounds, Direction, Snapshot};

use crate::index::{Definition, IndexTotals};
use crate::keys::{self, CollectionNumber, IndexNumber, SYSTEM};
use crate::query::Statistics;
use crate::state::collection_schema::CollectionSchema;
use crate::{Error, Result};

/// The totals of a collection.
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
    /// The versions of new documents start one above this; above 0 if a collection of this name was
    /// dropped within the retention time.
    pub(crate) version_floor: u64,
    /// The number of the last command that changed it.
    pub(crate) index: u64,
    /// Documents that some claims skip, since their update could not be applied.
    pub(crate) unfit: u64,
}

impl Totals {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        for number in self.numbers() {
            encode_varint(number, &mut bytes);
        }
        bytes
    }

    fn numbers(&self) -> [u64; 8] {
        let Totals { count, bytes, writes, tombstones, version_max, version_floor, index, unfit } =
            *self;
        [count, bytes, writes, tombstones, version_max, version_floor, index, unfit]
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut numbers = [0; 8];
        for number in &mut numbers {
            *number = decode_varint(&mut bytes)?;
        }
        let [count, total, writes, tombstones, version_max, version_floor, index, unfit] = numbers;
        let totals = Totals {
            count,
            bytes: total,
            writes,
            tombstones,
            version_max,
            version_floor,
            index,
            unfit,
        };
        bytes.is_empty().then_some(totals)
    }
}

/// The version of the rules by which commands are applied: limits, remembered answers, the query
/// language. This release cannot open a state of a later version.
const STATE_VERSION: u64 = 2;

/// The version before, from which a data folder is migrated when it is opened.
const STATE_VERSION_BEFORE: u64 = 1;

/// Whether a state has to be migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateVersion {
    Before,
    Current,
}

/// The version of the rules of a state with these totals.
pub(crate) fn state_version(totals: &[u8]) -> Result<StateVersion> {
    match decode_varint(&mut &*totals) {
        None => Err(keys::corrupt(&[keys::TOTALS])),
        Some(STATE_VERSION) => Ok(StateVersion::Current),
        Some(STATE_VERSION_BEFORE) => Ok(StateVersion::Before),
        Some(found) => Err(Error::StateVersion { found, supported: STATE_VERSION }),
    }
}

/// The totals of the whole state, and its position.
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
    /// The number of the last command that changed something; written with every group of them.
    pub(crate) index: u64,
    /// The number of the next index.
    pub(crate) next_index: IndexNumber,
    /// Documents that could not be expired and leases that could not be ended when they were due.
    pub(crate) postponed: u64,
    /// If commands come from a log: the log position of the last one that was applied, including refused
    /// ones and those without effect. The log is replayed after it.
    pub(crate) log_position: u64,
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
            postponed,
            log_position,
        } = *self;
        let numbers = [
            STATE_VERSION,
            next_collection.into(),
            request_first,
            request_next,
            request_bytes,
            index,
            next_index.into(),
            postponed,
            log_position,
        ];
        for number in numbers {
            encode_varint(number, &mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        decode_varint(&mut bytes)?;
        let totals = SystemTotals {
            next_collection: u32::try_from(decode_varint(&mut bytes)?).ok()?,
            request_first: decode_varint(&mut bytes)?,
            request_next: decode_varint(&mut bytes)?,
            request_bytes: decode_varint(&mut bytes)?,
            index: decode_varint(&mut bytes)?,
            next_index: u32::try_from(decode_varint(&mut bytes)?).ok()?,
            postponed: decode_varint(&mut bytes)?,
            log_position: decode_varint(&mut bytes)?,
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
    /// Whether the totals differ from the stored ones.
    pub(crate) is_changed: bool,
    /// The attempt at a command that saved its state before.
    pub(crate) remembered_in: u64,
    /// In the order of their names.
    pub(crate) indexes: SmallVec<[Index; 2]>,
    pub(crate) schema: Option<Arc<CollectionSchema>>,
}

/// One index of the catalog.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) definition: Arc<Definition>,
    pub(crate) totals: IndexTotals,
    /// Whether the totals differ from the stored ones.
    pub(crate) is_changed: bool,
    /// How many entries it had when statistics were last requested.
    pub(crate) entries_known: u64,
    pub(crate) statistics: Arc<Statistics>,
}

impl Index {
    pub(crate) fn new(definition: Arc<Definition>, totals: IndexTotals) -> Self {
        let (entries_known, statistics) = (totals.analyzed, Arc::default());
        Index { definition, totals, is_changed: false, entries_known, statistics }
    }
}

impl Collection {
    /// A collection without indexes and a schema, as it is stored.
    pub(crate) fn new(
        number: CollectionNumber,
        options: CollectionOptions,
        totals: Totals,
    ) -> Self {
        let (is_changed, remembered_in) = (false, 0);
        let (indexes, schema) = (SmallVec::new(), None);
        Collection { number, options, totals, is_changed, remembered_in, indexes, schema }
    }

    pub(crate) fn index(&self, name: &IndexName) -> Option<&Index> {
        self.indexes.iter().find(|index| index.definition.name == *name)
    }
}

/// A map by collection name, which every operation uses.
pub(crate) type ByName<T> = HashMap<CollectionName, T, rapidhash::fast::RandomState>;

/// Every collection by name and by number. The cost of a command does not depend on their number:
/// they are iterated over only when a state is opened.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// Boxed, so that the map grows without moving them.
    pub(crate) collections: ByName<Box<Collection>>,
    names: HashMap<CollectionNumber, CollectionName, rapidhash::fast::RandomState>,
    pub(crate) system: SystemTotals,
    /// The collections that the group of commands has touched: all others are as in the committed
    /// state.
    touched: Vec<CollectionName>,
    /// Indexes that have changed so much that their statistics are stale.
    stale: Vec<(IndexNumber, CollectionName)>,
}

impl Catalog {
    /// Reads the catalog out of a state.
    pub(crate) fn load(snapshot: &dyn Snapshot) -> Result<Self> {
        let mut catalog = Catalog { system: load_system(snapshot)?, ..Catalog::default() };
        let mut totals = all_totals(snapshot)?;
        for (name, number, options) in all_names(snapshot)? {
            let key = || keys::numbered(keys::COLLECTION_TOTALS, number);
            let totals = totals.remove(&number).ok_or_else(|| keys::corrupt(&key()))?;
            catalog.insert(name, Collection::new(number, options, totals));
        }
        let mut numbers = Vec::new();
        scan_kind(snapshot, keys::INDEX, |key, _| {
            let number = key[1..].first_chunk().map(|number| u32::from_be_bytes(*number));
            if numbers.last() != number.as_ref() {
                numbers.extend(number);
            }
            Some(())
        })?;
        for number in numbers {
            // Totals without a collection are reported by the doctor.
            if let Some(collection) = catalog.by_number(number) {
                collection.indexes = load_indexes(snapshot, number)?;
            }
        }
        let mut numbers = Vec::new();
        scan_kind(snapshot, keys::SCHEMA, |key, _| {
            numbers.push(u32::from_be_bytes(key[1..].try_into().ok()?));
            Some(())
        })?;
        for number in numbers {
            if let Some(collection) = catalog.by_number(number) {
                collection.schema = CollectionSchema::load(snapshot, number)?.map(Arc::new);
            }
        }
        Ok(catalog)
    }

    fn by_number(&mut self, number: CollectionNumber) -> Option<&mut Collection> {
        let name = self.names.get(&number)?;
        self.collections.get_mut(name).map(|collection| &mut **collection)
    }

    /// Reloads all that the group of commands has touched from the committed state.
    pub(crate) fn reload_touched(&mut self, snapshot: &dyn Snapshot) -> Result<()> {
        self.system = load_system(snapshot)?;
        for name in std::mem::take(&mut self.touched) {
            match load_collection(snapshot, &name)? {
                Some(collection) => drop(self.insert(name, collection)),
                None => drop(self.remove(&name)),
            }
        }
        Ok(())
    }

    /// The name of the collection with this number, if there is one.
    pub(crate) fn name_of(&self, number: CollectionNumber) -> Option<&CollectionName> {
        self.names.get(&number)
    }

    /// Inserts a collection, and returns the one of this name that it replaces.
    pub(crate) fn insert(
        &mut self,
        name: CollectionName,
        collection: Collection,
    ) -> Option<Collection> {
        let number = collection.number;
        let before = self.collections.insert(name.clone(), Box::new(collection));
        if let Some(before) = before.as_ref().filter(|before| before.number != number) {
            self.names.remove(&before.number);
        }
        self.names.insert(number, name);
        before.map(|before| *before)
    }

    pub(crate) fn remove(&mut self, name: &CollectionName) -> Option<Collection> {
        let before = *self.collections.remove(name)?;
        self.names.remove(&before.number);
        Some(before)
    }

    /// Notes that a command has touched a collection.
    pub(crate) fn touch(&mut self, name: &CollectionName) {
        self.touched.push(name.clone());
    }

    /// Notes that the group of commands has ended.
    pub(crate) fn settle(&mut self) {
        self.touched.clear();
    }

    /// Puts the totals that have changed into `batch`, and that the command at `index` is the last.
    pub(crate) fn write_totals(&mut self, batch: &mut Batch, index: u64) {
        for name in &self.touched {
            let Some(collection) = self.collections.get_mut(name) else { continue };
            if !std::mem::take(&mut collection.is_changed) {
                continue;
            }
            let key = keys::numbered(keys::COLLECTION_TOTALS, collection.number);
            batch.put(SYSTEM, &key, &collection.totals.encode());
            for index in collection.indexes.iter_mut().filter(|index| index.is_changed) {
                let key = keys::numbered(keys::INDEX_TOTALS, index.definition.number);
                batch.put(SYSTEM, &key, &index.totals.encode());
                index.is_changed = false;
                let entries = index.totals.entries;
                if index.totals.is_ready && is_stale(index.entries_known, entries) {
                    index.entries_known = entries;
                    self.stale.push((index.definition.number, name.clone()));
                }
            }
        }
        self.system.index = index;
        batch.put(SYSTEM, &[keys::TOTALS], &self.system.encode());
    }

    /// Takes the indexes whose statistics are stale.
    pub(crate) fn take_stale(&mut self) -> Vec<(IndexNumber, CollectionName)> {
        std::mem::take(&mut self.stale)
    }
}

/// Whether an index has changed so much since it had `known` entries that its statistics are stale.
pub(crate) fn is_stale(known: u64, entries: u64) -> bool {
    // The ranges of a small index are counted, and need no statistics.
    entries.abs_diff(known) > (known / 5).max(1_000)
}

/// What readers need to know of a collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CollectionEntry {
    pub(crate) number: CollectionNumber,
    pub(crate) options: CollectionOptions,
}

/// The number of the last command that changed something in a state. O(1).
pub(crate) fn last_index(snapshot: &dyn Snapshot) -> Result<u64> {
    Ok(load_system(snapshot)?.index)
}

/// The totals of a whole state.
pub(crate) fn load_system(snapshot: &dyn Snapshot) -> Result<SystemTotals> {
    let Some(bytes) = snapshot.get(SYSTEM, &[keys::TOTALS])? else {
        return Ok(SystemTotals::default());
    };
    if state_version(&bytes)? != StateVersion::Current {
        let (found, supported) = (STATE_VERSION_BEFORE, STATE_VERSION);
        return Err(Error::StateVersion { found, supported });
    }
    SystemTotals::decode(&bytes).ok_or_else(|| keys::corrupt(&[keys::TOTALS]))
}

/// Calls `visit` with every system key of a kind and its value; one that `visit` cannot read is
/// corrupt.
fn scan_kind(
    snapshot: &dyn Snapshot,
    kind: u8,
    mut visit: impl FnMut(&[u8], &[u8]) -> Option<()>,
) -> Result<()> {
    let bounds = Bounds { start: &[kind], end: Some(&[kind + 1]) };
    let flow = snapshot.try_scan(SYSTEM, bounds, Direction::Forward, |key, value| {
        visit(key, value).map(ControlFlow::Continue).ok_or_else(|| keys::corrupt(key))
    });
    flow.map(|_| ())
}

/// The collections of a state, by name in order.
pub(crate) fn all_names(
    snapshot: &dyn Snapshot,
) -> Result<Vec<(CollectionName, CollectionNumber, CollectionOptions)>> {
    let mut names = Vec::new();
    scan_kind(snapshot, keys::COLLECTION, |key, value| {
        let name = CollectionName::new(std::str::from_utf8(&key[1..]).ok()?).ok()?;
        let (number, options) = decode_collection(value)?;
        names.push((name, number, options));
        Some(())
    })?;
    Ok(names)
}

/// The totals of the collections of a state.
pub(crate) fn all_totals(snapshot: &dyn Snapshot) -> Result<HashMap<CollectionNumber, Totals>> {
    let mut totals = HashMap::new();
    scan_kind(snapshot, keys::COLLECTION_TOTALS, |key, value| {
        totals.insert(u32::from_be_bytes(key[1..].try_into().ok()?), Totals::decode(value)?);
        Some(())
    })?;
    Ok(totals)
}

/// One collection of a state, with its indexes and schema; `None` when it does not exist.
fn load_collection(snapshot: &dyn Snapshot, name: &CollectionName) -> Result<Option<Collection>> {
    let Some(CollectionEntry { number, options }) = find(snapshot, name)? else { return Ok(None) };
    let key = keys::numbered(keys::COLLECTION_TOTALS, number);
    let totals = snapshot.get(SYSTEM, &key)?.as_deref().and_then(Totals::decode);
    let mut collection =
        Collection::new(number, options, totals.ok_or_else(|| keys::corrupt(&key))?);
    collection.indexes = load_indexes(snapshot, number)?;
    collection.schema = CollectionSchema::load(snapshot, number)?.map(Arc::new);
    Ok(Some(collection))
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
        ControlFlow::Continue(())
    })?;
    let load = |(key, definition): (Vec<u8>, Option<Definition>)| {
        let definition = definition.ok_or_else(|| keys::corrupt(&key))?;
        let totals = index_totals(snapshot, definition.number)?;
        let totals = totals.ok_or_else(|| keys::corrupt(&key))?;
        Ok(Index::new(Arc::new(definition), totals))
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
    Ok(Some(IndexTotals::decode(&bytes).ok_or_else(|| keys::corrupt(&key))?))
}

/// The entry of one collection in a state; `None` when it does not exist.
pub(crate) fn find(
    snapshot: &dyn Snapshot,
    name: &CollectionName,
) -> Result<Option<CollectionEntry>> {
    let key = keys::named(keys::COLLECTION, name.as_str());
    let Some(bytes) = snapshot.get(SYSTEM, &key)? else { return Ok(None) };
    let (number, options) = decode_collection(&bytes).ok_or_else(|| keys::corrupt(&key))?;
    Ok(Some(CollectionEntry { number, options }))
}

/// The highest integer that was an id in a collection that gives integers to new documents; 0 if there is
/// none.
pub(crate) fn highest_id(snapshot: &dyn Snapshot, collection: CollectionNumber) -> Result<i64> {
    let key = keys::numbered(keys::HIGHEST_ID, collection);
    decode_highest_id(&key, snapshot.get(SYSTEM, &key)?.as_deref())
}

/// The same, of the value of its key.
pub(crate) fn decode_highest_id(key: &[u8], value: Option<&[u8]>) -> Result<i64> {
    let Some(value) = value else { return Ok(0) };
    value.try_into().map(i64::from_le_bytes).map_err(|_| keys::corrupt(key))
}

/// The stored form of a collection: its number and its options.
pub(crate) fn encode_collection(number: CollectionNumber, options: &CollectionOptions) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.push(encode_level(options.min_write));
    bytes.push(encode_level(options.min_read));
    if options.ids != NewIds::default() {
        bytes.push(options.ids as u8);
    }
    bytes
}

fn decode_collection(bytes: &[u8]) -> Option<(CollectionNumber, CollectionOptions)> {
    let (number, options) = bytes.split_first_chunk::<4>()?;
    let [min_write, min_read, ids @ ..] = options else { return None };
    let ids = match ids {
        [] => NewIds::default(),
        [ids] => *NewIds::ALL.get(usize::from(*ids))?,
        _ => return None,
    };
    let options = CollectionOptions {
        min_write: decode_level(*min_write)?,
        min_read: decode_level(*min_read)?,
        ids,
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

/// The record of a deleted document, or of a dropped collection.
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

/// An expiry or lease end that was due and failed: the value of its key in an order of time, which
/// is otherwise empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Postponed<'a> {
    /// Since when it has been due.
    pub(crate) since: Time,
    /// Why it could not be done.
    pub(crate) reason: &'a str,
}

impl<'a> Postponed<'a> {
    /// The longest reason that is kept, in bytes.
    const REASON_BYTES_MAX: usize = 256;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.since.as_micros().to_le_bytes().to_vec();
        let end = self.reason.floor_char_boundary(Self::REASON_BYTES_MAX);
        bytes.extend_from_slice(&self.reason.as_bytes()[..end]);
        bytes
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (since, reason) = bytes.split_first_chunk::<8>()?;
        let since = Time::from_micros(i64::from_le_bytes(*since)).ok()?;
        Some(Postponed { since, reason: std::str::from_utf8(reason).ok()? })
    }
}
