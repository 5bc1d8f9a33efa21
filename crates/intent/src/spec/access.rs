//! `Access`: which flows may pass to the hosts of a segment.

use std::fmt;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{IntentKind, IntentRef, Name, PortRange};

/// Rules for the packets towards the hosts of some segments, enforced where these hosts are attached. The first rule that
/// matches a packet decides; `default` decides what none matches. Packets of a connection that was let through pass in both
/// directions. What a router answers itself, such as its gateway's echo replies, is not affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessSpec {
    /// The segments whose hosts are protected, each `segment/NAME`.
    #[schemars(with = "Vec<super::text::IntentRefText>", length(min = 1))]
    pub protect: Vec<IntentRef>,
    /// The rules in order.
    pub rules: Vec<AccessRule>,
    /// What is done with packets that no rule matches. Default `deny`.
    #[serde(default)]
    pub default: AccessAction,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    /// Its name, unique in the intent.
    #[schemars(with = "super::text::NameText")]
    pub name: Name,
    /// What is done with a packet that matches.
    pub action: AccessAction,
    /// Where packets come from: `any`, `segment/NAME`, or a prefix.
    #[schemars(with = "String", extend("format" = "access-end"))]
    pub from: AccessEnd,
    /// Where packets go, within the protected segments: `any`, `segment/NAME`, or a prefix. Default `any`.
    #[schemars(with = "String", extend("format" = "access-end"))]
    #[serde(default)]
    pub to: AccessEnd,
    /// The protocol. Default `any`.
    #[serde(default)]
    pub protocol: TransportProtocol,
    /// The destination ports, of `tcp` and `udp` only: numbers, or ranges such as `8000-8100`. Default all.
    #[schemars(with = "Vec<super::text::PortRangeText>")]
    #[serde(default)]
    pub ports: Vec<PortRange>,
    /// Whether packets that match are logged. Default false.
    #[serde(default)]
    pub log: bool,
}

/// What is done with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccessAction {
    /// It passes.
    Allow,
    /// It is dropped.
    #[default]
    Deny,
}

/// The protocol of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransportProtocol {
    /// All of them.
    #[default]
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP, and ICMPv6 for IPv6.
    Icmp,
}

/// Where packets come from or go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AccessEnd {
    /// Anywhere.
    #[default]
    Any,
    /// The hosts of a segment.
    Segment(IntentRef),
    /// The addresses of a prefix.
    Prefix(IpNet),
}

impl TryFrom<String> for AccessEnd {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::Any);
        }
        if let Ok(prefix) = text.parse::<IpNet>() {
            return if prefix.trunc() == prefix {
                Ok(Self::Prefix(prefix))
            } else {
                Err(format!("`{text}` has host bits set; the prefix is `{}`", prefix.trunc()))
            };
        }
        match text.parse::<IntentRef>() {
            Ok(reference) if reference.kind == IntentKind::Segment => Ok(Self::Segment(reference)),
            _ => Err(format!(
                "`{}` is not an end of a rule: write `any`, `segment/NAME`, or a prefix such as `10.0.0.0/8`",
                text.chars().take(60).collect::<String>().escape_debug()
            )),
        }
    }
}

impl From<AccessEnd> for String {
    fn from(end: AccessEnd) -> Self {
        end.to_string()
    }
}

impl fmt::Display for AccessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Segment(segment) => segment.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}
