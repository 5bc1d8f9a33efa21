//! Addresses that are never routed, and never on a link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A range, and what it is for. Ranges that are only private or for documentation are not among them: networks route those
/// within themselves.
struct Martian {
    prefix: IpNet,
    what: &'static str,
}

const fn v4(a: u8, b: u8, length: u8, what: &'static str) -> Martian {
    Martian { prefix: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), length)), what }
}

const fn v6(first: u16, last: u16, length: u8, what: &'static str) -> Martian {
    Martian { prefix: IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last), length)), what }
}

const MARTIANS: [Martian; 9] = [
    v4(0, 0, 8, "this host on this network (RFC 6890)"),
    v4(127, 0, 8, "loopback (RFC 6890)"),
    LINK_LOCAL_IPV4,
    v4(224, 0, 4, "multicast (RFC 5771)"),
    v4(240, 0, 4, "reserved (RFC 6890)"),
    v6(0, 0, 128, "no address (RFC 4291)"),
    v6(0, 1, 128, "loopback (RFC 4291)"),
    v6(0xfe80, 0, 10, "link-local (RFC 4291)"),
    v6(0xff00, 0, 8, "multicast (RFC 4291)"),
];

/// Providers do number single links so: never routed, but on a link.
const LINK_LOCAL_IPV4: Martian = v4(169, 254, 16, "link-local (RFC 3927)");

/// Returns the range that a prefix lies in and what it is for, if nobody routes it.
pub(super) fn of_prefix(prefix: &IpNet) -> Option<(IpNet, &'static str)> {
    MARTIANS.iter().find(|martian| martian.prefix.contains(prefix)).map(|martian| (martian.prefix, martian.what))
}

/// Returns the range that an address lies in and what it is for, if no session may have it.
pub(super) fn of_session(address: IpAddr) -> Option<(IpNet, &'static str)> {
    of_prefix(&IpNet::from(address)).filter(|(range, _)| *range != LINK_LOCAL_IPV4.prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_routes_is_known_and_what_labs_use_is_not_in_it() {
        for prefix in
            ["127.0.0.0/8", "0.0.0.0/8", "169.254.10.0/24", "239.0.0.0/8", "255.0.0.0/8", "::1/128", "fe80::/64"]
        {
            assert!(of_prefix(&prefix.parse().unwrap()).is_some(), "{prefix}");
        }
        for prefix in
            ["0.0.0.0/0", "::/0", "10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
        {
            assert!(of_prefix(&prefix.parse().unwrap()).is_none(), "{prefix}");
        }
        assert!(of_session("169.254.1.1".parse().unwrap()).is_none());
        assert!(of_session("224.0.0.5".parse().unwrap()).is_some());
    }
}
