//! What kind of place an address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who may be called at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Anybody's, on the internet.
    Public,
    /// This machine's or its network's: only where an operator named the host.
    Inside,
    /// Nobody's: metadata of a cloud, multicast, ranges that are reserved or lead elsewhere.
    Never,
}

/// Metadata and agents of clouds outside of the ranges that are refused as a whole.
const METADATA_V4: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

pub(crate) fn place_of(address: IpAddr) -> Place {
    match address.to_canonical() {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

fn of_v4(address: Ipv4Addr) -> Place {
    if METADATA_V4.contains(&address) {
        return Place::Never;
    }
    match address.octets() {
        // This network; link-local, with the metadata of most clouds; multicast and reserved.
        [0, ..] | [169, 254, ..] | [224..=255, ..] => Place::Never,
        // IETF protocols, documentation, 6to4 relays, benchmarks.
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Place::Never,
        [192, 88, 99, _] | [198, 18 | 19, ..] => Place::Never,
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Place::Inside,
        _ => Place::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Place {
    if METADATA_V6.contains(&address) {
        return Place::Never;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] | [0xfc00..=0xfdff, ..] => Place::Inside,
        // Translated by NAT64 or 6to4: what counts is whom they lead to.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarks, ORCHID, documentation.
        [0x2001, 0 | 2 | 0x10..=0x2f | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Place::Never,
        [0x2000..=0x3fff, ..] => Place::Public,
        _ => Place::Never,
    }
}

/// An address that another protocol reaches is never one of this machine's own network.
fn embedded(high: u16, low: u16) -> Place {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    match of_v4(Ipv4Addr::new(a, b, c, d)) {
        Place::Public => Place::Public,
        Place::Inside | Place::Never => Place::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(addresses: &[&str], expected: Place) {
        for text in addresses {
            assert_eq!(place_of(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn every_range_has_its_place() {
        places(&["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"], Place::Public);
        places(&["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"], Place::Public);
        let inside = ["127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1"];
        places(&inside, Place::Inside);
        places(&["100.64.0.1", "::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1"], Place::Inside);
    }

    #[test]
    fn what_nobody_is_called_at() {
        let v4 = ["0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "224.0.0.1"];
        places(&v4, Place::Never);
        places(&["255.255.255.255", "240.0.0.1", "192.0.0.192", "192.0.2.1"], Place::Never);
        places(&["100.100.100.200", "168.63.129.16", "198.18.0.1", "192.88.99.1"], Place::Never);
        places(&["::", "fe80::1", "febf::1", "fec0::1", "ff02::1", "2001:db8::1"], Place::Never);
        places(&["fd00:ec2::254", "fd20:ce::254", "2001::1", "100::1", "::7f00:1"], Place::Never);
        let hidden = ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1"];
        places(&hidden, Place::Never);
        places(&["2002:7f00:1::1", "2002:a00:1::", "64:ff9b:1::1"], Place::Never);
    }
}
