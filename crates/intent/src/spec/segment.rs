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
    /// The range of the segment, IPv4 or IPv6, without host bits.
    #[schemars(with = "String", extend("format" = "prefix"))]
    pub prefix: IpNet,
    /// The length of each port's subnet, longer than the prefix; not over 30, of IPv6 not over 126.
    #[schemars(range(min = 9, max = 126))]
    pub subnet_length: u8,
    /// IPv6 beside IPv4: a second range, of which each port has a subnet too.
    #[serde(default)]
    pub ipv6: Option<SegmentIpv6>,
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
    /// Returns each range: the JSON pointer to what holds its prefix and length, the prefix, and the length of each port's
    /// subnet.
    pub fn ranges(&self) -> impl Iterator<Item = (&'static str, IpNet, u8)> {
        let second = self.ipv6.map(|ipv6| ("/spec/ipv6", ipv6.prefix, ipv6.subnet_length));
        std::iter::once(("/spec", self.prefix, self.subnet_length)).chain(second)
    }

    fn default_mtu() -> Mtu {
        Mtu::ETHERNET
    }
}

/// The IPv6 range of a segment that has IPv4 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentIpv6 {
    /// The range, without host bits.
    #[schemars(with = "String", extend("format" = "prefix"))]
    pub prefix: IpNet,
    /// The length of each port's subnet, longer than the prefix and not over 126. Default 64 (RFC 4291 2.5.1).
    #[schemars(range(min = 17, max = 126))]
    #[serde(default = "SegmentIpv6::default_subnet_length")]
    pub subnet_length: u8,
}

impl SegmentIpv6 {
    fn default_subnet_length() -> u8 {
        64
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
