//! BGP (RFC 4271): the process, its neighbors, what it originates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{Asn, InterfaceName, Name, Provenance, SecretRef};

/// The BGP process of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bgp {
    /// The AS of the device.
    pub asn: Asn,
    /// The router id.
    pub router_id: Ipv4Addr,
    /// The id of the cluster that the device reflects routes in (RFC 4456), where it has clients.
    #[serde(default)]
    pub cluster_id: Option<Ipv4Addr>,
    /// The most equal-cost paths that are used together. AS paths need only be of equal length (multipath-relax).
    pub maximum_paths: u16,
    /// Prefixes that the device originates while it has a route to them (connected or static) itself.
    pub networks: BTreeMap<IpNet, Network>,
    /// The neighbors.
    pub neighbors: BTreeMap<NeighborTarget, Neighbor>,
    /// What caused it.
    pub provenance: Provenance,
}

/// A prefix that the device originates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// What caused it.
    pub provenance: Provenance,
}

/// How a neighbor is named: by its address, or by the interface that leads to it (BGP unnumbered, RFC 8950).
///
/// Its text is the address or the name of the interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum NeighborTarget {
    /// The address of the neighbor.
    Address(IpAddr),
    /// The interface that leads to the neighbor.
    Interface(InterfaceName),
}

/// An address family, unicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfiSafi {
    /// IPv4 unicast.
    Ipv4Unicast,
    /// IPv6 unicast.
    Ipv6Unicast,
}

/// A BGP neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbor {
    /// Words for people, such as `b1-spine-01 swp1`; printable ASCII.
    pub description: String,
    /// The interface that leads to the neighbor, also when it is named by its address; the loopback where the session runs
    /// between loopbacks.
    pub interface: InterfaceName,
    /// Our end of a session between loopbacks, which comes up while the neighbor's loopback is reached; `None` where the
    /// session is with the neighbor on a link.
    #[serde(default)]
    pub local_address: Option<IpAddr>,
    /// Whether the neighbor is a client of the device, which reflects routes to it (RFC 4456).
    #[serde(default)]
    pub route_reflector_client: bool,
    /// Whether the device names itself as the next hop of what it learned from another AS.
    #[serde(default)]
    pub next_hop_self: bool,
    /// The address families that are exchanged, at least one.
    #[serde(default = "ipv4_unicast")]
    pub afi_safis: BTreeSet<AfiSafi>,
    /// The AS of the neighbor.
    pub peer_as: Asn,
    /// Whether the neighbor is part of the network or somebody else's.
    pub peer_type: PeerType,
    /// Timers; `None` leaves the device's own.
    pub timers: Option<Timers>,
    /// Bidirectional forwarding detection of the neighbor, if it is asked for.
    pub bfd: Option<Bfd>,
    /// The key of TCP-MD5 (RFC 2385), if the session is authenticated.
    pub authentication: Option<SecretRef>,
    /// The policy for received routes; `None` takes all.
    pub import_policy: Option<Name>,
    /// The policy for announced routes; `None` announces all.
    pub export_policy: Option<Name>,
    /// The session is closed when more prefixes are received than this.
    pub maximum_prefixes: Option<u32>,
    /// What caused it.
    pub provenance: Provenance,
}

fn ipv4_unicast() -> BTreeSet<AfiSafi> {
    [AfiSafi::Ipv4Unicast].into()
}

/// Whose a neighbor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerType {
    /// A device of the network.
    Internal,
    /// Somebody else's router.
    External,
}

/// The timers of a BGP session, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// Time between keepalives.
    pub keepalive: Seconds,
    /// RFC 4271 4.2: zero or at least 3 s.
    pub hold: Seconds,
    /// Time between attempts to connect.
    pub connect_retry: Seconds,
}

/// A time in whole seconds; it is a bare number in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u16);

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(u64::from(seconds.0))
    }
}

/// Bidirectional forwarding detection (RFC 5880).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bfd {
    /// The interval in which control packets are sent and expected, in milliseconds.
    pub interval_ms: u32,
    /// So many missing packets take the session down.
    pub multiplier: u8,
}

impl From<NeighborTarget> for String {
    fn from(target: NeighborTarget) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for NeighborTarget {
    type Error = weft_model::InvalidInterfaceName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => text.parse().map(Self::Interface),
        }
    }
}

impl fmt::Display for NeighborTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Interface(interface) => interface.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbor_is_named_by_address_or_interface() {
        let address: NeighborTarget = "10.0.0.1".to_owned().try_into().unwrap();
        let interface: NeighborTarget = "swp1".to_owned().try_into().unwrap();
        assert!(matches!(address, NeighborTarget::Address(_)));
        assert!(matches!(interface, NeighborTarget::Interface(_)));
        assert!(NeighborTarget::try_from("10.0.0.256".to_owned()).is_err());
    }
}
