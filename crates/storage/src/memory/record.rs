//! [`Record`]: one version of one key, with its bytes, in a single allocation.
//!
//! A record is counted: the indexes together hold one reference from the moment it is linked
//! until no reader can find it any more, and every [`Blob`](crate::Blob) of its value holds
//! another. Apart from the count and the link to the previous version it never changes.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering, fence};

use super::prefetch::{prefetch, prefetch_bytes};

/// What precedes the bytes of a record. The bytes start in its padding, see [`BYTES_OFFSET`].
#[repr(C)]
pub(crate) struct Header {
    sequence: u64,
    previous: AtomicPtr<Header>,
    references: AtomicU32,
    /// The upper bit says that this version is a deletion.
    key_length: u32,
    value_length: u32,
}

const BYTES_OFFSET: usize = offset_of!(Header, value_length) + size_of::<u32>();
/// The rest of a longer record is prefetched by the processor, which detects sequential reads.
const PREFETCHED_BYTES_MAX: usize = 512;

const DELETED_BIT: u32 = 1 << 31;

/// More references than a correct program can hold; beyond this the count could wrap.
const REFERENCES_MAX: u32 = 1 << 31;

/// A record that is not freed during `'a`, because the epoch is pinned or the writer is locked.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    header: NonNull<Header>,
    lifetime: PhantomData<&'a Header>,
}

impl<'a> Record<'a> {
    /// # Safety
    ///
    /// `header` is null or came from [`SharedRecord::into_raw`], and is not released during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw(header: *mut Header) -> Option<Self> {
        let header = NonNull::new(header)?;
        Some(Record { header, lifetime: PhantomData })
    }

    pub(super) fn as_raw(self) -> *mut Header {
        self.header.as_ptr()
    }

    #[inline]
    fn header(self) -> &'a Header {
        // SAFETY: the allocation lives for 'a; what changes in it are atomics.
        unsafe { self.header.as_ref() }
    }

    /// The number of the commit that wrote it.
    #[inline]
    pub(super) fn sequence(self) -> u64 {
        self.header().sequence
    }

    /// The version that this one superseded, while a snapshot may need it.
    pub(super) fn previous(self) -> Option<Record<'a>> {
        let previous = self.header().previous.load(Ordering::Acquire);
        // SAFETY: a version is unlinked before it is released, and released only after every
        // reader that was pinned then has unpinned; so a reader that loaded the link can follow
        // it.
        unsafe { Record::from_raw(previous) }
    }

    /// Links another previous version. For the writer alone.
    pub(super) fn set_previous(self, previous: Option<Record<'_>>) {
        let previous = previous.map_or(std::ptr::null_mut(), Record::as_raw);
        self.header().previous.store(previous, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_deleted(self) -> bool {
        self.header().key_length & DELETED_BIT != 0
    }

    #[inline]
    pub(super) fn key(self) -> &'a [u8] {
        &bytes(self.header)[..key_length(self.header())]
    }

    /// The value; empty when deleted.
    #[inline]
    pub(super) fn value(self) -> &'a [u8] {
        &bytes(self.header)[key_length(self.header())..]
    }

    /// Another reference to it, which keeps it alive beyond `'a`.
    #[inline]
    pub(super) fn share(self) -> SharedRecord {
        let before = self.header().references.fetch_add(1, Ordering::Relaxed);
        assert!(before < REFERENCES_MAX, "a record has too many references");
        SharedRecord { header: self.header }
    }

    /// Prefetches its first cache line.
    #[inline]
    pub(super) fn prefetch_header(self) {
        prefetch(self.header.as_ptr());
    }

    /// Prefetches the next few cache lines, if the header says that the record has them.
    #[inline]
    pub(super) fn prefetch_bytes(self) {
        let length = self.allocated_bytes().min(PREFETCHED_BYTES_MAX);
        prefetch_bytes(self.header.as_ptr(), length);
    }

    /// Bytes of its allocation.
    pub(super) fn allocated_bytes(self) -> usize {
        layout(self.header()).size()
    }
}

#[inline]
fn key_length(header: &Header) -> usize {
    (header.key_length & !DELETED_BIT) as usize
}

#[inline]
fn layout(header: &Header) -> Layout {
    layout_of(key_length(header), header.value_length as usize)
}

#[inline]
fn layout_of(key_length: usize, value_length: usize) -> Layout {
    let size = BYTES_OFFSET + key_length + value_length;
    Layout::from_size_align(size.max(size_of::<Header>()), align_of::<Header>())
        .expect("keys and values are far smaller than the address space")
}

/// Key and value, one after the other.
#[inline]
fn bytes<'a>(header: NonNull<Header>) -> &'a [u8] {
    // SAFETY: callers keep the record alive for the lifetime that they give the bytes. All bytes
    // were written before the pointer was shared, and are not written again.
    unsafe {
        let header_fields = header.as_ref();
        let length = key_length(header_fields) + header_fields.value_length as usize;
        let start = header.cast::<u8>().add(BYTES_OFFSET);
        std::slice::from_raw_parts(start.as_ptr(), length)
    }
}

