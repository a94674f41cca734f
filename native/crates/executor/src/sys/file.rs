//! Files and directories, always beside a directory's descriptor.

use std::ffi::c_long;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use super::{check, text};

/// Resolve as a process with this root would.
pub(crate) const RESOLVE_IN_ROOT: u64 = 0x10;
/// Never through `/proc/*/fd` and the like.
pub(crate) const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub(crate) const RESOLVE_NO_SYMLINKS: u64 = 0x04;

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Takes ownership of a descriptor that the kernel just made for us.
pub(super) fn own(answer: c_long) -> OwnedFd {
    // SAFETY: the caller passes a descriptor fresh from a system call, which nobody else knows yet.
    unsafe { OwnedFd::from_raw_fd(RawFd::try_from(answer).unwrap_or(-1)) }
}

/// `openat2`; close-on-exec always.
pub(crate) fn open_how(
    directory: BorrowedFd,
    path: &[u8],
    flags: i32,
    mode: u32,
    resolve: u64,
) -> io::Result<OwnedFd> {
    let path = text(path)?;
    let flags = u64::try_from(flags | libc::O_CLOEXEC).unwrap_or(0);
    let how = OpenHow {
        flags,
        mode: u64::from(mode),
        resolve,
    };
    // SAFETY: both pointers outlive the call, and the size is that of the structure.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            directory.as_raw_fd(),
            path.as_ptr(),
            &how,
            size_of::<OpenHow>(),
        )
    };
    check(answer).map(own)
}

/// Opens a path of the host; close-on-exec always.
pub(crate) fn open(path: &[u8], flags: i32) -> io::Result<OwnedFd> {
    let path = text(path)?;
    // SAFETY: `path` is a C string that outlives the call.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) }.into()).map(own)
}

pub(crate) fn make_directory(directory: BorrowedFd, name: &[u8], mode: u32) -> io::Result<()> {
    let name = text(name)?;
    // SAFETY: `name` is a C string that outlives the call.
    check(unsafe { libc::mkdirat(directory.as_raw_fd(), name.as_ptr(), mode) }.into()).map(drop)
}

pub(crate) fn make_node(
    directory: BorrowedFd,
    name: &[u8],
    mode: u32,
    device: u64,
) -> io::Result<()> {
    let name = text(name)?;
    // SAFETY: `name` is a C string that outlives the call.
    check(unsafe { libc::mknodat(directory.as_raw_fd(), name.as_ptr(), mode, device) }.into())
        .map(drop)
}

pub(crate) fn make_symlink(directory: BorrowedFd, name: &[u8], target: &[u8]) -> io::Result<()> {
    let (name, target) = (text(name)?, text(target)?);
    // SAFETY: both are C strings that outlive the call.
    check(unsafe { libc::symlinkat(target.as_ptr(), directory.as_raw_fd(), name.as_ptr()) }.into())
        .map(drop)
}

/// Where a symbolic link points; `EINVAL` when it is none.
pub(crate) fn read_link(directory: BorrowedFd, name: &[u8]) -> io::Result<Vec<u8>> {
    let name = text(name)?;
    let mut target = vec![0u8; libc::PATH_MAX.unsigned_abs() as usize];
    // SAFETY: the kernel writes at most `target.len()` bytes into `target`.
    let answer = unsafe {
        libc::readlinkat(
            directory.as_raw_fd(),
            name.as_ptr(),
            target.as_mut_ptr().cast(),
            target.len(),
        )
    };
    let length = check(answer as c_long)?;
    target.truncate(usize::try_from(length).unwrap_or(0));
    Ok(target)
}

/// What a descriptor is of.
pub(crate) fn status(file: BorrowedFd) -> io::Result<libc::stat> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure when it answers 0, and only then is it read.
    unsafe {
        check(libc::fstat(file.as_raw_fd(), status.as_mut_ptr()).into())?;
        Ok(status.assume_init())
    }
}

/// What `name` is, the last link not followed.
pub(crate) fn status_at(directory: BorrowedFd, name: &[u8]) -> io::Result<libc::stat> {
    let name = text(name)?;
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure when it answers 0, and only then is it read.
    unsafe {
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        check(
            libc::fstatat(
                directory.as_raw_fd(),
                name.as_ptr(),
                status.as_mut_ptr(),
                flags,
            )
            .into(),
        )?;
        Ok(status.assume_init())
    }
}

