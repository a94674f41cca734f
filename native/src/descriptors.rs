//! Descriptors that Python lends: the one place of this crate that takes a number's word for it.
use std::os::fd::{BorrowedFd, RawFd};

use pyo3::prelude::*;

use crate::errors::{raise, Kind};

/// Use a descriptor of the caller's for the length of one call.
pub(crate) fn lend(fd: RawFd) -> PyResult<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(raise(Kind::System, format!("bad descriptor {fd}")));
    }
    // SAFETY: it is not -1, and the stub's contract has the caller keep it open until the
    // call returns; no borrow made here outlives that.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