/// A counted reference to a record.
pub(crate) struct SharedRecord {
    header: NonNull<Header>,
}

// SAFETY: a record is immutable except for its atomics, and the thread that drops the last
// reference has synchronized with all others, see `drop`.
unsafe impl Send for SharedRecord {}
// SAFETY: as above.
unsafe impl Sync for SharedRecord {}

impl SharedRecord {
    /// A new version of `key`; `None` is its deletion.
    pub(super) fn new(
        sequence: u64,
        key: &[u8],
        value: Option<&[u8]>,
        previous: Option<Record<'_>>,
    ) -> Self {
        assert!(key.len() < DELETED_BIT as usize, "a key is shorter than 2 GiB");
        let value_bytes = value.unwrap_or_default();
        let length = u32::try_from(key.len() + value_bytes.len());
        let length = length.expect("key and value together are shorter than 4 GiB");
        let value_length = length - key.len() as u32;
        let layout = layout_of(key.len(), value_bytes.len());
        let deleted = if value.is_none() { DELETED_BIT } else { 0 };
        // SAFETY: the layout has room for the header and for the bytes from their offset on. The
        // header is written before the bytes, since its padding overlaps them.
        unsafe {
            let Some(header) = NonNull::new(alloc(layout).cast::<Header>()) else {
                handle_alloc_error(layout)
            };
            header.write(Header {
                sequence,
                previous: AtomicPtr::new(previous.map_or(std::ptr::null_mut(), Record::as_raw)),
                references: AtomicU32::new(1),
                key_length: key.len() as u32 | deleted,
                value_length,
            });
            let start = header.cast::<u8>().add(BYTES_OFFSET).as_ptr();
            start.copy_from_nonoverlapping(key.as_ptr(), key.len());
            let start = start.add(key.len());
            start.copy_from_nonoverlapping(value_bytes.as_ptr(), value_bytes.len());
            SharedRecord { header }
        }
    }

    /// Gives the reference to the indexes, until [`from_raw`](Self::from_raw).
    pub(super) fn into_raw(self) -> *mut Header {
        let header = self.header.as_ptr();
        std::mem::forget(self);
        header
    }

    /// Takes back the reference of the indexes.
    ///
    /// # Safety
    ///
    /// `header` came from [`into_raw`](Self::into_raw), and is taken back once.
    pub(super) unsafe fn from_raw(header: *mut Header) -> Self {
        let header = NonNull::new(header).expect("indexes do not own null");
        SharedRecord { header }
    }

    /// Key and value, one after the other.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        bytes(self.header)
    }

    /// Where in [`bytes`](Self::bytes) the value is.
    #[inline]
    pub(crate) fn value_range(&self) -> (u32, u32) {
        // SAFETY: this reference keeps the record alive.
        let header = unsafe { self.header.as_ref() };
        let start = header.key_length & !DELETED_BIT;
        (start, start + header.value_length)
    }

    #[cfg(test)]
    fn as_record(&self) -> Record<'_> {
        Record { header: self.header, lifetime: PhantomData }
    }
}

impl Clone for SharedRecord {
    fn clone(&self) -> Self {
        let record = Record { header: self.header, lifetime: PhantomData };
        record.share()
    }
}

impl Drop for SharedRecord {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this reference keeps the record alive until it is subtracted. The last one to
        // subtract sees, by release and acquire, that all others are done with the bytes.
        unsafe {
            let references = &self.header.as_ref().references;
            if references.fetch_sub(1, Ordering::Release) == 1 {
                fence(Ordering::Acquire);
                let layout = layout(self.header.as_ref());
                dealloc(self.header.as_ptr().cast(), layout);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_what_it_was_made_of() {
        for (key, value) in [(&b""[..], &b""[..]), (b"k", b""), (b"", b"v"), (b"key", b"value")] {
            let shared = SharedRecord::new(7, key, Some(value), None);
            let record = shared.as_record();
            assert_eq!((record.key(), record.value()), (key, value));
            assert_eq!((record.sequence(), record.is_deleted()), (7, false));
            let (start, end) = shared.value_range();
            assert_eq!(&shared.bytes()[start as usize..end as usize], value);
            assert!(record.previous().is_none());
        }
        let deletion = SharedRecord::new(8, b"key", None, None);
        assert!(deletion.as_record().is_deleted());
        assert_eq!(deletion.as_record().key(), b"key");
    }

    #[test]
    fn a_shared_record_outlives_the_index() {
        let linked = SharedRecord::new(1, b"key", Some(b"value"), None).into_raw();
        // SAFETY: it was linked right above.
        let index = unsafe { SharedRecord::from_raw(linked) };
        let reader = index.as_record().share();
        let another = reader.clone();
        drop(index);
        drop(reader);
        let thread = std::thread::spawn(move || another.bytes().to_vec());
        assert_eq!(thread.join().unwrap(), b"keyvalue");
    }
}