/// The magic number of the file system that a descriptor lies on.
pub(crate) fn file_system(file: BorrowedFd) -> io::Result<u64> {
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the kernel fills the structure when it answers 0, and only then is it read.
    let kind = unsafe {
        check(libc::fstatfs(file.as_raw_fd(), status.as_mut_ptr()).into())?;
        status.assume_init().f_type
    };
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)] // its width is the architecture's
    Ok(kind as u64)
}

/// Gives `name` below `directory` to an owner, the last link not followed. `None` leaves a part as it is.
pub(crate) fn change_owner(
    directory: BorrowedFd,
    name: &[u8],
    uid: Option<u32>,
    gid: Option<u32>,
) -> io::Result<()> {
    let name = text(name)?;
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH;
    let (uid, gid) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
    // SAFETY: `name` is a C string that outlives the call.
    check(unsafe { libc::fchownat(directory.as_raw_fd(), name.as_ptr(), uid, gid, flags) }.into())
        .map(drop)
}

pub(crate) fn change_mode(directory: BorrowedFd, name: &[u8], mode: u32) -> io::Result<()> {
    let name = text(name)?;
    // SAFETY: `name` is a C string that outlives the call.
    check(unsafe { libc::fchmodat(directory.as_raw_fd(), name.as_ptr(), mode, 0) }.into()).map(drop)
}

/// Writes all of `bytes` in one call, as the kernel's control files want it.
pub(crate) fn write_once(file: BorrowedFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads `bytes.len()` bytes from `bytes`.
    let answer = unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
    check(answer as c_long).map(drop)
}

/// Reads at most one buffer; 0 at the end.
pub(crate) fn read_once(file: BorrowedFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
        let answer =
            unsafe { libc::read(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match check(answer as c_long) {
            Ok(length) => return Ok(usize::try_from(length).unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A close-on-exec pipe: its reading and its writing end.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors into `ends`.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }.into())?;
    Ok((own(ends[0].into()), own(ends[1].into())))
}

/// The same file under a number of 3 or more, so that 0, 1 and 2 can be overwritten.
pub(crate) fn duplicate_above_stdio(file: BorrowedFd) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) }.into()).map(own)
}

/// Makes `number` another name of `file`, whatever it was before.
pub(crate) fn duplicate_to(file: BorrowedFd, number: RawFd, flags: i32) -> io::Result<()> {
    if file.as_raw_fd() == number {
        let flags = if flags & libc::O_CLOEXEC == 0 {
            0
        } else {
            libc::FD_CLOEXEC
        };
        // SAFETY: no memory is involved.
        return check(unsafe { libc::fcntl(number, libc::F_SETFD, flags) }.into()).map(drop);
    }
    // SAFETY: no memory is involved; the callers overwrite only numbers that no owner is using.
    check(unsafe { libc::dup3(file.as_raw_fd(), number, flags) }.into()).map(drop)
}

/// Closes every descriptor but 0, 1, 2 and these. Only for a child that is about to become another program: whoever
/// owns one of the others must not use it any more.
pub(crate) fn close_all_but(kept: &[BorrowedFd]) -> io::Result<()> {
    let mut kept: Vec<u32> = kept
        .iter()
        .map(|file| file.as_raw_fd().unsigned_abs())
        .collect();
    kept.sort_unstable();
    let mut first = 3;
    for number in kept.into_iter().chain([u32::MAX]) {
        if number > first {
            // SAFETY: no memory is involved; the caller gives the descriptors up.
            check(unsafe { libc::syscall(libc::SYS_close_range, first, number - 1, 0) })?;
        }
        first = first.max(number.saturating_add(1));
    }
    Ok(())
}

/// A copy of a file in memory that nobody can change any more.
pub(crate) fn sealed_copy(path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: the name is a constant.
    let copy = check(unsafe { libc::memfd_create(c"sealed".as_ptr(), flags) }.into()).map(own)?;
    let mut copy = File::from(copy);
    io::copy(&mut File::open(path)?, &mut copy)?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: no memory is involved.
    check(unsafe { libc::fcntl(copy.as_raw_fd(), libc::F_ADD_SEALS, seals) }.into())?;
    Ok(copy.into())
}

/// Stands for "the working directory" where a directory is asked for.
pub(crate) fn working_directory() -> BorrowedFd<'static> {
    // SAFETY: not a descriptor but a constant that the kernel knows, valid for ever.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

/// Whether two descriptors are of the same file.
pub(crate) fn is_same_file(one: &impl AsFd, other: &impl AsFd) -> io::Result<bool> {
    let (one, other) = (status(one.as_fd())?, status(other.as_fd())?);
    Ok(one.st_dev == other.st_dev && one.st_ino == other.st_ino)
}
