//! `Segment`: subnets on host ports.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{InterfaceName, Mtu};

use super::Selector;

/// Hosts of one kind. Every host port is a routed port with a subnet and a gateway of its own, taken from the segment's
/// prefix and kept in the lock file, and announced over the underlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentSpec {
    /// The range of the segment, without host bits.
    #[schemars(with = "String", extend("format" = "prefix"))]
    pub prefix: IpNet,
    /// The length of each port's subnet, longer than the prefix and not over 30.
    #[schemars(range(min = 9, max = 30))]
    pub subnet_length: u8,
    /// Which address of a subnet is the gateway. Default `first`.
    #[serde(default)]
    pub gateway: GatewayPosition,
    /// The host ports.
    #[schemars(length(min = 1))]
    pub ports: Vec<PortSelection>,
    /// How far the subnets are announced. Default `network`.
    #[serde(default)]
    pub scope: Scope,
    /// The IP MTU of the host ports, in octets. Default 1500.
    #[schemars(with = "u16", range(min = 1280, max = 9216))]
    #[serde(default = "SegmentSpec::default_mtu")]
    pub mtu: Mtu,
}

impl SegmentSpec {
    fn default_mtu() -> Mtu {
        Mtu::ETHERNET
    }
}

/// Which address of a subnet is the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayPosition {
    /// The first usable address.
    #[default]
    First,
    /// The last usable address.
    Last,
}

/// How far the subnets of a segment are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// In the whole network; to external neighbors only what their peering announces.
    #[default]
    Network,
    /// Within the site of the port only.
    Site,
}

/// The same ports on each of some nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortSelection {
    /// The nodes.
    pub select: Selector,
    /// The ports on each of them.
    #[schemars(with = "Vec<super::text::InterfaceNameText>", length(min = 1))]
    pub interfaces: Vec<InterfaceName>,
}
