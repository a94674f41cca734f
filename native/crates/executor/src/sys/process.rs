//! Processes: making them, moving them between namespaces, turning them into programs.

use std::ffi::{c_char, c_long, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::file::own;
use super::{check, text};

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = 0x8000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// A process that was just made.
#[derive(Debug)]
pub(crate) struct Child {
    pub pid: i32,
    pub pidfd: OwnedFd,
}

/// Goes on in two processes, `None` in the new one. `namespaces` are `CLONE_NEW*` flags; with `cgroup` (a directory of
/// the v2 tree) the new process is born there.
pub(crate) fn clone(namespaces: i32, cgroup: Option<BorrowedFd>) -> io::Result<Option<Child>> {
    let mut pidfd: i32 = -1;
    let mut arguments = CloneArguments {
        flags: CLONE_PIDFD | u64::from(namespaces.unsigned_abs()),
        pidfd: ptr::from_mut(&mut pidfd) as u64,
        exit_signal: unsigned(libc::SIGCHLD),
        ..Default::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = unsigned(cgroup.as_raw_fd());
    }
    let pid = clone_with(&arguments)?;
    Ok((pid != 0).then(|| Child {
        pid,
        pidfd: own(pidfd.into()),
    }))
}

/// As [`clone`] without namespaces, but the new process is a child of our own parent. Gives the pid alone.
pub(crate) fn clone_sibling() -> io::Result<Option<i32>> {
    // The kernel takes the exit signal from our own and refuses another.
    let pid = clone_with(&CloneArguments {
        flags: CLONE_PARENT,
        ..Default::default()
    })?;
    Ok((pid != 0).then_some(pid))
}

fn unsigned(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn clone_with(arguments: &CloneArguments) -> io::Result<i32> {
    // SAFETY: without CLONE_VM this is a fork: the child has memory of its own. The process has one thread, so no lock
    // is held by a thread that the child lacks.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, arguments, size_of::<CloneArguments>()) };
    check(answer).map(|pid| i32::try_from(pid).unwrap_or(0))
}

/// Enters namespaces: `of` is a pidfd, or the one namespace's own file.
pub(crate) fn enter_namespaces(of: BorrowedFd, kinds: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setns(of.as_raw_fd(), kinds) }.into()).map(drop)
}

pub(crate) fn leave_namespaces(kinds: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::unshare(kinds) }.into()).map(drop)
}

pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setsid() }.into()).map(drop)
}

/// The signals as a new program expects them: none blocked, none ignored. Rust's runtime ignores `SIGPIPE`, and those
/// that the C library keeps for itself (32 and 33) may have been inherited ignored, which only the kernel's own call undoes.
pub(crate) fn reset_signals() {
    const LAST_SIGNAL: i32 = 64;
    const SET_BYTES: usize = 8;
    // A `struct sigaction` of the kernel's, of which zeros mean the default action; larger than any architecture's.
    let default = [0u64; 8];
    // SAFETY: the kernel reads one action and one set, both of which are zeros that outlive the calls.
    unsafe {
        for signal in 1..=LAST_SIGNAL {
            // Refused for SIGKILL and SIGSTOP, which none can change.
            let none = ptr::null_mut::<u64>();
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                none,
                SET_BYTES,
            );
        }
        let none = ptr::null_mut::<u64>();
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            default.as_ptr(),
            none,
            SET_BYTES,
        );
    }
}

pub(crate) fn send_signal(pidfd: BorrowedFd, signal: i32) -> io::Result<()> {
    let none = ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo means an ordinary kill.
    check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            none,
            0,
        )
    })
    .map(drop)
}

/// Waits for a child of ours to end, and buries it.
pub(crate) fn reap(pidfd: BorrowedFd) -> io::Result<()> {
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).unwrap_or(libc::id_t::MAX);
    loop {
        // SAFETY: zeros are a valid siginfo, which the kernel overwrites.
        let answer = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(
                libc::P_PIDFD,
                id,
                &raw mut info,
                libc::WEXITED | libc::__WALL,
            )
        };
        match check(answer.into()) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).map(own)
}

