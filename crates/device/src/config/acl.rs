//! Access lists (OpenConfig `acl`): which packets pass out of an interface.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{Name, PortRange, Provenance};

/// An access list. The first entry that matches a packet decides. A packet of a connection that was let through before, in
/// either direction, passes before any entry is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclSet {
    /// The entries in order.
    pub entries: Vec<AclEntry>,
    /// What is done with packets that none matches.
    pub default_action: AclAction,
    /// What caused it.
    pub provenance: Provenance,
}

/// One entry of an access list: a packet matches when everything does that is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntry {
    /// Its place in the list, rising; 10, 20, 30 by custom.
    pub sequence: u16,
    /// The name of the rule, for logs.
    pub name: Name,
    /// What is done with the packet.
    pub action: AclAction,
    /// Source prefixes, one of which the packet is from; empty means any. Both address families may be there.
    pub sources: Vec<IpNet>,
    /// Destination prefixes, one of which the packet goes to; empty means any.
    pub destinations: Vec<IpNet>,
    /// The protocol; `None` means any.
    pub protocol: Option<IpProtocol>,
    /// Destination ports, one of which the packet goes to; empty means any.
    pub destination_ports: Vec<PortRange>,
    /// Whether packets that match are logged.
    pub log: bool,
    /// What caused it.
    pub provenance: Provenance,
}

/// What is done with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AclAction {
    /// It passes.
    Accept,
    /// It is dropped without an answer.
    Drop,
}

/// A protocol above IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpProtocol {
    /// TCP, number 6.
    Tcp,
    /// UDP, number 17.
    Udp,
    /// ICMP, number 1, and ICMPv6, number 58, for IPv6.
    Icmp,
}
