//! Which entries a document has in an index, and reading them back.
//!
//! ```text
//! key    number of the index, a component for each of its keys, and the id, unless it is unique
//! value  of a unique index the id; then what the key does not tell:
//!        nothing, or `ff` behind      the document has the key's values, in the order of their paths
//!        an id that is not text
//!        the numbers of all n keys    it has them in this order; missing ones come last
//!        (a byte each), and n - 1
//!        00                           its values are equal to the key's, and may differ
//! ```
//!
//! The id sorts in the direction of the last key. So scanning forwards gives the order of a sort
//! by its keys, and backwards that of the opposite sort, ids included.

use smallvec::SmallVec;
use velocitydb_core::key::{Direction, encode_key, encode_missing, skip_key};
use velocitydb_core::{DocumentView, Error, IdRef, Kind, Path, RawValue, limits};

use super::Definition;
use crate::Result;
use crate::keys::{self, Key};

/// One entry of a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    content: Content<KeyNumbers>,
}

/// What is known of a document's indexed fields from the key of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Content<Order> {
    /// Their values, and that they are in the order of their paths.
    Sorted,
    /// Their values, and in which order of keys they are.
    Ordered(Order),
    /// Values that are equal to theirs, but perhaps not the same: `1` or `1.0`.
    Equal,
}

/// The numbers of keys of an index.
type KeyNumbers = SmallVec<[u8; 4]>;

/// All entries of a document.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// In the order of their keys, each once.
    pub(crate) list: SmallVec<[Entry; 1]>,
    /// By key of the index, whether there is an array on its path.
    pub(crate) multikey: u64,
}

/// The last byte of an entry's value if the document's values may differ from the key's. No text ends
/// in it, nor in the number of an index's keys less one.
const EQUAL: u8 = 0;

/// The same behind an id that is not text, which can end in any byte, if the values are the key's in the
/// order of their paths. No text ends in it either.
const SORTED: u8 = u8::MAX;

impl Definition {
    /// The entries of a document.
    ///
    /// # Errors
    ///
    /// `LimitExceeded` when they are too many or too long, and when bytes are corrupt.
    pub(crate) fn entries(&self, document: &DocumentView<'_>) -> Result<Entries> {
        if let Some(partial) = self.spec.partial_filter()
            && !partial.matches(document)?
        {
            return Ok(Entries::default());
        }
        match self.plain_entry(document)? {
            Plain::None => Ok(Entries::default()),
            Plain::One(entry) => Ok(Entries { list: SmallVec::from_elem(entry, 1), multikey: 0 }),
            Plain::HasArrays => self.array_entries(document),
        }
    }

    /// The value of an entry.
    pub(crate) fn entry_value(&self, entry: &Entry, id: IdRef<'_>) -> SmallVec<[u8; 64]> {
        let mut value = SmallVec::new();
        if self.spec.is_unique() {
            value.extend_from_slice(id.as_bytes());
        }
        match &entry.content {
            Content::Sorted if !value.is_empty() && id.as_str().is_none() => value.push(SORTED),
            Content::Sorted => {}
            Content::Ordered(numbers) => {
                value.extend_from_slice(numbers);
                value.push(numbers.len() as u8 - 1);
            }
            Content::Equal => value.push(EQUAL),
        }
        value
    }

    /// The fast path for most documents: no arrays, one entry, no allocated lists.
    fn plain_entry(&self, document: &DocumentView<'_>) -> Result<Plain> {
        let mut component = Vec::with_capacity(64);
        let (mut is_missing, mut is_exact) = (true, true);
        let mut places: SmallVec<[Option<Place>; 4]> = SmallVec::new();
        for (number, path) in self.paths().enumerate() {
            let (value, place) = match plain_value(document, path)? {
                Leaf::Array => return Ok(Plain::HasArrays),
                Leaf::Missing => (None, None),
                Leaf::Value(value, place) => (Some(value), Some(place)),
            };
            is_missing &= value.is_none();
            // If `a.b` is missing, the key does not say whether there is an `a`.
            is_exact &= value.map_or(Ok(path.segments().len() == 1), has_exact_key)?;
            append(value, self.direction(number), &mut component)?;
            places.push(place);
        }
        if is_missing && self.spec.is_sparse() {
            return Ok(Plain::None);
        }
        let content = if is_exact { self.order_of(&places) } else { Content::Equal };
        let mut entry = Entry { key: keys::entries(self.number), content };
        self.finish(&mut entry, &component, document.id)?;
        Ok(Plain::One(entry))
    }

