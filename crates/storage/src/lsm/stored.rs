//! [`StoredBytes`]: a value as the store returns it.

/// A value of the store, which may keep alive the block that it was read from.
#[derive(Clone)]
pub(crate) struct StoredBytes(fjall::Slice);

impl StoredBytes {
    pub(super) fn new(bytes: fjall::Slice) -> Self {
        StoredBytes(bytes)
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
