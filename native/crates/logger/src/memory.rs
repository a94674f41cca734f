//! Memory that is not needed: the only `unsafe` of this crate.

/// Give memory that is free back to the host: a log is idle for most of its life.
pub fn trim() {
    // SAFETY: takes a number, touches only the allocator's own free memory.
    unsafe { libc::malloc_trim(0) };
}
