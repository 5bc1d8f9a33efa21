//! `Peering`: an external BGP neighbor.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Asn, Endpoint};

use super::{Authentication, TimersSpec};

/// Somebody else's network, and what is exchanged with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeeringSpec {
    /// What the neighbor is to us.
    pub relationship: Relationship,
    /// The neighbor's AS number.
    #[schemars(with = "u32", range(min = 1))]
    pub asn: Asn,
    /// The sessions, one for each port that leads to the neighbor.
    #[schemars(length(min = 1))]
    pub sessions: Vec<PeeringSession>,
    /// What is taken from the neighbor; everything else is refused.
    pub accept: Accept,
    /// What is announced to the neighbor; nothing else is.
    pub announce: Announce,
    /// BGP timers; without them, the device's own.
    #[serde(default)]
    pub timers: Option<TimersSpec>,
    /// Authentication of every session.
    #[serde(default)]
    pub authentication: Option<Authentication>,
}

/// What an external neighbor is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relationship {
    /// It carries our traffic to the rest of the world.
    Transit,
}

/// One session with the neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeeringSession {
    /// Our port, `NODE:INTERFACE`.
    #[schemars(with = "String", extend("format" = "endpoint"))]
    pub port: Endpoint,
    /// Our address on the port with the length of the subnet, such as `192.0.2.0/31`.
    #[schemars(with = "String", extend("format" = "interface-address"))]
    pub address: IpNet,
    /// The neighbor's address, in the same subnet.
    #[schemars(with = "String", extend("format" = "ip"))]
    pub neighbor: std::net::IpAddr,
}

/// What is taken from an external neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// Exactly these prefixes.
    #[schemars(with = "Vec<super::text::PrefixText>")]
    pub prefixes: Vec<IpNet>,
    /// The session is closed when the neighbor sends more prefixes than this.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub maximum_prefixes: Option<u32>,
}

/// What is announced to an external neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// Exactly these prefixes. Each is originated at the peering's nodes as an aggregate: announced whether or not all
    /// of it is in use.
    #[schemars(with = "Vec<super::text::PrefixText>")]
    pub prefixes: Vec<IpNet>,
}
