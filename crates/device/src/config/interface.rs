//! Interfaces and their addresses.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{Mtu, Name, Provenance, TerminationPoint};

/// An interface. It is meant to be up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// What it is for.
    pub kind: InterfaceKind,
    /// Words for people; printable ASCII without control characters.
    pub description: String,
    /// The IP MTU; `None` leaves the device's own (loopbacks).
    pub mtu: Option<Mtu>,
    /// Its addresses with the length of their subnet, smaller first. Host bits are set: `10.0.0.1/31`.
    pub addresses: Vec<InterfaceAddress>,
    /// Whether BGP unnumbered runs over it: IPv6 link-local addresses and router advertisements are needed (RFC 8950).
    pub unnumbered: bool,
    /// The access list that packets pass on their way out, if there is one.
    #[serde(default)]
    pub egress_acl: Option<Name>,
    /// What caused it.
    pub provenance: Provenance,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address and the length of its subnet.
    pub prefix: IpNet,
    /// What caused it.
    pub provenance: Provenance,
}

/// What an interface is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum InterfaceKind {
    /// The loopback that holds the router id.
    Loopback,
    /// One end of a link between devices of the network.
    Link {
        /// The other end.
        peer: TerminationPoint,
    },
    /// A port for hosts of a segment.
    Host,
    /// A port towards an external BGP neighbor.
    External,
}
