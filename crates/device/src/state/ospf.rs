//! The state of OSPF neighbors.

use std::{fmt, net::Ipv4Addr};

use serde::{Deserialize, Serialize};

/// The state of the neighbor on a point-to-point interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OspfNeighborState {
    /// The router id of the neighbor.
    pub router_id: Ipv4Addr,
    /// How far the adjacency is.
    pub state: OspfState,
}

/// The states of RFC 2328 10.1, as far as Weft tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OspfState {
    /// Nothing is heard, or only hellos in one direction.
    Down,
    /// Hellos are heard in both directions.
    TwoWay,
    /// Databases are being exchanged.
    Exchange,
    /// Adjacent.
    Full,
}

impl fmt::Display for OspfState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Down => "down",
            Self::TwoWay => "two-way",
            Self::Exchange => "exchange",
            Self::Full => "full",
        })
    }
}
