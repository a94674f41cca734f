//! What a container's link is, before it is made.
use std::net::Ipv4Addr;

use crate::Error;

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
