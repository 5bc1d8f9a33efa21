//! `Underlay`: routing between the nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::SecretRef;

use super::Selector;

/// eBGP between the selected nodes (RFC 7938): one session over every link whose two ends are selected. Every selected
/// node originates its loopback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnderlaySpec {
    /// The nodes. A link may belong to one underlay only.
    #[serde(default)]
    pub select: Selector,
    /// The routing protocol.
    pub protocol: Protocol,
    /// Whether links have IPv4 addresses.
    pub addressing: Addressing,
    /// The most equal-cost paths used together, 1 to 256. Default 64.
    #[schemars(range(min = 1, max = 256))]
    #[serde(default = "UnderlaySpec::default_maximum_paths")]
    pub maximum_paths: u16,
    /// BGP timers; without them, the device's own.
    #[serde(default)]
    pub timers: Option<TimersSpec>,
    /// Bidirectional forwarding detection on every session.
    #[serde(default)]
    pub bfd: Option<BfdSpec>,
    /// Authentication of every session.
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
}

/// Whether links have IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Addressing {
    /// A subnet of two addresses from a pool on every link.
    Numbered,
    /// IPv6 link-local addresses only; IPv4 routes have IPv6 next hops (RFC 8950).
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
    #[schemars(with = "String", extend("format" = "secret"))]
    pub tcp_md5: SecretRef,
}
