//! The few calls that `rustix` has not: the only `unsafe` of this crate.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The descriptor on which the daemon gave us our first connection.
const CONTROL_FD: RawFd = 3;

/// Take the inherited connection, and close whatever else was inherited beside the standard descriptors.
/// To be called once, before any other descriptor is made.
pub fn take_control() -> OwnedFd {
    // SAFETY: no arguments but numbers; nothing of ours is open yet that could be closed.
    unsafe { libc::syscall(libc::SYS_close_range, CONTROL_FD + 1, u32::MAX, 0) };
    // SAFETY: only a flag of a descriptor is set; it fails harmlessly when there is none.
    unsafe { libc::fcntl(CONTROL_FD, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: the daemon left it to us, and nothing else in this process uses that number.
    unsafe { OwnedFd::from_raw_fd(CONTROL_FD) }
}

/// Give this process its name: it was executed by a descriptor, and would be called by that.
pub fn take_name(name: &CStr) {
    // SAFETY: the kernel copies up to 16 bytes of a string that ends.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// Bytes that were written to a socket and not yet read (unix) or acknowledged (tcp) at its other end.
pub fn unread_by_peer_bytes(fd: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: SIOCOUTQ (TIOCOUTQ by number) writes one int.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done < 0 {
        return 0;
    }
    usize::try_from(bytes).unwrap_or(0)
}

/// Send any signal, real-time ones included, to the process behind a pidfd.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo asks the kernel to fill in what kill(2) would.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            info,
            0,
        )
    };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Give memory that is free back to the host: a shim is idle for most of its life.
pub fn trim_memory() {
    // SAFETY: takes a number, touches only the allocator's own free memory.
    unsafe { libc::malloc_trim(0) };
}

/// Have large buffers mapped on their own, so that freeing one gives it back at once.
pub fn map_large_buffers(threshold_bytes: i32) {
    // SAFETY: sets a tunable of the allocator; called before there is a second thread, as there never is.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, threshold_bytes) };
}

/// Files made by this process may be read by their group, as Docker's logs may; its socket, which
/// takes the right to write, is for root alone.
pub fn restrict_new_files() {
    // SAFETY: sets the process's file mode mask, which no other thread relies on.
    unsafe { libc::umask(0o027) };
}
