//! The pair of devices between a container and its bridge.
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use crate::interface::{check_name, index_of, remove_link};
use crate::link::Veth;
use crate::namespace::inside;
use crate::netlink::{Mode, Netlink};
use crate::{messages, Error};

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
