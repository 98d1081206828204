//! [`Table`]: a hash table from a key to its newest record.
//!
//! The upper bits of a hash choose one of many small open tables, so that growing stops the writer
//! for some thousand entries at most and readers never. One writer stores single words; readers
//! search the small table that they find, pinned. A replaced small table does not change any more.
//! An index without keys has the directory that all of those share; the first key makes it one of its
//! own.
//!
//! A slot is a record's pointer with 16 bits of the hash in its tag. The slot of an entry follows
//! from the tag alone, so growing reads no record, and a lookup, except for about one in a
//! hundred, reads only the wanted record.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crossbeam_epoch::Guard;

use super::garbage::{Garbage, Piece};
use super::prefetch::{prefetch, prefetch_bytes};
use super::record::{Header, Record};
use super::tagged::{pack, unpack};

/// The newest record of a key and its tag, null where there was never one, or [`removed`].
pub(super) type Slot = AtomicPtr<Header>;

/// How many small tables there are: with ten million keys each has some 2,400 entries.
const TABLES_BITS: u32 = if cfg!(miri) { 3 } else { 12 };
const TABLES: usize = 1 << TABLES_BITS;

/// Capacities are multiples of this: a cache line of slots.
const CAPACITY_UNIT: usize = 8;

/// How much of a record is prefetched before its length is known.
const RECORD_BYTES_USUAL: usize = 192;

/// The slots of each small table; their number, in units, is the tag.
type Directory = [AtomicPtr<Slot>; TABLES];

/// The directory of every index without keys. It is never written to.
static NO_KEYS: Directory = [const { AtomicPtr::new(std::ptr::null_mut()) }; TABLES];

/// The hash index of a keyspace.
pub(super) struct Table {
    /// [`NO_KEYS`], or from the first key on a directory that came out of a box, for as long as the
    /// index exists.
    directory: AtomicPtr<Directory>,
    allocated_bytes: AtomicU64,
}

/// The writer's counts of each small table; none before the first key.
#[derive(Default)]
pub(super) struct TableUse {
    occupied: Box<[u32]>,
    live: Box<[u32]>,
}

impl TableUse {
    fn new() -> Self {
        TableUse {
            occupied: vec![0; TABLES].into_boxed_slice(),
            live: vec![0; TABLES].into_boxed_slice(),
        }
    }
}

fn no_keys() -> *mut Directory {
    (&raw const NO_KEYS).cast_mut()
}

/// The mark of a slot whose key was removed: searches go on after it.
fn removed() -> *mut Header {
    std::ptr::without_provenance_mut(1)
}

impl Table {
    pub(super) fn new() -> Self {
        Table { directory: AtomicPtr::new(no_keys()), allocated_bytes: AtomicU64::new(0) }
    }

    #[inline]
    fn directory(&self) -> &Directory {
        // SAFETY: either directory is initialised, and lives for as long as the index. The one of its
        // own was initialised before the store that this load sees.
        unsafe { &*self.directory.load(Ordering::Acquire) }
    }

    /// Makes a directory for the first key. For the writer alone.
    #[cold]
    fn begin(&self) {
        let directory: Box<[AtomicPtr<Slot>]> = (0..TABLES).map(|_| AtomicPtr::default()).collect();
        self.allocated_bytes.fetch_add(size_of_val(&*directory) as u64, Ordering::Relaxed);
        let directory = Box::into_raw(directory).cast::<Directory>();
        let before = self.directory.swap(directory, Ordering::AcqRel);
        assert_eq!(before, no_keys(), "an index has one first key");
    }

