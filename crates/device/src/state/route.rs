//! Routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::InterfaceName;

use super::Shared;

/// The selected routes by prefix.
pub type RouteTable = BTreeMap<IpNet, Route>;

/// The selected route to a prefix, with all its equal-cost next hops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Who made it.
    pub protocol: RouteProtocol,
    /// The ECMP set, which many routes have in common.
    pub next_hops: Shared<BTreeSet<NextHop>>,
}

/// Who made a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteProtocol {
    /// The address of an interface.
    Connected,
    /// A static route.
    Static,
    /// OSPF.
    Ospf,
    /// BGP.
    Bgp,
    /// Something else, or something that the device does not tell.
    Other,
}

/// One next hop. The outgoing interface identifies it on point-to-point links; the address is what the device says, and
/// a link-local one where the session is unnumbered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NextHop {
    /// Out of an interface, to a router or (`via: None`) straight to the destination.
    Interface {
        /// The outgoing interface.
        interface: InterfaceName,
        /// The router behind it.
        via: Option<IpAddr>,
    },
    /// Dropped on purpose.
    Discard,
}

impl NextHop {
    /// Returns the outgoing interface, and `None` for a discard.
    pub fn interface(&self) -> Option<&InterfaceName> {
        match self {
            Self::Interface { interface, .. } => Some(interface),
            Self::Discard => None,
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface { interface, via: Some(via) } => write!(f, "{via} ({interface})"),
            Self::Interface { interface, via: None } => write!(f, "{interface}"),
            Self::Discard => f.write_str("discard"),
        }
    }
}

impl Route {
    /// Returns the outgoing interfaces, for comparison where the address of the next hop is not known beforehand.
    pub fn interfaces(&self) -> BTreeSet<&InterfaceName> {
        self.next_hops.iter().filter_map(NextHop::interface).collect()
    }
}