pub(crate) fn change_directory(directory: BorrowedFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::fchdir(directory.as_raw_fd()) }.into()).map(drop)
}

/// Whether the working directory can be reached from the root: a process must not start outside its container.
pub(crate) fn is_inside_root() -> io::Result<bool> {
    let mut path = [0u8; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most the array's length into it.
    check(unsafe { libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len()) })?;
    // The kernel writes "(unreachable)" before what lies elsewhere.
    Ok(path[0] == b'/')
}

/// Whether the process, with the rights it has now, may execute the file.
pub(crate) fn may_execute(path: &[u8]) -> io::Result<()> {
    let path = text(path)?;
    let (here, flags) = (libc::AT_FDCWD, libc::AT_EACCESS);
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe { libc::syscall(libc::SYS_faccessat2, here, path.as_ptr(), libc::X_OK, flags) })
        .map(drop)
}

/// A list of C strings as `execve` wants it.
pub(crate) struct StringList {
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl StringList {
    pub(crate) fn new<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let owned = items
            .into_iter()
            .map(|item| text(item.as_ref()))
            .collect::<io::Result<Vec<_>>>()?;
        let pointers = owned
            .iter()
            .map(|item| item.as_ptr())
            .chain([ptr::null()])
            .collect();
        Ok(Self {
            _owned: owned,
            pointers,
        })
    }
}

/// Becomes another program; returns only to say why not.
pub(crate) fn execute(path: &[u8], arguments: &StringList, environment: &StringList) -> io::Error {
    let path = match text(path) {
        Ok(path) => path,
        Err(error) => return error,
    };
    // SAFETY: both lists end with null and their strings live as long as the lists.
    unsafe {
        libc::execve(
            path.as_ptr(),
            arguments.pointers.as_ptr(),
            environment.pointers.as_ptr(),
        )
    };
    io::Error::last_os_error()
}

/// As [`execute`], with the file opened before.
pub(crate) fn execute_descriptor(
    file: BorrowedFd,
    arguments: &StringList,
    environment: &StringList,
) -> io::Error {
    let empty = c"".as_ptr();
    let (arguments, environment) = (arguments.pointers.as_ptr(), environment.pointers.as_ptr());
    let flags = libc::AT_EMPTY_PATH;
    // SAFETY: both lists end with null and their strings live as long as the lists.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            empty,
            arguments,
            environment,
            flags,
        )
    };
    io::Error::last_os_error()
}

/// Ends the process at once: no destructor, no flush, nothing that belongs to the parent.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` touches no memory.
    unsafe { libc::_exit(code) }
}

/// Sets one of the process's own switches (`PR_SET_*`).
pub(crate) fn set_process_switch(option: i32, value: u64) -> io::Result<()> {
    // SAFETY: used only with options whose argument is a number.
    check(unsafe { libc::prctl(option, value, 0u64, 0u64, 0u64) }.into()).map(drop)
}

/// Leaves the session keyring that was inherited for an empty one.
pub(crate) fn new_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: c_long = 1;
    let anonymous = ptr::null::<c_char>();
    // SAFETY: null asks for a keyring without a name.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) })
        .map(drop)
}

pub(crate) fn set_hostname(name: &str) -> io::Result<()> {
    // SAFETY: the kernel reads `name.len()` bytes.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

pub(crate) fn set_domainname(name: &str) -> io::Result<()> {
    // SAFETY: the kernel reads `name.len()` bytes.
    check(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }.into()).map(drop)
}

/// Brings the loopback interface of the network namespace up.
pub(crate) fn loopback_up() -> io::Result<()> {
    // SAFETY: zeros are a valid ifreq; its name stays NUL-terminated; both requests use its flags alone.
    unsafe {
        let flags = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        let socket = own(check(libc::socket(libc::AF_INET, flags, 0).into())?);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = c_char::from_ne_bytes([*from]);
        }
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &mut request).into())?;
        #[allow(clippy::cast_possible_truncation)]
        // It is 1; the C library's type is wider than the field.
        {
            request.ifr_ifru.ifru_flags |= libc::IFF_UP as i16;
        }
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request).into()).map(drop)
    }
}
