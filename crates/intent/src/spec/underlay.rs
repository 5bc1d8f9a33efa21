//! `Underlay`: routing between the nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{AreaId, Asn, SecretRef};

use super::Selector;

/// Routing over every link whose two ends are selected: by eBGP with a session over each (RFC 7938), or by OSPF (RFC 2328,
/// RFC 5340) with the links in areas. Every selected node announces its loopback and its segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlaySpec {
    /// The nodes. A link may belong to one underlay only.
    #[serde(default)]
    pub select: Selector,
    /// The routing protocol.
    pub protocol: Protocol,
    /// Whether links have addresses of their own.
    pub addressing: Addressing,
    /// The address families that are routed. Default `ipv4`.
    #[serde(default)]
    pub families: Families,
    /// What OSPF needs, where it is the protocol.
    #[serde(default)]
    pub ospf: Option<OspfSpec>,
    /// Internal BGP between the nodes, where OSPF is the protocol: what their Peerings bring is carried by it. Without, the
    /// routes of Peerings are announced in OSPF.
    #[serde(default)]
    pub ibgp: Option<IbgpSpec>,
    /// The most equal-cost paths used together, 1 to 256. Default 64.
    #[schemars(range(min = 1, max = 256))]
    #[serde(default = "UnderlaySpec::default_maximum_paths")]
    pub maximum_paths: u16,
    /// BGP timers; without them, the device's own. With OSPF, those of the sessions of `ibgp`.
    #[serde(default)]
    pub timers: Option<TimersSpec>,
    /// Bidirectional forwarding detection on every link.
    #[serde(default)]
    pub bfd: Option<BfdSpec>,
    /// Authentication of every session of BGP.
    #[serde(default)]
    pub authentication: Option<Authentication>,
}

impl UnderlaySpec {
    fn default_maximum_paths() -> u16 {
        64
    }
}

/// The routing protocol of an underlay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// eBGP on every link.
    Ebgp,
    /// OSPF: version 2 for IPv4, version 3 for IPv6.
    Ospf,
}

/// The address families that an underlay routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Families {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 and IPv6.
    Dual,
}

impl Families {
    /// Tells whether IPv4 is routed.
    pub const fn ipv4(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Dual)
    }

    /// Tells whether IPv6 is routed.
    pub const fn ipv6(self) -> bool {
        matches!(self, Self::Ipv6 | Self::Dual)
    }
}

/// What OSPF needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OspfSpec {
    /// The areas. A link is in the first area that selects both of its ends; a node with links in several is their border.
    /// Without any, all links are in the backbone.
    #[serde(default)]
    pub areas: Vec<OspfArea>,
    /// Seconds between hellos, 1 to 65535. Default 10.
    #[schemars(range(min = 1))]
    #[serde(default = "OspfSpec::default_hello")]
    pub hello_seconds: u16,
    /// Seconds without a hello after which a neighbor is lost, more than `hello_seconds`. Default 40.
    #[schemars(range(min = 2))]
    #[serde(default = "OspfSpec::default_dead")]
    pub dead_seconds: u16,
}

impl OspfSpec {
    fn default_hello() -> u16 {
        10
    }

    fn default_dead() -> u16 {
        40
    }
}

impl Default for OspfSpec {
    fn default() -> Self {
        Self { areas: Vec::new(), hello_seconds: Self::default_hello(), dead_seconds: Self::default_dead() }
    }
}

/// Internal BGP (RFC 4271): the nodes are of one AS, and have sessions between their loopbacks over what OSPF routes. A node with
/// a Peering is the next hop of what it learns there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IbgpSpec {
    /// The AS of the nodes, which takes the place of numbers from Pools.
    #[schemars(with = "u32", range(min = 1))]
    pub asn: Asn,
    /// The nodes that reflect routes (RFC 4456): each has all others as its clients, and a session with every other reflector.
    /// Without them, every node has a session with every other.
    #[serde(default)]
    pub route_reflectors: Option<Selector>,
}

/// An OSPF area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OspfArea {
    /// Its number, such as `0.0.0.1` or `1`; the backbone is `0.0.0.0`.
    #[schemars(with = "super::text::AreaIdText")]
    pub area: AreaId,
    /// The nodes whose links are in the area.
    #[serde(default)]
    pub select: Selector,
    /// Which routes go into the area. Default `normal`.
    #[serde(default)]
    pub kind: AreaKind,
}

/// Which routes go into an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AreaKind {
    /// All of them.
    #[default]
    Normal,
    /// No external ones: a default route in their place (RFC 2328 3.6).
    Stub,
}

/// Whether links have IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// A subnet of two addresses from a pool on every link, of each address family.
    Numbered,
    /// None but IPv6 link-local ones. BGP's IPv4 routes have IPv6 next hops (RFC 8950); OSPF borrows the loopback's address.
    Unnumbered,
}

/// BGP timers, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimersSpec {
    /// Seconds between keepalives, 1 to 21845.
    #[schemars(range(min = 1, max = 21845))]
    pub keepalive_seconds: u16,
    /// Seconds without a message after which the session is lost, 3 to 65535, more than `keepalive_seconds`.
    #[schemars(range(min = 3))]
    pub hold_seconds: u16,
    /// Seconds between attempts to connect, 1 to 65535. Default 10.
    #[schemars(range(min = 1))]
    #[serde(default = "TimersSpec::default_connect_retry")]
    pub connect_retry_seconds: u16,
}

impl TimersSpec {
    fn default_connect_retry() -> u16 {
        10
    }
}

/// Bidirectional forwarding detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BfdSpec {
    /// The interval of control packets in milliseconds, 50 to 60000.
    #[schemars(range(min = 50, max = 60000))]
    pub interval_ms: u32,
    /// So many missing packets take the session down, 2 to 50. Default 3.
    #[schemars(range(min = 2, max = 50))]
    #[serde(default = "BfdSpec::default_multiplier")]
    pub multiplier: u8,
}

impl BfdSpec {
    fn default_multiplier() -> u8 {
        3
    }
}

/// How BGP sessions are authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authentication {
    /// The key of TCP-MD5 (RFC 2385), as a reference to a secret such as `env/UNDERLAY_KEY`.
    #[schemars(with = "Option<super::text::SecretText>")]
    #[serde(default)]
    pub tcp_md5: Option<SecretRef>,
    /// TCP-AO (RFC 5925) in place of TCP-MD5.
    #[serde(default)]
    pub tcp_ao: Option<TcpAo>,
}

/// A key of TCP-AO.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TcpAo {
    /// The key, as a reference to a secret such as `env/TRANSIT_KEY`.
    #[schemars(with = "super::text::SecretText")]
    pub tcp_ao_key: SecretRef,
    /// The identifier of the key, the same at both ends, 0 to 255.
    pub key_id: u8,
    /// The algorithm. Default `hmac-sha-1-96`, which every implementation has (RFC 5926).
    #[serde(default)]
    pub algorithm: TcpAoAlgorithm,
}

/// An algorithm of TCP-AO (RFC 5926).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TcpAoAlgorithm {
    /// HMAC-SHA-1-96.
    #[default]
    #[serde(rename = "hmac-sha-1-96")]
    HmacSha1,
    /// AES-128-CMAC-96.
    #[serde(rename = "aes-128-cmac-96")]
    AesCmac,
}
