//! IP addresses → what they really mean, and whether anybody may be sent there. Knows no names and no settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds keep credentials and settings of machines, outside the link-local ranges.
const METADATA: [IpAddr; 4] = [
    // Alibaba Cloud
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Azure
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Oracle Cloud
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // Google Cloud
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// An IPv4 address that is written as one of IPv6, as itself.
pub(super) fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(long) = address else { return address };
    let (high, low) = match long.segments() {
        // Mapped (RFC 4291), translated (RFC 2765) and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // 6to4 (RFC 3056).
        | [0x2002, high, low, ..] => (high, low),
        // Compatible (RFC 4291), but for the unspecified address and loopback.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) > (0, 1) => (high, low),
        _ => return address,
    };
    let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
    Ipv4Addr::new(a, b, c, d).into()
}

/// No backend has such an address: link-local, metadata, unspecified, multicast, broadcast or reserved.
pub(super) fn is_off_limits(address: IpAddr) -> bool {
    let address = meant(address);
    METADATA.contains(&address)
        || address.is_multicast()
        || match address {
            IpAddr::V4(short) => {
                let first = short.octets()[0];
                short.is_link_local() || first == 0 || first >= 240
            }
            IpAddr::V6(long) => long.is_unspecified() || long.is_unicast_link_local() || is_special(long),
        }
}

fn is_special(address: Ipv6Addr) -> bool {
    match address.segments() {
        // AWS: metadata, names and time.
        [0xfd00, 0xec2, ..] => true,
        // NAT64 of a network's own (RFC 8215) and Teredo (RFC 4380): which IPv4 address they mean is not known here.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => true,
        // Site-local, long given up (RFC 3879).
        [first, ..] => first & 0xffc0 == 0xfec0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_nobody_may_be_sent_to_are_known_in_all_their_forms() {
        for text in [
            "169.254.169.254",
            "169.254.0.0",
            "0.0.0.0",
            "0.1.2.3",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::ffff:0:169.254.169.254",
            "::169.254.169.254",
            "::0.0.0.2",
            "64:ff9b::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:a9fe:a9fe::1",
            "2001:0:1::1",
        ] {
            assert!(is_off_limits(text.parse().expect("is an address")), "{text}");
        }
        for text in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "192.168.1.1",
            "100.100.100.201",
            "1.1.1.1",
            "fd00::1",
            "fd00:ec3::254",
            "2001:db8::1",
            "2a00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "fe7f::1",
        ] {
            assert!(!is_off_limits(text.parse().expect("is an address")), "{text}");
        }
    }

    #[test]
    fn loopback_is_known_behind_every_form() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(meant(text.parse().expect("is an address")).is_loopback(), "{text}");
        }
        assert!(!meant("::2".parse().expect("is an address")).is_loopback());
    }
}