    /// In which order a document has the fields at these places, one for each key.
    fn order_of(&self, places: &[Option<Place>]) -> Content<KeyNumbers> {
        let place = |number: &u8| places[usize::from(*number)].as_ref();
        let present = self.keys_by_path().iter().filter(|number| place(number).is_some());
        if present.is_sorted_by_key(place) {
            return Content::Sorted;
        }
        let mut numbers = KeyNumbers::from_slice(self.keys_by_path());
        numbers.sort_by_key(|number| (place(number).is_none(), place(number)));
        Content::Ordered(numbers)
    }

    /// The entries of a document with arrays: one for each combination of the values on its paths.
    /// None of them is exact: a key has an element, not the array.
    fn array_entries(&self, document: &DocumentView<'_>) -> Result<Entries> {
        let mut entries = Entries::default();
        // Components of the keys so far.
        let mut rows: Vec<Vec<u8>> = vec![Vec::new()];
        let mut is_missing = true;
        for (number, path) in self.paths().enumerate() {
            let direction = self.direction(number);
            let mut components: Vec<Vec<u8>> = Vec::new();
            let fanout = document.for_each_leaf(path, |leaf| {
                let mut component = Vec::new();
                leaf.encode_key(direction, &mut component)?;
                components.push(component);
                is_missing &= leaf.is_missing();
                Ok(())
            })?;
            if fanout.leaves == 0 {
                // There is no value, but without an entry the document could not be found.
                let mut component = Vec::new();
                encode_missing(direction, &mut component);
                components.push(component);
            }
            if fanout.multikey {
                self.check_arrays(entries.multikey)?;
                entries.multikey |= 1 << number;
            }
            components.sort_unstable();
            components.dedup();
            self.check_count(rows.len() * components.len())?;
            self.check_bytes(&rows, &components)?;
            rows = product(&rows, &components);
        }
        if is_missing && self.spec.is_sparse() {
            return Ok(entries);
        }
        for components in rows {
            let mut entry = Entry { key: keys::entries(self.number), content: Content::Equal };
            self.finish(&mut entry, &components, document.id)?;
            entries.list.push(entry);
        }
        entries.list.sort_unstable();
        Ok(entries)
    }

    /// Adds components and id to an entry.
    fn finish(&self, entry: &mut Entry, components: &[u8], id: IdRef<'_>) -> Result<()> {
        self.check_length(components.len())?;
        entry.key.extend_from_slice(components);
        if !self.spec.is_unique() {
            append_id(id, self.last_direction(), &mut entry.key);
        }
        Ok(())
    }

    /// Checks the size of all combinations before they are made.
    fn check_bytes(&self, rows: &[Vec<u8>], components: &[Vec<u8>]) -> Result<()> {
        let longest = |list: &[Vec<u8>]| list.iter().map(Vec::len).max().unwrap_or_default();
        self.check_length(longest(rows) + longest(components))?;
        let bytes = |list: &[Vec<u8>]| list.iter().map(Vec::len).sum::<usize>();
        let found = bytes(rows) * components.len() + bytes(components) * rows.len();
        let max = limits::INDEX_ENTRIES_BYTES_MAX;
        if found <= max {
            return Ok(());
        }
        let what = "size of the entries of one document in one index in bytes";
        Err(Error::LimitExceeded { what: what.into(), path: self.path_list(), found, max }.into())
    }

    fn check_length(&self, found: usize) -> Result<()> {
        let max = limits::INDEX_KEY_BYTES_MAX;
        if found <= max {
            return Ok(());
        }
        let what = "size of the values of an index entry in bytes";
        Err(Error::LimitExceeded { what: what.into(), path: self.path_list(), found, max }.into())
    }

    /// Two arrays would give combinations of values that are in no common element, and such a
    /// combination could be refused as a duplicate.
    fn check_arrays(&self, multikey: u64) -> Result<()> {
        if multikey == 0 || !self.spec.is_unique() {
            return Ok(());
        }
        let problem = format!(
            "{} is unique, and the document has arrays on two of its paths; it can have one",
            self.name
        );
        Err(Error::InvalidQuery { what: "index".into(), place: String::new(), problem }.into())
    }

    fn check_count(&self, found: usize) -> Result<()> {
        let max = limits::INDEX_ENTRIES_MAX;
        if found <= max {
            return Ok(());
        }
        let what = "number of index entries of one document";
        Err(Error::LimitExceeded { what: what.into(), path: self.path_list(), found, max }.into())
    }

    fn path_list(&self) -> String {
        self.paths().map(Path::to_string).collect::<Vec<_>>().join(", ")
    }
}

enum Plain {
    None,
    One(Entry),
    HasArrays,
}

enum Leaf<'a> {
    Missing,
    Value(RawValue<'a>, Place),
    Array,
}

/// Where a value is in a document: its position among the fields of each object around it.
type Place = SmallVec<[usize; 2]>;

