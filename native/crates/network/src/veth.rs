//! The pair of devices between a container and its bridge.
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{netdevice, socket, AddressFamily, SocketType};

use crate::namespace::inside;
use crate::netlink::{Mode, Netlink};
use crate::{messages, Error};

/// An interface's name has 15 bytes at most (`IFNAMSIZ` less the NUL).
const NAME_MAX_BYTES: usize = 15;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

/// A container's link: everything it is told about itself at birth.
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    pub host_name: &'a str,
    pub container_name: &'a str,
    pub bridge: &'a str,
    pub mac: Mac,
    pub address: Ipv4Addr,
    pub prefix_length: u8,
    pub gateway: Ipv4Addr,
}

impl Mac {
    /// `02:42:` and the address's bytes, as Docker's bridge does: an address that is used
    /// again has the hardware address its neighbours remember.
    pub fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl std::str::FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::Invalid(format!("{text} is no hardware address"));
        let mut mac = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut mac {
            let part = parts.next().filter(|part| part.len() == 2);
            *byte = u8::from_str_radix(part.ok_or_else(invalid)?, 16).map_err(|_| invalid())?;
        }
        // A group's address (the lowest bit) is nobody's own.
        if parts.next().is_some() || mac[0] & 1 == 1 || mac == [0; 6] {
            return Err(invalid());
        }
        Ok(Self(mac))
    }
}

/// Make the pair, its one end in the namespace with address and default route, the other on
/// the bridge, both up. On failure nothing of it stays.
pub fn attach_veth(namespace: &Path, veth: &Veth<'_>) -> Result<(), Error> {
    check_name(veth.host_name)?;
    check_name(veth.container_name)?;
    let shown = namespace.display();
    let file = File::open(namespace).map_err(Error::system(format!("open {shown}")))?;
    let bridge = index_of(veth.bridge)?;
    let doing = format!("make {} on bridge {}", veth.host_name, veth.bridge);
    Netlink::open()
        .and_then(|mut netlink| {
            let pair = messages::new_veth(veth, bridge, file.as_fd());
            netlink.ask(Mode::Create, pair)
        })
        .map_err(Error::system(doing))?;
    let configured = inside(&file, || configure(veth));
    if configured.is_err() {
        // The first failure is the one to tell.
        let _ = remove_veth(veth.host_name);
    }
    configured
}

/// The container's end, from a thread in its namespace.
fn configure(veth: &Veth<'_>) -> Result<(), Error> {
    let name = veth.container_name;
    // A network without IPv6: an address the kernel made up by itself would be announced
    // and probed for. Hosts without IPv6 have no such file.
    let switch = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    let _ = std::fs::write(switch, "1");
    let index = index_of(name)?;
    let Veth {
        address,
        prefix_length,
        gateway,
        ..
    } = *veth;
    let deeds = [
        format!("bring up {name}"),
        format!("give {name} the address {address}/{prefix_length}"),
        format!("route {name} by {gateway}"),
    ];
    let requests = vec![
        (Mode::Change, messages::link_up(index, None)),
        (
            Mode::Create,
            messages::new_address(index, address, prefix_length),
        ),
        (Mode::Create, messages::default_route(gateway)),
    ];
    let answers = Netlink::open()
        .and_then(|mut netlink| netlink.ask_all(requests))
        .map_err(Error::system(format!("configure {name}")))?;
    for (deed, answer) in deeds.into_iter().zip(answers) {
        answer.map_err(Error::system(deed))?;
    }
    Ok(())
}

/// Remove a pair by its host's end; harmless when it is gone. This waits 15 ms and more for
/// the kernel, all other changes of interfaces with it: the namespace's own end is cheaper.
pub fn remove_veth(host_name: &str) -> Result<(), Error> {
    remove_link(host_name, "interface")
}

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
