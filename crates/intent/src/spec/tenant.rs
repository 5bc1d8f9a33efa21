//! `Tenant`: a network of its own, stretched over the nodes.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{IntentRef, InterfaceName, Mtu, Name, VlanId, Vni};

use super::{GatewayPosition, Selector};

/// A network-instance (VRF) whose segments are stretched over the underlay by VXLAN with EVPN (RFC 8365, RFC 9136). Hosts of
/// one tenant reach each other; those of two tenants only what `leaks` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantSpec {
    /// The nodes that may hold the tenant.
    #[serde(default)]
    pub select: Selector,
    /// The VNI of routing within the tenant; without it, one from a pool.
    #[schemars(with = "Option<u32>", range(min = 1, max = 16_777_215))]
    #[serde(default)]
    pub vni: Option<Vni>,
    /// The segments.
    #[schemars(length(min = 1))]
    pub segments: Vec<TenantSegment>,
    /// Ports that carry several segments, each in its VLAN.
    #[serde(default)]
    pub trunks: Vec<Trunk>,
    /// What is taken from other tenants.
    #[serde(default)]
    pub leaks: Vec<Leak>,
}

/// A subnet that is the same on every node of the tenant, with the same gateway on each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantSegment {
    /// The name, unique in the tenant.
    #[schemars(with = "super::text::NameText")]
    pub name: Name,
    /// The VLAN on the nodes of the tenant; without it, one from a pool.
    #[schemars(with = "Option<u16>", range(min = 1, max = 4094))]
    #[serde(default)]
    pub vlan: Option<VlanId>,
    /// The VNI that carries the segment; without it, one from a pool.
    #[schemars(with = "Option<u32>", range(min = 1, max = 16_777_215))]
    #[serde(default)]
    pub vni: Option<Vni>,
    /// The subnets, at most one of each address family, without host bits.
    #[schemars(with = "Vec<super::text::PrefixText>", length(min = 1, max = 2))]
    pub prefixes: Vec<IpNet>,
    /// Which address of each subnet is the gateway. Default `first`.
    #[serde(default)]
    pub gateway: GatewayPosition,
    /// The IP MTU of the segment, in octets; VXLAN adds 50 on the links of the underlay. Default 1500.
    #[schemars(with = "u16", range(min = 1280, max = 9216))]
    #[serde(default = "TenantSegment::default_mtu")]
    pub mtu: Mtu,
    /// Ports whose hosts are in the segment, without a tag.
    #[serde(default)]
    pub ports: Vec<super::PortSelection>,
    /// Servers to which requests for an address (DHCP) are passed on.
    #[schemars(with = "Vec<super::text::IpText>")]
    #[serde(default)]
    pub dhcp_relay: Vec<IpAddr>,
}

impl TenantSegment {
    fn default_mtu() -> Mtu {
        Mtu::ETHERNET
    }
}

/// Ports that carry several segments of the tenant, each with the tag of its VLAN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// The nodes, each of them one of the tenant's.
    #[serde(default)]
    pub select: Selector,
    /// The ports on each of them.
    #[schemars(with = "Vec<super::text::InterfaceNameText>", length(min = 1))]
    pub interfaces: Vec<InterfaceName>,
    /// The names of the segments.
    #[schemars(with = "Vec<super::text::NameText>", length(min = 1))]
    pub segments: Vec<Name>,
}

/// Prefixes that are taken from another tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// The other tenant, `tenant/NAME`.
    #[schemars(with = "String", extend("format" = "intent-ref"))]
    pub from: IntentRef,
    /// Exactly these prefixes, each of a segment of the other tenant, and none that overlaps one of this tenant.
    #[schemars(with = "Vec<super::text::PrefixText>", length(min = 1))]
    pub prefixes: Vec<IpNet>,
}
