//! OSPF: version 2 for IPv4 (RFC 2328), version 3 for IPv6 (RFC 5340), with the same areas and interfaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use serde::{Deserialize, Serialize};
use weft_model::{AreaId, InterfaceName, Name, Provenance};

use super::{AfiSafi, Bfd, Seconds};

/// The OSPF processes of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ospf {
    /// The router id.
    pub router_id: Ipv4Addr,
    /// The address families that are routed; there is a process for each.
    pub families: BTreeSet<AfiSafi>,
    /// The most equal-cost paths that are used together.
    pub maximum_paths: u16,
    /// The areas that are not normal ones.
    pub areas: BTreeMap<AreaId, Area>,
    /// The interfaces, those for hosts and the loopback among them as passive ones.
    pub interfaces: BTreeMap<InterfaceName, OspfInterface>,
    /// Whether the device announces its links with the largest metric, so that traffic goes around it (RFC 6987).
    pub maximum_metric: bool,
    /// Which BGP routes are announced as external ones of type 2: those that this policy takes; `None` means none are.
    pub redistribute_bgp: Option<Name>,
    /// What caused it.
    pub provenance: Provenance,
}

/// An area that is not a normal one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Whether external routes are kept out of it and a default route takes their place.
    pub stub: bool,
    /// What caused it.
    pub provenance: Provenance,
}

/// An interface that OSPF announces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OspfInterface {
    /// Its area.
    pub area: AreaId,
    /// Its metric.
    pub metric: u16,
    /// Whether it has no neighbors: only its subnets are announced. All others are point-to-point.
    pub passive: bool,
    /// The time between hellos.
    pub hello: Seconds,
    /// The time without a hello after which a neighbor is lost.
    pub dead: Seconds,
    /// Bidirectional forwarding detection of the neighbor, if it is asked for.
    pub bfd: Option<Bfd>,
    /// What caused it.
    pub provenance: Provenance,
}
