//! [`Leaf`]: up to a few dozen neighbouring records in the order of their keys.
//!
//! A leaf is sorted when it is made. Later records are appended behind the sorted ones, so that an
//! insert writes one word and no reader ever sees a partial one; a reader that needs the order
//! sorts these few in. When there is no room left, or a key is removed, the writer makes a new
//! leaf.
//!
//! An entry is the pointer to the newest version of a key, with the *head* of the key in its tag:
//! the two bytes behind those that all keys of the leaf's range have in common. Most comparisons
//! end with the heads and do not touch the records.

use std::cmp::Ordering::{Equal, Greater, Less};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::record::{Header, Record};
use super::tagged::{pack, unpack};

/// How many entries a leaf has room for: with its header it fills a size class of allocators.
pub(super) const LEAF_CAPACITY: usize = if cfg!(miri) { 6 } else { 61 };

/// How many appended entries a reader may have to sort in.
const APPENDED_MAX: usize = if cfg!(miri) { 4 } else { 12 };

/// A record's pointer with the head of its key.
pub(super) type Entry = *mut Header;

/// Neighbouring records.
pub(super) struct Leaf {
    /// How many leading bytes all keys of the leaf's range have in common.
    skip: usize,
    /// How many sorted entries it had when it was made.
    sorted: usize,
    /// How many entries there are by now.
    length: AtomicUsize,
    entries: [AtomicPtr<Header>; LEAF_CAPACITY],
}

impl Leaf {
    /// A leaf of ordered `entries`, whose heads are behind `skip` bytes.
    pub(super) fn new(skip: usize, entries: &[Entry]) -> Box<Leaf> {
        let leaf = Leaf {
            skip,
            sorted: entries.len(),
            length: AtomicUsize::new(entries.len()),
            entries: [const { AtomicPtr::new(std::ptr::null_mut()) }; LEAF_CAPACITY],
        };
        for (slot, entry) in leaf.entries.iter().zip(entries) {
            slot.store(*entry, Ordering::Relaxed);
        }
        Box::new(leaf)
    }

    /// Adds a record whose key is in the leaf's range and not yet in the leaf. False when there is
    /// no room. For the writer alone.
    pub(super) fn append(&self, record: Record<'_>) -> bool {
        let length = self.length.load(Ordering::Relaxed);
        if length == LEAF_CAPACITY || length - self.sorted == APPENDED_MAX {
            return false;
        }
        self.entries[length].store(entry(record, self.skip), Ordering::Relaxed);
        self.length.store(length + 1, Ordering::Release);
        true
    }

    /// Replaces the version of a key by a newer one. For the writer alone.
    pub(super) fn replace(&self, old: Record<'_>, new: Record<'_>) {
        let old = entry(old, self.skip);
        let new = pack(new.as_raw(), unpack(old).1);
        let length = self.length.load(Ordering::Relaxed);
        let slot = self.entries[..length].iter().find(|slot| slot.load(Ordering::Relaxed) == old);
        slot.expect("a linked record is in the leaf of its key").store(new, Ordering::Release);
    }

    /// How many leading bytes all keys of its range have in common.
    pub(super) fn skip(&self) -> usize {
        self.skip
    }

    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    /// Puts its entries into `ordered`, in order.
    ///
    /// # Safety
    ///
    /// The caller pinned the epoch before it found the leaf, or is the writer.
    pub(super) unsafe fn collect(&self, ordered: &mut Vec<Entry>) {
        ordered.clear();
        let (sorted, appended) = self.entries[..self.len()].split_at(self.sorted);
        ordered.extend(sorted.iter().map(|slot| slot.load(Ordering::Acquire)));
        for slot in appended {
            let entry = slot.load(Ordering::Acquire);
            // SAFETY: as promised by the caller.
            let at = unsafe { position(ordered, record_of(entry).key(), self.skip) };
            ordered.insert(at, entry);
        }
    }
}

/// The entry of a record in a leaf that skips `skip` bytes.
pub(super) fn entry(record: Record<'_>, skip: usize) -> Entry {
    pack(record.as_raw(), head(record.key(), skip))
}

/// The record of an entry.
///
/// # Safety
///
/// The entry came out of a leaf, during an epoch that is pinned for `'a`, or the caller is the
/// writer for `'a`.
#[inline]
pub(super) unsafe fn record_of<'a>(entry: Entry) -> Record<'a> {
    // SAFETY: leaves hold linked records only.
    unsafe { Record::from_raw(unpack(entry).0) }.expect("leaves hold no null")
}

/// How many of the ordered `entries` have a key below `key`, which is in the leaf's range.
///
/// # Safety
///
/// As for [`record_of`].
pub(super) unsafe fn position(entries: &[Entry], key: &[u8], skip: usize) -> usize {
    let head = head(key, skip);
    entries.partition_point(|entry| match unpack(*entry).1.cmp(&head) {
        Less => true,
        Greater => false,
        // SAFETY: as promised by the caller.
        Equal => unsafe { record_of(*entry) }.key() < key,
    })
}

/// The two bytes of `key` behind the first `skip`, in an order that does not contradict that of
/// keys: where the heads are equal, the keys decide.
#[inline]
fn head(key: &[u8], skip: usize) -> u16 {
    match key.get(skip..) {
        Some([first, second, ..]) => u16::from_be_bytes([*first, *second]),
        Some([first]) => u16::from_be_bytes([*first, 0]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::record::SharedRecord;

    #[test]
    fn appended_entries_are_sorted_in() {
        let keys = [&b"p"[..], b"p\0", b"pa", b"pab", b"p\xFF\xFF"];
        let mut records: Vec<*mut Header> =
            keys.iter().map(|key| SharedRecord::new(1, key, Some(b""), None).into_raw()).collect();
        // SAFETY: the records are released at the end of this test.
        let record = |raw: &*mut Header| unsafe { Record::from_raw(*raw) }.unwrap();
        let leaf = Leaf::new(1, &[entry(record(&records[3]), 1)]);
        for raw in [4, 0, 2, 1].map(|index| &records[index]) {
            assert!(leaf.append(record(raw)));
        }
        let mut ordered = Vec::new();
        // SAFETY: no other thread has the leaf.
        unsafe { leaf.collect(&mut ordered) };
        assert!(ordered.iter().map(|entry| unpack(*entry).0).eq(records.iter().copied()));

        let newer = SharedRecord::new(2, b"pab", Some(b"new"), None).into_raw();
        leaf.replace(record(&records[3]), record(&newer));
        // SAFETY: as above.
        unsafe { leaf.collect(&mut ordered) };
        assert_eq!(unpack(ordered[3]).0, newer);
        records.push(newer);
        for raw in records {
            // SAFETY: each was made by `into_raw` in this test.
            drop(unsafe { SharedRecord::from_raw(raw) });
        }
    }
}
