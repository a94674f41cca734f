//! Who a process is and what it may do.

use std::ffi::c_long;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use super::check;

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const SECCOMP_SET_MODE_FILTER: c_long = 1;
/// One instruction of a filter.
const BPF_INSTRUCTION_BYTES: usize = 8;

/// The three sets that `capset` knows, one bit for each capability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CapabilitySets {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The process's own sets.
pub(crate) fn capabilities() -> io::Result<CapabilitySets> {
    let header = CapabilityHeader {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    let mut data = [CapabilityData::default(); 2];
    // SAFETY: version 3 reads one header and writes two data structures.
    check(unsafe { libc::syscall(libc::SYS_capget, &header, data.as_mut_ptr()) })?;
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(CapabilitySets {
        effective: join(data[0].effective, data[1].effective),
        permitted: join(data[0].permitted, data[1].permitted),
        inheritable: join(data[0].inheritable, data[1].inheritable),
    })
}

pub(crate) fn set_capabilities(sets: &CapabilitySets) -> io::Result<()> {
    let header = CapabilityHeader {
        version: CAPABILITY_VERSION_3,
        pid: 0,
    };
    #[allow(clippy::cast_possible_truncation)] // Two halves of 32 bits are what the kernel takes.
    let half = |shift: u32| CapabilityData {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: version 3 reads one header and two data structures.
    check(unsafe { libc::syscall(libc::SYS_capset, &header, data.as_ptr()) }).map(drop)
}

/// Takes a capability out of the bounding set, for good. `EINVAL` when the kernel knows none of this number.
pub(crate) fn drop_from_bounding_set(capability: u32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(
        unsafe {
            libc::prctl(
                libc::PR_CAPBSET_DROP,
                u64::from(capability),
                0u64,
                0u64,
                0u64,
            )
        }
        .into(),
    )
    .map(drop)
}

pub(crate) fn raise_ambient(capability: u32) -> io::Result<()> {
    let (option, raise) = (
        libc::PR_CAP_AMBIENT,
        u64::from(libc::PR_CAP_AMBIENT_RAISE.unsigned_abs()),
    );
    // SAFETY: no memory is involved.
    check(unsafe { libc::prctl(option, raise, u64::from(capability), 0u64, 0u64) }.into()).map(drop)
}

/// Real, effective and saved ids at once. The raw calls: the C library's would look for other threads to change.
pub(crate) fn become_user(uid: u32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

pub(crate) fn become_group(gid: u32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the kernel reads `groups.len()` numbers.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}

pub(crate) fn set_umask(mask: u32) {
    // SAFETY: no memory is involved, and it cannot fail.
    unsafe { libc::umask(mask) };
}

/// A process's limit; `pid` 0 is our own.
pub(crate) fn resource_limit(pid: i32, resource: u32) -> io::Result<libc::rlimit64> {
    let mut limit = MaybeUninit::<libc::rlimit64>::uninit();
    let (unchanged, old) = (ptr::null::<libc::rlimit64>(), limit.as_mut_ptr());
    // SAFETY: the kernel fills the structure when it answers 0, and only then is it read.
    unsafe {
        check(libc::syscall(
            libc::SYS_prlimit64,
            pid,
            resource,
            unchanged,
            old,
        ))?;
        Ok(limit.assume_init())
    }
}

pub(crate) fn set_resource_limit(pid: i32, resource: u32, limit: libc::rlimit64) -> io::Result<()> {
    let old = ptr::null_mut::<libc::rlimit64>();
    // SAFETY: the kernel reads one structure, which outlives the call.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, pid, resource, &limit, old) }).map(drop)
}

/// Installs a compiled filter, an array of the kernel's `sock_filter`.
pub(crate) fn install_seccomp(filter: &[u8]) -> io::Result<()> {
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const u8,
    }
    let length = u16::try_from(filter.len() / BPF_INSTRUCTION_BYTES)
        .map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = Program {
        length,
        filter: filter.as_ptr(),
    };
    // SAFETY: the kernel reads `length` instructions, which lie in `filter`, and has no need of alignment.
    check(unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) })
        .map(drop)
}
