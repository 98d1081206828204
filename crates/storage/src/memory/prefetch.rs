//! Prefetches memory that will be needed soon, so that several cache misses overlap.

/// The size of a cache line.
pub(super) const LINE_BYTES: usize = 64;

/// Prefetches the cache line of `pointer`, which need not be valid. Only a hint.
#[inline]
pub(super) fn prefetch<T>(pointer: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch changes nothing but caches, and ignores addresses that are not mapped.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(pointer.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = pointer;
}

/// Prefetches every cache line of `length` bytes from `pointer` on.
#[inline]
pub(super) fn prefetch_bytes<T>(pointer: *const T, length: usize) {
    for offset in (0..length).step_by(LINE_BYTES) {
        prefetch(pointer.cast::<u8>().wrapping_add(offset));
    }
}
