//! `Pools`: ranges of addresses and AS numbers, and what they are for.

use std::fmt;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::Asn;

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
    /// One address for each node: loopback and router id.
    Loopback,
    /// One subnet of two addresses for each numbered link (RFC 3021).
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

/// A range of AS numbers, both ends included, written `FIRST-LAST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AsnRange {
    /// The first number.
    pub first: Asn,
    /// The last number, not less than the first.
    pub last: Asn,
}

impl TryFrom<String> for AsnRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fail = || format!("`{}` is not a range of AS numbers: write `FIRST-LAST`", text.escape_debug());
        let (first, last) = text.split_once('-').ok_or_else(fail)?;
        let number = |part: &str| {
            let number: u32 = part.parse().map_err(|_| fail())?;
            Asn::try_from(number).map_err(|error| error.to_string())
        };
        let range = Self { first: number(first)?, last: number(last)? };
        if range.first > range.last {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        Ok(range)
    }
}

impl From<AsnRange> for String {
    fn from(range: AsnRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for AsnRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
