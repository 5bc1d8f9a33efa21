//! Operational state of one device, predicted or observed.
//!
//! The same types hold both, so that the two are compared value by value.

mod bgp;
mod interface;
mod ospf;
mod route;
mod shared;

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::InterfaceName;

use crate::config::{AfiSafi, NeighborTarget};

pub use bgp::{NeighborState, SessionState};
pub use interface::{InterfaceState, OperStatus};
pub use ospf::{OspfNeighborState, OspfState};
pub use route::{NextHop, Route, RouteProtocol, RouteTable};
pub use shared::Shared;

/// What a device does. A part that was not collected is `None`, which is not the same as an empty one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceState {
    /// The interfaces, without the management interface.
    pub interfaces: Option<BTreeMap<InterfaceName, InterfaceState>>,
    /// The BGP neighbors.
    pub neighbors: Option<BTreeMap<NeighborTarget, NeighborState>>,
    /// The OSPF neighbors by interface, of both versions where both run.
    pub ospf_neighbors: Option<BTreeMap<InterfaceName, BTreeMap<AfiSafi, OspfNeighborState>>>,
    /// The routes that the routing daemon selected, without those of the management interface.
    pub rib: Option<Shared<RouteTable>>,
    /// The routes that forward packets, read from the kernel or the hardware, without those of the management interface.
    pub fib: Option<Shared<RouteTable>>,
    /// The prefixes announced to each external neighbor.
    pub advertised: Option<BTreeMap<NeighborTarget, std::collections::BTreeSet<IpNet>>>,
}
