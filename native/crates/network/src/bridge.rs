//! The bridge that containers are plugged into.
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::interface::{check_name, index_of, remove_link};
use crate::link::Mac;
use crate::netlink::{Mode, Netlink};
use crate::{messages, Error};

/// Make a bridge, or take the one of that name; give it its address and bring it up.
///
/// [`Error::Conflict`] when another kind of interface has the name.
pub fn ensure_bridge(name: &str, address: Ipv4Addr, prefix_length: u8) -> Result<(), Error> {
    check_name(name)?;
    let mut netlink = Netlink::open().map_err(Error::system("open rtnetlink"))?;
    // An address of its own: one borrowed from a port would change as containers come and go.
    let made = netlink.ask(Mode::Create, messages::new_bridge(name, Mac::of(address)));
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !Path::new("/sys/class/net")
                .join(name)
                .join("bridge")
                .exists()
            {
                return Err(Error::Conflict(format!("interface {name} is no bridge")));
            }
        }
        other => other.map_err(Error::system(format!("make bridge {name}")))?,
    }
    let index = index_of(name)?;
    let doing = format!("give bridge {name} the address {address}/{prefix_length}");
    netlink
        .ask(
            Mode::Replace,
            messages::new_address(index, address, prefix_length),
        )
        .map_err(Error::system(doing))?;
    netlink
        .ask(Mode::Change, messages::link_up(index, None))
        .map_err(Error::system(format!("bring up bridge {name}")))
}

/// Remove a bridge; harmless when it is gone.
pub fn remove_bridge(name: &str) -> Result<(), Error> {
    remove_link(name, "bridge")
}
