//! The keyspaces, and the form of every key in them.
//!
//! ```text
//! documents   collection (u32 BE) | id                      document
//! system      'c' | collection name                         collection: number and options
//!             'n' | collection (u32 BE)                     collection's totals
//!             'd' | collection name                         dropped: highest version, when
//!             'e' | when (i64 ordered) | collection name    dropped names by age
//!             'p' | collection (u32 BE)                     dropped collection still to be removed
//!             's'                                           totals of the whole
//!             't' | collection | id                         tombstone: version, when
//!             'u' | when (i64 ordered) | collection | id    tombstones by age
//!             'x' | when (i64 ordered) | collection | id    documents by expiry
//!             'r' | request id                              its answer, its number in 'q', when
//!             'q' | number (u64 BE)                         request ids by age
//!             'h' | collection                              schema: version, current, proposed
//!             'g' | collection (u32 BE)                     highest integer that was an id (i64 LE)
//!             'i' | collection | index name                 index: number, state, specification
//!             'k' | index (u32 BE)                          index's totals
//!             'b' | index (u32 BE)                          index's histogram
//!             'w' | index (u32 BE)                          dropped index still to be removed
//!             'l' | collection | id                         lease: what is done at its end, what was set
//!             'm' | when (i64 ordered) | collection | id    leases by their end
//!             'y' | collection | id                         unfit: for which claims, until when
//! indexes     index (u32 BE) | value… | id                  1 if a value is not to be had from the key
//!             index (u32 BE) | value…                       of a unique one: id, 0 for the same
//! ```

use smallvec::SmallVec;
use velocitydb_core::{CollectionName, IdRef, Time};
use velocitydb_storage::Keyspace;

use crate::Error;

/// Document contents.
pub(crate) const DOCUMENTS: Keyspace = Keyspace(0);
/// Everything else.
pub(crate) const SYSTEM: Keyspace = Keyspace(1);
/// The entries of secondary indexes.
pub(crate) const INDEXES: Keyspace = Keyspace(2);
/// The names under which a disk engine knows the keyspaces, in their order.
pub(crate) const KEYSPACE_NAMES: [&str; 3] = ["documents", "system", "indexes"];

/// A key, stored inline for ids of usual length.
pub(crate) type Key = SmallVec<[u8; 64]>;

/// The number of a collection, which is never reused.
pub(crate) type CollectionNumber = u32;

/// The number of an index, which is never reused.
pub(crate) type IndexNumber = u32;

pub(crate) const COLLECTION: u8 = b'c';
pub(crate) const COLLECTION_TOTALS: u8 = b'n';
pub(crate) const DROPPED: u8 = b'd';
pub(crate) const DROPPED_AGE: u8 = b'e';
pub(crate) const PURGE: u8 = b'p';
pub(crate) const TOTALS: u8 = b's';
pub(crate) const TOMBSTONE: u8 = b't';
pub(crate) const TOMBSTONE_AGE: u8 = b'u';
pub(crate) const EXPIRY: u8 = b'x';
pub(crate) const REQUEST: u8 = b'r';
pub(crate) const REQUEST_AGE: u8 = b'q';
pub(crate) const SCHEMA: u8 = b'h';
pub(crate) const HIGHEST_ID: u8 = b'g';
pub(crate) const INDEX: u8 = b'i';
pub(crate) const INDEX_TOTALS: u8 = b'k';
pub(crate) const HISTOGRAM: u8 = b'b';
pub(crate) const INDEX_PURGE: u8 = b'w';
pub(crate) const LEASE: u8 = b'l';
pub(crate) const LEASE_END: u8 = b'm';
pub(crate) const UNFIT: u8 = b'y';

/// The key of a document.
#[inline]
pub(crate) fn document<'a>(collection: CollectionNumber, id: impl Into<IdRef<'a>>) -> Key {
    let mut key = Key::new();
    key.extend_from_slice(&collection.to_be_bytes());
    key.extend_from_slice(id.into().as_bytes());
    key
}

/// The prefix of the keys of a collection's documents.
pub(crate) fn documents(collection: CollectionNumber) -> Key {
    Key::from_slice(&collection.to_be_bytes())
}

