//! Pseudo-terminals, and the socket over which a master travels home.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use super::check;
use super::file::own;

/// Room for one descriptor in a control message; aligned as `cmsghdr` is.
#[repr(C, align(8))]
struct Control([u8; 32]);

/// Unlocks a master and opens its slave, by no path: what `/dev/pts` shows does not matter.
pub(crate) fn open_slave(master: BorrowedFd) -> io::Result<OwnedFd> {
    let unlocked: libc::c_int = 0;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the first request reads one int; the second takes a number.
    unsafe {
        check(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK as _, &unlocked).into())?;
        check(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER as _, flags).into()).map(own)
    }
}

pub(crate) fn set_window_size(terminal: BorrowedFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request reads one winsize.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ as _, &size) }.into())
        .map(drop)
}

/// Makes the terminal that of our session, which must have none.
pub(crate) fn set_controlling_terminal(terminal: BorrowedFd) -> io::Result<()> {
    // SAFETY: the request takes a number.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY as _, 0) }.into()).map(drop)
}

/// Two connected datagram sockets, close-on-exec.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [0; 2];
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors into `ends`.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) }.into())?;
    Ok((own(ends[0].into()), own(ends[1].into())))
}

/// Calls `with` on a message header that carries one byte and has room for one descriptor.
fn with_message<T>(with: impl FnOnce(&mut libc::msghdr) -> T) -> T {
    let mut byte = [0u8; 1];
    let mut control = Control([0; 32]);
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: byte.len(),
    };
    // SAFETY: zeros are a valid msghdr (no name, no parts, no control).
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: pure arithmetic.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(DESCRIPTOR_BYTES) } as _;
    with(&mut message)
}

/// One descriptor in a control message; `CMSG_LEN` and `CMSG_SPACE` take 32 bits.
#[allow(clippy::cast_possible_truncation)]
const DESCRIPTOR_BYTES: u32 = size_of::<RawFd>() as u32;

/// Sends one descriptor.
pub(crate) fn send_descriptor(socket: BorrowedFd, descriptor: BorrowedFd) -> io::Result<()> {
    with_message(|message| {
        // SAFETY: the control buffer has room for one header with one descriptor, so CMSG_FIRSTHDR is not null.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(DESCRIPTOR_BYTES) as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast(), descriptor.as_raw_fd());
            check(libc::sendmsg(socket.as_raw_fd(), message, libc::MSG_NOSIGNAL) as _).map(drop)
        }
    })
}

/// Takes the descriptor that was sent, without waiting; `None` when nothing was.
pub(crate) fn receive_descriptor(socket: BorrowedFd) -> io::Result<Option<OwnedFd>> {
    with_message(|message| {
        let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
        // SAFETY: the buffers named in the header live until `with_message` returns; a header is read only if there.
        unsafe {
            match check(libc::recvmsg(socket.as_raw_fd(), message, flags) as _) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            let header = libc::CMSG_FIRSTHDR(message);
            if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
                return Ok(None);
            }
            let descriptor: RawFd = ptr::read_unaligned(libc::CMSG_DATA(header).cast());
            Ok(Some(own(descriptor.into())))
        }
    })
}
