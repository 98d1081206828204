//! The binary's allocator.

/// Documents are many small allocations: inserting or listing 200,000 of them takes half of the
/// processor time that it takes with the allocator of the system (glibc).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Sets the process up for a database with a memory budget.
///
/// Freed memory returns to the operating system at once. By default it is kept for a while, and then
/// makes up a third of the memory of a database with a budget of 64 MiB. Without a budget, keeping it
/// is faster.
///
/// Memory comes in small pages: each thread has a heap of its own, and of a huge page in it, which the
/// kernel clears as a whole, a thread that writes now and then uses little. Without a budget, huge pages
/// make reads among millions of documents faster.
pub fn keep_to_a_budget() {
    // SAFETY: it stores one number, which the allocator reads whenever it frees.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) }
    // Where this fails, more memory is used.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
