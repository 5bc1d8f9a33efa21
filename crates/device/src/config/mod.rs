//! Intended configuration of one device.

mod acl;
mod bgp;
mod interface;
mod ospf;
mod routing_policy;
mod system;

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{BehaviorProfile, InterfaceName, Name, NodeName, PackName, Provenance};

pub use acl::{AclAction, AclEntry, AclSet, IpProtocol};
pub use bgp::{AfiSafi, Bfd, Bgp, Neighbor, NeighborTarget, Network, PeerType, Seconds, Timers};
pub use interface::{Interface, InterfaceAddress, InterfaceKind};
pub use ospf::{Area, Ospf, OspfInterface};
pub use routing_policy::{
    Action, CommunitySet, Conditions, PolicyDefinition, PrefixMatch, PrefixSet, Prepend, RoutingPolicy, Statement,
    Transformations,
};
pub use system::{Banner, Server, Snmp, SnmpCommunity, SshKey, SshServer, System, User};

/// Everything a device is meant to be configured with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceConfig {
    /// The device.
    pub device: NodeName,
    /// The pack that renders it.
    pub pack: PackName,
    /// How its operating system behaves.
    #[serde(default)]
    pub profile: BehaviorProfile,
    /// Host name, servers, users.
    pub system: System,
    /// The interfaces, the loopback `lo` among them; never the management interface.
    pub interfaces: BTreeMap<InterfaceName, Interface>,
    /// Prefix sets and policies.
    pub routing_policy: RoutingPolicy,
    /// Static routes, by prefix.
    pub static_routes: BTreeMap<IpNet, StaticRoute>,
    /// BGP, where the device runs it.
    pub bgp: Option<Bgp>,
    /// OSPF, where the device runs it.
    #[serde(default)]
    pub ospf: Option<Ospf>,
    /// Access lists by name.
    #[serde(default)]
    pub acl_sets: BTreeMap<Name, AclSet>,
}

/// A static route that discards its traffic: it keeps an aggregate announced while more specific routes carry packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticRoute {
    /// What is done with a packet that matches.
    pub next_hop: StaticNextHop,
    /// What caused it.
    pub provenance: Provenance,
}

/// Where a static route sends its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaticNextHop {
    /// Nowhere, without an answer to the sender.
    Discard,
}
