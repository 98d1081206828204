//! [`Blob`]: bytes that an engine hands out without copying them.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::lsm::StoredBytes;
use crate::memory::SharedRecord;

/// Immutable bytes, shared with the engine that they were read from. Cloning and slicing are
/// O(1).
#[derive(Clone)]
pub struct Blob {
    owner: Owner,
    start: u32,
    end: u32,
}

#[derive(Clone)]
enum Owner {
    Shared(Arc<[u8]>),
    /// From the LSM engine; it may keep alive the block that it was read from.
    Stored(StoredBytes),
    /// From the memory engine: the key and then the value.
    Record(SharedRecord),
}

impl Owner {
    fn bytes(&self) -> &[u8] {
        match self {
            Owner::Shared(bytes) => bytes,
            Owner::Stored(bytes) => bytes.bytes(),
            Owner::Record(record) => record.bytes(),
        }
    }
}

impl Blob {
    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::whole(Owner::Shared(Arc::from(bytes)))
    }

    fn whole(owner: Owner) -> Self {
        let end = u32::try_from(owner.bytes().len()).expect("values are limited to 4 GiB by Batch");
        Blob { owner, start: 0, end }
    }

    /// The part of these bytes within `range`, relative to their start.
    ///
    /// # Panics
    ///
    /// When `range` is not within them.
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len(), "slice outside of a blob");
        let start = self.start + range.start as u32;
        Blob { owner: self.owner.clone(), start, end: start + range.len() as u32 }
    }
}

impl From<StoredBytes> for Blob {
    fn from(bytes: StoredBytes) -> Self {
        Self::whole(Owner::Stored(bytes))
    }
}

impl Deref for Blob {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.owner.bytes()[self.start as usize..self.end as usize]
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Blob {}

impl From<SharedRecord> for Blob {
    /// The value of a record.
    #[inline]
    fn from(record: SharedRecord) -> Self {
        let (start, end) = record.value_range();
        Blob { owner: Owner::Record(record), start, end }
    }
}
