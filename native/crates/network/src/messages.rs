//! The requests made of rtnetlink, as data.
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::link::{Mac, Veth};

/// Bring an interface up, by its index or (0) its name.
pub(crate) fn link_up(index: u32, name: Option<&str>) -> RouteNetlinkMessage {
    let mut link = up_link();
    link.header.index = index;
    let name = name.map(|name| LinkAttribute::IfName(name.into()));
    link.attributes.extend(name);
    RouteNetlinkMessage::SetLink(link)
}

pub(crate) fn remove_link(name: &str) -> RouteNetlinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(name.into()));
    RouteNetlinkMessage::DelLink(link)
}

pub(crate) fn new_bridge(name: &str, mac: Mac) -> RouteNetlinkMessage {
    let mut link = up_link();
    link.attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Address(mac.0.to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    RouteNetlinkMessage::NewLink(link)
}

/// The pair, complete: the host's end up and on its bridge, the peer born in `namespace`.
pub(crate) fn new_veth(
    veth: &Veth<'_>,
    bridge: u32,
    namespace: BorrowedFd<'_>,
) -> RouteNetlinkMessage {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(veth.container_name.into()),
        LinkAttribute::Address(veth.mac.0.to_vec()),
        LinkAttribute::NetNsFd(namespace.as_raw_fd()),
    ];
    let mut link = up_link();
    link.attributes = vec![
        LinkAttribute::IfName(veth.host_name.into()),
        LinkAttribute::Controller(bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    RouteNetlinkMessage::NewLink(link)
}

pub(crate) fn new_address(index: u32, address: Ipv4Addr, prefix_length: u8) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.index = index;
    message.header.prefix_len = prefix_length;
    let host_bits = u32::MAX.checked_shr(prefix_length.into()).unwrap_or(0);
    message.attributes = vec![
        AddressAttribute::Local(IpAddr::V4(address)),
        AddressAttribute::Address(IpAddr::V4(address)),
        AddressAttribute::Broadcast(Ipv4Addr::from(u32::from(address) | host_bits)),
    ];
    RouteNetlinkMessage::NewAddress(message)
}

pub(crate) fn default_route(gateway: Ipv4Addr) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    let gateway = RouteAttribute::Gateway(RouteAddress::Inet(gateway));
    message.attributes.push(gateway);
    RouteNetlinkMessage::NewRoute(message)
}

fn up_link() -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link
}
