//! `Pools`: ranges of addresses and AS numbers, and what they are for.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{AsnRange, VlanRange, VniRange};

use super::Selector;

/// Ranges from which loopbacks, link subnets, management addresses and AS numbers are taken. What was taken is kept in
/// the lock file: adding a node renumbers no other. Where several pools fit, the first is used until it is exhausted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolsSpec {
    /// Address pools.
    #[serde(default)]
    pub addresses: Vec<AddressPool>,
    /// AS number pools.
    #[serde(default)]
    pub asns: Vec<AsnPool>,
    /// VLAN pools, for the segments of tenants that write none; those that are written lie outside.
    #[serde(default)]
    pub vlans: Vec<VlanPool>,
    /// VNI pools, for tenants and their segments that write none; those that are written lie outside.
    #[serde(default)]
    pub vnis: Vec<VniPool>,
}

/// A range of VLANs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VlanPool {
    /// The range, `FIRST-LAST`, both included, 1 to 4094.
    #[schemars(with = "String", extend("format" = "vlan-range"))]
    pub range: VlanRange,
}

/// A range of VNIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VniPool {
    /// The range, `FIRST-LAST`, both included, 1 to 16777215.
    #[schemars(with = "String", extend("format" = "vni-range"))]
    pub range: VniRange,
    /// What the VNIs are for.
    pub purpose: VniPurpose,
}

/// What the VNIs of a pool are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VniPurpose {
    /// One for each segment of a tenant.
    Segment,
    /// One for each tenant.
    Tenant,
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressPool {
    /// What the addresses are for.
    pub purpose: AddressPurpose,
    /// The range, without host bits.
    #[schemars(with = "String", extend("format" = "prefix"))]
    pub prefix: IpNet,
    /// The nodes it is for. A link belongs to the pool when both of its nodes do.
    #[serde(default)]
    pub select: Selector,
}

/// What the addresses of a pool are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddressPurpose {
    /// One address for each node that routes: its loopback and router id, which is IPv4; an IPv6 one besides where IPv6 is
    /// routed.
    Loopback,
    /// One subnet of two addresses for each numbered link (RFC 3021, RFC 6164), of each address family that is routed.
    Link,
    /// One address for each node's management interface.
    Management,
}

/// A range of AS numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AsnPool {
    /// The range, `FIRST-LAST`, both included.
    #[schemars(with = "String", extend("format" = "asn-range"))]
    pub range: AsnRange,
    /// Who shares a number.
    pub assign: AsnAssignment,
    /// The nodes it is for.
    #[serde(default)]
    pub select: Selector,
}

/// Who shares an AS number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AsnAssignment {
    /// Each node has its own.
    PerNode,
    /// All nodes of one role in one fabric share one (RFC 7938 5.2.1 does so for spines).
    PerFabricRole,
}
