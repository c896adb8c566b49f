//! Keeps glibc's allocator from holding on to what a model let go of.
//!
//! By default each thread allocates from an arena of its own, and mistral.rs starts threads anew
//! for every model: without this, fifty loads held on to 900 MB. Other systems' allocators do not
//! work that way.

/// One arena for all threads. Called before the engine starts any.
pub fn share_one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets a number inside the allocator; it may be called at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives free memory back to the system.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: gives back pages that no allocation lies in; it may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
