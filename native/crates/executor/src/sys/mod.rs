//! The system calls, each once, behind a signature that cannot be held wrong. All `unsafe` of this crate is here.

mod bpf;
mod credentials;
mod file;
mod first;
mod mount;
mod process;
mod terminal;

pub(crate) use bpf::*;
pub(crate) use credentials::*;
pub(crate) use file::*;
pub(crate) use first::*;
pub(crate) use mount::*;
pub(crate) use process::*;
pub(crate) use terminal::*;

use std::ffi::{c_long, CString};
use std::io;

/// The kernel's answer as a result.
fn check(answer: c_long) -> io::Result<c_long> {
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(answer)
    }
}

/// Text for the kernel; a NUL inside is `EINVAL`, as no path or name can hold one.
pub(crate) fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}
