//! What the first process of a container does for all others of it.

use std::ffi::{c_char, CStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::{env, ptr};

use super::check;

extern "C" {
    /// The C library's: where the kernel put the first argument, and the others behind it.
    static program_invocation_name: *mut c_char;
}

/// Goes on in two processes, `None` in the new one. By `fork`, which every filter of system calls allows that allows
/// processes at all: of `clone3` a filter cannot see what for.
pub(crate) fn fork() -> io::Result<Option<i32>> {
    // SAFETY: the process has one thread, so no lock is held by a thread that the child lacks.
    let pid = check(unsafe { libc::fork() }.into())?;
    Ok(i32::try_from(pid).ok().filter(|pid| *pid != 0))
}

/// Has signals wait for [`next_signal`], those apart that tell of faults of this very process.
pub(crate) fn hold_signals() -> io::Result<()> {
    const FAULTS: [i32; 7] = [
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGABRT,
        libc::SIGTRAP,
        libc::SIGSYS,
    ];
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigfillset` initialises the set, which the other calls change and read.
    check(unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(set.as_mut_ptr(), fault);
        }
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut()).into()
    })
    .map(drop)
}

/// The next signal of those that are held.
pub(crate) fn next_signal() -> i32 {
    let mut set = MaybeUninit::uninit();
    loop {
        // SAFETY: `sigfillset` initialises the set; nobody wants to know more of the signal than its number.
        let signal = unsafe {
            libc::sigfillset(set.as_mut_ptr());
            libc::sigwaitinfo(set.as_ptr(), ptr::null_mut())
        };
        if signal > 0 {
            return signal;
        }
    }
}

/// Buries one child that ended: its pid, and its status as `wait` gives it.
pub(crate) fn bury() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the kernel writes one int.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (pid > 0).then_some((pid, status))
}

pub(crate) fn forward(pid: i32, signal: i32) {
    // SAFETY: no memory is involved. It fails where the process has just ended, which is heard of next.
    unsafe { libc::kill(pid, signal) };
}

/// Makes this process the leader of a group, and that group the terminal's, should standard input be one. `SIGTTOU`,
/// which the kernel has for whoever does the latter, must be held.
pub(crate) fn lead_foreground() -> io::Result<()> {
    const STDIN: RawFd = 0;
    // SAFETY: no memory is involved.
    unsafe {
        check(libc::setpgid(0, 0).into())?;
        match check(libc::tcsetpgrp(STDIN, libc::getpgrp()).into()) {
            Err(error)
                if !matches!(
                    error.raw_os_error(),
                    Some(libc::ENOTTY | libc::ENXIO | libc::EBADF)
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

/// Shows this process under another name, and with other arguments as far as ours leave room.
pub(crate) fn rename_self(name: &CStr, arguments: &[&[u8]]) {
    let room: usize = env::args_os().map(|argument| argument.len() + 1).sum();
    let mut shown = arguments.join(&0);
    shown.truncate(room.saturating_sub(1));
    shown.resize(room, 0);
    // SAFETY: the name is a C string. The kernel lays arguments out one behind the other, `room` bytes in all, in memory
    // that is ours to write to and that nobody reads any more.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, name.as_ptr());
        ptr::copy_nonoverlapping(shown.as_ptr(), program_invocation_name.cast(), room);
    }
}
