//! What was taken from the pools, and for what: the content of the lock file.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{Asn, Name, NodeName, TerminationPoint};

/// What was taken from the pools. What stands here stays as it is for as long as what it was taken for is there and the
/// pool still covers it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allocations {
    /// Management addresses by node.
    pub management: BTreeMap<NodeName, IpAddr>,
    /// Loopback addresses, which are also router ids, by node.
    pub loopbacks: BTreeMap<NodeName, IpAddr>,
    /// AS numbers by node.
    pub asns: BTreeMap<NodeName, Asn>,
    /// Subnets by numbered link, written `A:PORT--B:PORT`, the smaller end first; it has the lower address.
    pub links: BTreeMap<LinkKey, IpNet>,
    /// Subnets of host ports, by segment and port.
    pub segments: BTreeMap<Name, BTreeMap<PortKey, IpNet>>,
}

/// A link as the key of a map: `A:PORT--B:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkKey(String);

impl From<&weft_model::Link> for LinkKey {
    fn from(link: &weft_model::Link) -> Self {
        Self(format!("{}--{}", link.ends[0], link.ends[1]))
    }
}

/// A port as the key of a map: `NODE:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PortKey(String);

impl From<&TerminationPoint> for PortKey {
    fn from(port: &TerminationPoint) -> Self {
        Self(port.to_string())
    }
}