    /// The newest record of `key`, whose hash is `hash`.
    #[inline]
    pub(super) fn find<'g>(
        &'g self,
        hash: u64,
        key: &[u8],
        _guard: &'g Guard,
    ) -> Option<Record<'g>> {
        // SAFETY: the guard pins the epoch for 'g.
        unsafe { self.find_slot(hash, key) }.map(|(_, record)| record)
    }

    /// The newest record of `key`, whose hash is `hash`, and its slot.
    ///
    /// # Safety
    ///
    /// For `'a` the epoch is pinned, or the caller is the writer and has retired neither of them.
    #[inline]
    pub(super) unsafe fn find_slot<'a>(
        &self,
        hash: u64,
        key: &[u8],
    ) -> Option<(&'a Slot, Record<'a>)> {
        // SAFETY: as promised by the caller.
        let slots: &'a [Slot] = unsafe { self.slots(table_of(hash)) };
        let tag = tag_of(hash);
        let mut index = home(tag, slots.len());
        loop {
            let slot = slots.get(index)?;
            let (header, slot_tag) = unpack(slot.load(Ordering::Acquire));
            if header.is_null() {
                return None;
            }
            if slot_tag == tag && header != removed() {
                // SAFETY: a record is unlinked before it is retired.
                let record = unsafe { Record::from_raw(header) }?;
                if record.key() == key {
                    return Some((slot, record));
                }
            }
            index += 1;
            if index == slots.len() {
                index = 0;
            }
        }
    }

    /// Prefetches the slot where the search for a hash starts.
    pub(super) fn prefetch_slot(&self, hash: u64) {
        let (slots, units) = unpack(self.directory()[table_of(hash)].load(Ordering::Acquire));
        let capacity = usize::from(units) * CAPACITY_UNIT;
        prefetch(slots.wrapping_add(home(tag_of(hash), capacity)));
    }

    /// Prefetches the record that most likely has a hash. For the writer alone.
    pub(super) fn prefetch_record(&self, hash: u64, _garbage: &Garbage) {
        // SAFETY: the garbage is the writer's, and nothing is retired during this call.
        let slots = unsafe { self.slots(table_of(hash)) };
        if let Some(slot) = slots.get(home(tag_of(hash), slots.len())) {
            prefetch(unpack(slot.load(Ordering::Relaxed)).0);
        }
    }

    /// Prefetches the first bytes of the record that most likely has a hash, for a reader.
    pub(super) fn prefetch_found(&self, hash: u64, _guard: &Guard) {
        // SAFETY: the guard pins the epoch during this call.
        let slots = unsafe { self.slots(table_of(hash)) };
        if let Some(slot) = slots.get(home(tag_of(hash), slots.len())) {
            prefetch_bytes(unpack(slot.load(Ordering::Acquire)).0, RECORD_BYTES_USUAL);
        }
    }

    /// Adds the first record of a key that the index does not have.
    pub(super) fn insert(
        &self,
        hash: u64,
        record: Record<'_>,
        tables: &mut TableUse,
        garbage: &mut Garbage,
    ) {
        let table = table_of(hash);
        if tables.live.is_empty() {
            self.begin();
            *tables = TableUse::new();
        }
        let (occupied, live) = (&mut tables.occupied[table], &mut tables.live[table]);
        // SAFETY: the garbage is the writer's, and the slots are retired below, not before.
        let mut slots = unsafe { self.slots(table) };
        if (*occupied as usize + 1) * 5 > slots.len() * 4 {
            slots = self.rebuild(table, *live as usize, garbage);
            *occupied = *live;
        }
        place(slots, pack(record.as_raw(), tag_of(hash)));
        *occupied += 1;
        *live += 1;
    }

    /// Replaces the version of a key by a newer one.
    pub(super) fn replace(slot: &Slot, new: Record<'_>) {
        let tag = unpack(slot.load(Ordering::Relaxed)).1;
        slot.store(pack(new.as_raw(), tag), Ordering::Release);
    }

    /// Removes the key of a slot.
    pub(super) fn remove(&self, hash: u64, slot: &Slot, tables: &mut TableUse) {
        slot.store(removed(), Ordering::Release);
        tables.live[table_of(hash)] -= 1;
    }

    /// Replaces small table `index` by one with room for more than `live` entries.
    fn rebuild(&self, index: usize, live: usize, garbage: &mut Garbage) -> &[Slot] {
        // SAFETY: the garbage is the writer's, and these slots are retired at the end.
        let old = unsafe { self.slots(index) };
        // A quarter more than four fifths: full again after a quarter as many inserts.
        let units = (live * 25 / 16 / CAPACITY_UNIT) + 1;
        let tag = u16::try_from(units).expect("fewer than 2^31 keys fit in memory");
        let new: Vec<Slot> = (0..units * CAPACITY_UNIT).map(|_| Slot::default()).collect();
        for slot in old {
            let entry = slot.load(Ordering::Relaxed);
            if !entry.is_null() && entry != removed() {
                place(&new, entry);
            }
        }
        let allocated = size_of_val(&*new) as u64;
        let new = Box::into_raw(new.into_boxed_slice()).cast::<Slot>();
        let before = self.directory()[index].swap(pack(new, tag), Ordering::AcqRel);
        self.allocated_bytes.fetch_add(allocated, Ordering::Relaxed);
        if !before.is_null() {
            let (bytes, capacity) = (size_of_val(old), old.len());
            self.allocated_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
            // SAFETY: the slots were just unlinked, by the one writer.
            unsafe { garbage.retire(Piece::Slots(unpack(before).0, capacity), bytes) };
        }
        // SAFETY: as above; the next call of this function is by the same writer.
        unsafe { self.slots(index) }
    }

    /// The slots of a small table.
    ///
    /// # Safety
    ///
    /// For `'a` the epoch is pinned, or the caller is the writer and has not retired them, or has
    /// the index for itself.
    #[inline]
    unsafe fn slots<'a>(&self, table: usize) -> &'a [Slot] {
        let (slots, units) = unpack(self.directory()[table].load(Ordering::Acquire));
        if slots.is_null() {
            return &[];
        }
        // SAFETY: what the directory points to has as many slots as its tag says, and is unlinked
        // before it is retired.
        unsafe { std::slice::from_raw_parts(slots, usize::from(units) * CAPACITY_UNIT) }
    }

    /// Bytes of its tables.
    pub(super) fn allocated_bytes(&self) -> u64 {
        self.allocated_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Table {
    /// Frees the slots, and every version of every record that they lead to.
    fn drop(&mut self) {
        let directory = *self.directory.get_mut();
        if directory == no_keys() {
            return;
        }
        // SAFETY: it came out of a box of this length, and the index is not shared any more.
        let mut directory = unsafe { Box::from_raw(directory) };
        for packed in directory.iter_mut() {
            let (pointer, units) = unpack(*packed.get_mut());
            if pointer.is_null() {
                continue;
            }
            let slots = Piece::Slots(pointer, usize::from(units) * CAPACITY_UNIT);
            // SAFETY: the index is not shared any more, and the slots are freed below.
            let entries =
                unsafe { std::slice::from_raw_parts(pointer, usize::from(units) * CAPACITY_UNIT) };
            for slot in entries {
                let (mut header, _) = unpack(slot.load(Ordering::Relaxed));
                if header == removed() {
                    continue;
                }
                // SAFETY: as above, and each version is linked once.
                while let Some(record) = unsafe { Record::from_raw(header) } {
                    let previous = record.previous().map(Record::as_raw);
                    drop(Piece::Record(header));
                    header = previous.unwrap_or_default();
                }
            }
            drop(slots);
        }
    }
}

/// Frees slots that [`Table::rebuild`] made.
///
/// # Safety
///
/// No other code can reach them, and they are freed once.
pub(super) unsafe fn free_slots(slots: *mut Slot, capacity: usize) {
    let slots = std::ptr::slice_from_raw_parts_mut(slots, capacity);
    // SAFETY: as promised by the caller; they came out of a box of this length.
    drop(unsafe { Box::from_raw(slots) });
}

#[inline]
fn table_of(hash: u64) -> usize {
    (hash >> (u64::BITS - TABLES_BITS)) as usize
}

#[inline]
fn tag_of(hash: u64) -> u16 {
    hash as u16
}

/// Where the search for a tag starts: tags spread over the slots in their order.
#[inline]
fn home(tag: u16, capacity: usize) -> usize {
    (usize::from(tag) * capacity) >> u16::BITS
}

/// Stores an entry in the first free slot from its home on.
fn place(slots: &[Slot], entry: *mut Header) {
    let start = home(unpack(entry).1, slots.len());
    let (before, behind) = slots.split_at(start);
    let free = behind.iter().chain(before).find(|slot| slot.load(Ordering::Relaxed).is_null());
    free.expect("a fifth of the slots is free").store(entry, Ordering::Release);
}
