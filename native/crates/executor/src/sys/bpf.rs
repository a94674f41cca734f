//! Programs that the kernel asks about devices.

use std::ffi::c_long;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::check;
use super::file::own;

const BPF_PROG_LOAD: c_long = 5;
const BPF_PROG_ATTACH: c_long = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// The programs of the cgroups above are asked as well, and others may be added.
const BPF_F_ALLOW_MULTI: u32 = 2;
const INSTRUCTION_BYTES: usize = 8;

/// The beginning of `union bpf_attr`; the kernel takes the rest as zeros.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log: [u32; 2],
    log_buffer: u64,
    version: u32,
    flags: u32,
}

#[repr(C)]
struct Attach {
    target: RawFd,
    program: RawFd,
    kind: u32,
    flags: u32,
}

/// Has the kernel ask `program` whenever a process of the v2 cgroup `directory` uses a device.
pub(crate) fn attach_device_filter(directory: BorrowedFd, program: &[u8]) -> io::Result<()> {
    let program = load(program)?;
    let attach = Attach {
        target: directory.as_raw_fd(),
        program: program.as_raw_fd(),
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the kernel reads one structure of the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_ATTACH,
            &raw const attach,
            size_of::<Attach>(),
        )
    })
    .map(drop)
}

fn load(program: &[u8]) -> io::Result<OwnedFd> {
    let count = u32::try_from(program.len() / INSTRUCTION_BYTES).unwrap_or(u32::MAX);
    let load = Load {
        kind: BPF_PROG_TYPE_CGROUP_DEVICE,
        count,
        instructions: program.as_ptr() as u64,
        license: c"Apache".as_ptr() as u64,
        log: [0; 2],
        log_buffer: 0,
        version: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads one structure of the size given, and `count` instructions, which lie in `program`.
    check(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const load,
            size_of::<Load>(),
        )
    })
    .map(own)
}
