//! `Reachability`: what must reach what, and what must never.

use std::{fmt, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{IntentRef, NodeName, PortRange};

use super::TransportProtocol;

/// A promise about the data plane, from each place of `from` to each place of `to`. It compiles to nothing: it is checked
/// on the predicted network and probed on the real one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReachabilitySpec {
    /// Where packets start: `segment/NAME`, `node/NAME` or `peering/NAME`.
    #[schemars(with = "String", extend("format" = "flow-end"))]
    pub from: FlowEnd,
    /// Where packets go: `segment/NAME`, `node/NAME`, or an address.
    #[schemars(with = "String", extend("format" = "flow-end"))]
    pub to: FlowEnd,
    /// What is promised. Default `reachable`.
    #[serde(default)]
    pub expect: Expectation,
    /// What may fail without breaking the promise.
    #[serde(default)]
    pub survive: Survive,
    /// The least number of equal-cost paths out of the source's node. Default 1.
    #[schemars(range(min = 1))]
    #[serde(default = "ReachabilitySpec::default_min_paths")]
    pub min_paths: u16,
    /// The protocol of the flow. Default `any`.
    #[serde(default)]
    pub protocol: TransportProtocol,
    /// The destination ports of the flow, of `tcp` and `udp` only. Default all.
    #[schemars(with = "Vec<super::text::PortRangeText>")]
    #[serde(default)]
    pub ports: Vec<PortRange>,
    /// The most devices that a packet may pass, the first and the last included.
    #[schemars(range(min = 1, max = 255))]
    #[serde(default)]
    pub max_hops: Option<u8>,
    /// Every packet passes one of these nodes.
    #[schemars(with = "Vec<super::text::NameText>")]
    #[serde(default)]
    pub via: Vec<NodeName>,
    /// No packet passes any of these nodes.
    #[schemars(with = "Vec<super::text::NameText>")]
    #[serde(default)]
    pub avoid: Vec<NodeName>,
}

impl ReachabilitySpec {
    fn default_min_paths() -> u16 {
        1
    }
}

/// What a Reachability intent promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// Every packet arrives.
    #[default]
    Reachable,
    /// No packet arrives.
    Isolated,
}

/// What may fail without breaking the promise: elements of one kind at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Survive {
    /// So many links at the same time, whichever, those to external neighbors included: 0 to 3.
    #[schemars(range(max = 3))]
    pub links: u8,
    /// So many shared-risk groups of Topologies at the same time, whichever; each takes all its links with it: 0 to 2.
    #[schemars(range(max = 2))]
    pub groups: u8,
    /// So many nodes at the same time, whichever but the ends of the flow: 0 to 2.
    #[schemars(range(max = 2))]
    pub nodes: u8,
}

/// Where a flow starts or ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FlowEnd {
    /// All hosts of a segment, or an external neighbor (`peering/NAME`).
    Intent(IntentRef),
    /// The loopback of a node.
    Node(NodeName),
    /// An address.
    Address(IpAddr),
}

impl TryFrom<String> for FlowEnd {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Some(node) = text.strip_prefix("node/") {
            return node.parse().map(Self::Node).map_err(|error| error.to_string());
        }
        text.parse().map(Self::Intent).map_err(|_| {
            format!(
                "`{}` is not the end of a flow: write `segment/NAME`, `node/NAME`, `peering/NAME` or an address",
                text.escape_debug()
            )
        })
    }
}

impl From<FlowEnd> for String {
    fn from(end: FlowEnd) -> Self {
        end.to_string()
    }
}

impl fmt::Display for FlowEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intent(intent) => intent.fmt(f),
            Self::Node(node) => write!(f, "node/{node}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}
