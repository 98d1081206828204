//! [`StoredBytes`]: a value as the store hands it out.

/// A value of the store, which may keep the block alive that it was read in.
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
