//! The allocator of the benchmarks: that of the binary `velocitydb`, set in the same way.

/// Documents are many small allocations: inserting or listing 200,000 of them takes half of the
/// processor time that it takes with the allocator of the system (glibc).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Sets the process up for a database with a memory budget: freed memory returns to the operating
/// system at once, and comes in small pages. The binary says why.
pub fn keep_to_a_budget() {
    // SAFETY: it stores one number, which the allocator reads whenever it frees.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) }
    use_huge_pages(false);
}

/// Whether memory may come in huge pages, as it does in the binary's memory modes and not in its disk
/// modes.
pub fn use_huge_pages(is_allowed: bool) {
    // Where this fails, the figures are those with the system's own choice.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(!is_allowed);
}