/// The value at a path that leads through objects only.
fn plain_value<'a>(document: &DocumentView<'a>, path: &Path) -> Result<Leaf<'a>> {
    let mut value = document.fields.as_value();
    let mut place = Place::new();
    for segment in path.segments() {
        let Some(object) = value.as_object()? else {
            return Ok(if value.kind() == Kind::Array { Leaf::Array } else { Leaf::Missing });
        };
        let Some((at, child)) = object.find(segment.name())? else { return Ok(Leaf::Missing) };
        value = child;
        place.push(at);
    }
    Ok(if value.kind() == Kind::Array { Leaf::Array } else { Leaf::Value(value, place) })
}

fn append(
    value: Option<RawValue<'_>>,
    direction: Direction,
    component: &mut Vec<u8>,
) -> velocitydb_core::Result<()> {
    match value {
        Some(value) => encode_key(value, direction, component),
        None => {
            encode_missing(direction, component);
            Ok(())
        }
    }
}

/// Whether the key of a value decodes to exactly that value.
fn has_exact_key(value: RawValue<'_>) -> velocitydb_core::Result<bool> {
    Ok(match value.kind() {
        Kind::Float => value.as_f64()?.is_none_or(|float| float.fract() != 0.0),
        // A key has no digits: it is that of `1.5` and of `1.50`.
        Kind::Decimal => false,
        // They can contain floats, and objects that are not in the order of their names.
        Kind::Array | Kind::Object => false,
        _ => true,
    })
}

fn product(rows: &[Vec<u8>], components: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let with = |row: &Vec<u8>, component: &Vec<u8>| [&row[..], &component[..]].concat();
    rows.iter().flat_map(|row| components.iter().map(move |one| with(row, one))).collect()
}

/// Appends an id that sorts in `direction`.
pub(crate) fn append_id(id: IdRef<'_>, direction: Direction, key: &mut Key) {
    match direction {
        Direction::Ascending => key.extend_from_slice(id.as_bytes()),
        Direction::Descending => {
            key.extend(id.as_bytes().iter().map(|byte| !byte));
            key.push(u8::MAX);
        }
    }
}

/// The id of an entry, and what its key tells; its components begin at `start` of the key,
/// and `left` of them follow. `None` when it is not a valid entry.
pub(crate) fn split_entry<'a>(
    definition: &Definition,
    key: &'a [u8],
    value: &'a [u8],
    start: usize,
    left: usize,
) -> Option<(EntryId<'a>, Content<&'a [u8]>)> {
    let (owner, content) = split_value(value)?;
    if definition.spec.is_unique() {
        return Some((EntryId::Borrowed(IdRef::from_bytes(owner).ok()?), content));
    }
    let mut at = start;
    let count = definition.paths().len();
    for number in count - left..count {
        at += skip_key(key.get(at..)?, definition.direction(number)).ok()?;
    }
    let id = key.get(at..)?;
    match definition.last_direction() {
        Direction::Ascending => Some((EntryId::Borrowed(IdRef::from_bytes(id).ok()?), content)),
        Direction::Descending => {
            let id: Key = id.strip_suffix(&[u8::MAX])?.iter().map(|byte| !byte).collect();
            IdRef::from_bytes(&id).ok()?;
            Some((EntryId::Inverted(id), content))
        }
    }
}

/// The id of an entry.
pub(crate) enum EntryId<'a> {
    Borrowed(IdRef<'a>),
    /// The valid bytes of an id that was stored with all bits inverted.
    Inverted(Key),
}

impl EntryId<'_> {
    pub(crate) fn by_ref(&self) -> IdRef<'_> {
        match self {
            Self::Borrowed(id) => *id,
            Self::Inverted(id) => IdRef::from_bytes(id).expect("they were checked"),
        }
    }
}

/// The id in the value of an entry of a unique index. `None` when it is not valid.
pub(crate) fn owner_of(value: &[u8]) -> Option<IdRef<'_>> {
    IdRef::from_bytes(split_value(value)?.0).ok()
}

/// Splits an entry's value into the id, if it has one, and what its key tells.
fn split_value(value: &[u8]) -> Option<(&[u8], Content<&[u8]>)> {
    const LAST_MAX: u8 = limits::SORT_KEYS_MAX as u8 - 1;
    match value.split_last() {
        Some((&EQUAL, owner)) => Some((owner, Content::Equal)),
        Some((&SORTED, owner)) => Some((owner, Content::Sorted)),
        Some((&last @ ..=LAST_MAX, rest)) => {
            let (owner, numbers) =
                rest.split_at_checked(rest.len().checked_sub(usize::from(last) + 1)?)?;
            Some((owner, Content::Ordered(numbers)))
        }
        _ => Some((value, Content::Sorted)),
    }
}