/// A system key: its kind and a name.
pub(crate) fn named(kind: u8, name: &str) -> Key {
    let mut key = Key::new();
    key.push(kind);
    key.extend_from_slice(name.as_bytes());
    key
}

/// A system key: its kind and the number of a collection or an index.
pub(crate) fn numbered(kind: u8, number: u32) -> Key {
    let mut key = Key::new();
    key.push(kind);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The key of an index in the catalog.
pub(crate) fn index(collection: CollectionNumber, name: &str) -> Key {
    let mut key = numbered(INDEX, collection);
    key.extend_from_slice(name.as_bytes());
    key
}

/// The prefix of the keys of an index's entries.
pub(crate) fn entries(index: IndexNumber) -> Key {
    Key::from_slice(&index.to_be_bytes())
}

/// A system key: its kind and a document's key.
pub(crate) fn of_document(kind: u8, document: &[u8]) -> Key {
    let mut key = Key::new();
    key.push(kind);
    key.extend_from_slice(document);
    key
}

/// A system key: its kind, a time, and a document's key, in the order of time.
pub(crate) fn timed(kind: u8, time: Time, document: &[u8]) -> Key {
    let mut key = Key::new();
    key.push(kind);
    key.extend_from_slice(&ordered(time));
    key.extend_from_slice(document);
    key
}

/// A key above all keys that [`timed`] makes for times up to and including `time`, and below all later
/// ones.
pub(crate) fn timed_after(kind: u8, time: Time) -> Key {
    let mut key = timed(kind, time, &[]);
    let after = u64::from_be_bytes(ordered(time)) + 1;
    key[1..].copy_from_slice(&after.to_be_bytes());
    key
}

/// The key of a dropped name in the order of age.
pub(crate) fn dropped_age(dropped: Time, name: &CollectionName) -> Key {
    timed(DROPPED_AGE, dropped, name.as_str().as_bytes())
}

/// The key of a request id in the order of age.
pub(crate) fn request_age(number: u64) -> Key {
    let mut key = Key::new();
    key.push(REQUEST_AGE);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The time and the document's key of a key that [`timed`] made; `None` for any other key.
pub(crate) fn split_timed(key: &[u8]) -> Option<(Time, &[u8])> {
    let (time, document) = key.get(1..)?.split_first_chunk::<8>()?;
    let micros = (u64::from_be_bytes(*time) ^ (1 << 63)) as i64;
    Some((Time::from_micros(micros).ok()?, document))
}

/// The collection and the id of a document's key; `None` for any other key.
pub(crate) fn split_document(key: &[u8]) -> Option<(CollectionNumber, IdRef<'_>)> {
    let (collection, id) = key.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*collection), IdRef::from_bytes(id).ok()?))
}

/// The smallest key above all keys that begin with `prefix`; `None` when there is none.
pub(crate) fn end_of(prefix: &[u8]) -> Option<Key> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = Key::from_slice(&prefix[..=kept]);
    end[kept] += 1;
    Some(end)
}

fn ordered(time: Time) -> [u8; 8] {
    (time.as_micros() as u64 ^ (1 << 63)).to_be_bytes()
}

/// The error for a system value that cannot be read.
pub(crate) fn corrupt(key: &[u8]) -> Error {
    Error::Corrupt {
        place: format!("system key {}", key.escape_ascii()),
        what: "a value that cannot be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timed_keys_are_in_the_order_of_time() {
        let times = [Time::MIN, Time::UNIX_EPOCH, Time::MAX];
        let keys = times.map(|time| timed(EXPIRY, time, b"doc"));
        assert!(keys.is_sorted());
        for (time, key) in times.iter().zip(&keys) {
            assert_eq!(split_timed(key), Some((*time, &b"doc"[..])));
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_above_all_its_keys() {
        assert_eq!(end_of(b"ab").as_deref(), Some(&b"ac"[..]));
        assert_eq!(end_of(&[1, 0xFF, 0xFF]).as_deref(), Some(&[2][..]));
        assert_eq!(end_of(&[0xFF, 0xFF]), None);
        assert_eq!(end_of(b""), None);
    }
}
