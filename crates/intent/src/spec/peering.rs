//! `Peering`: an external BGP neighbor.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Asn, Endpoint};

use super::{Authentication, TimersSpec};

/// Somebody else's network, and what is exchanged with it.
///
/// Routes learned from customers are announced to every neighbor; those from peers and transits to customers only (RFC 7908
/// names what goes wrong otherwise). Whatever `accept` says, nobody's bogons, default-length mistakes or our own prefixes are
/// taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PeeringSpec {
    /// What the neighbor is to us.
    pub relationship: Relationship,
    /// The neighbor's AS number.
    #[schemars(with = "u32", range(min = 1))]
    pub asn: Asn,
    /// The sessions, one for each port that leads to the neighbor and each address family on it.
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
    /// We carry its traffic to the rest of the world: its routes go to everybody, and everything goes to it.
    Customer,
    /// We exchange our own and our customers' traffic: its routes go to customers only.
    Peer,
    /// It carries our traffic to the rest of the world: its routes go to customers only.
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
    #[serde(default)]
    pub prefixes: Vec<IpNet>,
    /// With each of the prefixes also the longer ones within it, up to these lengths.
    #[serde(default)]
    pub more_specific: Option<MoreSpecific>,
    /// Every prefix that is fit for the internet: up to /24 and /48, no bogons, none of our own. Default false.
    #[serde(default)]
    pub everything: bool,
    /// The session is closed when the neighbor sends more prefixes than this.
    #[schemars(range(min = 1))]
    #[serde(default)]
    pub maximum_prefixes: Option<u32>,
}

/// What is announced to an external neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// Exactly these prefixes of our own. Each is originated at the peering's nodes as an aggregate: announced whether or not all
    /// of it is in use.
    #[schemars(with = "Vec<super::text::PrefixText>")]
    #[serde(default)]
    pub prefixes: Vec<IpNet>,
    /// Also what is learned from others, as the relationship allows: to a customer everything, to peers and transits what
    /// customers sent. Default true.
    #[serde(default = "Announce::default_learned")]
    pub learned: bool,
    /// Also the default route, to a customer only. Default false.
    #[serde(default)]
    pub default_route: bool,
}

impl Announce {
    fn default_learned() -> bool {
        true
    }
}

/// The longest prefixes that are taken within the listed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoreSpecific {
    /// The longest length of IPv4. Default 24.
    #[schemars(range(min = 8, max = 32))]
    #[serde(default = "MoreSpecific::default_ipv4")]
    pub ipv4: u8,
    /// The longest length of IPv6. Default 48.
    #[schemars(range(min = 16, max = 128))]
    #[serde(default = "MoreSpecific::default_ipv6")]
    pub ipv6: u8,
}

impl MoreSpecific {
    fn default_ipv4() -> u8 {
        24
    }

    fn default_ipv6() -> u8 {
        48
    }
}
