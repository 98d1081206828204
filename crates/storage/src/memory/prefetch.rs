//! Asking memory for what will be needed soon, so that several answers are awaited at once.

/// How far apart the lines are in which memory comes.
pub(super) const LINE_BYTES: usize = 64;

/// Asks for the line of `pointer`, which need not point to anything. A hint, nothing more.
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

/// Asks for every line of `length` bytes from `pointer` on.
#[inline]
pub(super) fn prefetch_bytes<T>(pointer: *const T, length: usize) {
    for offset in (0..length).step_by(LINE_BYTES) {
        prefetch(pointer.cast::<u8>().wrapping_add(offset));
    }
}
