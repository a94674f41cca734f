//! Interfaces by their names, of whatever kind.
use rustix::io::Errno;
use rustix::net::{netdevice, socket, AddressFamily, SocketType};

use crate::netlink::{Mode, Netlink};
use crate::{messages, Error};

/// An interface's name has 15 bytes at most (`IFNAMSIZ` less the NUL).
const NAME_MAX_BYTES: usize = 15;

/// Remove one; harmless when it is gone.
pub(crate) fn remove_link(name: &str, what: &str) -> Result<(), Error> {
    check_name(name)?;
    let removed = Netlink::open()
        .and_then(|mut netlink| netlink.ask(Mode::Change, messages::remove_link(name)));
    match removed {
        Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => Ok(()),
        other => other.map_err(Error::system(format!("remove {what} {name}"))),
    }
}

/// The kernel's rule for names (`dev_valid_name`).
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let bad_byte =
        |byte: u8| byte == b'/' || byte == b':' || byte.is_ascii_whitespace() || byte == 0;
    let strange = name == "." || name == ".." || name.bytes().any(bad_byte);
    if name.is_empty() || name.len() > NAME_MAX_BYTES || strange {
        return Err(Error::Invalid(format!(
            "{name:?} is no interface's name (1 to {NAME_MAX_BYTES} bytes, no / or :)"
        )));
    }
    Ok(())
}

/// An interface's number in the calling thread's namespace.
pub(crate) fn index_of(name: &str) -> Result<u32, Error> {
    socket(AddressFamily::UNIX, SocketType::DGRAM, None)
        .and_then(|any| netdevice::name_to_index(&any, name))
        .map_err(|errno| Error::system(format!("find interface {name}"))(errno.into()))
}
