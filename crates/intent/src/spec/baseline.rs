//! `Baseline`: services that every device has.

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{Name, SecretRef};

use super::Selector;

/// Services and accounts of the selected nodes. Several baselines may select one node; their lists are joined in the order
/// of the intents' names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineSpec {
    /// The nodes.
    #[serde(default)]
    pub select: Selector,
    /// Time servers.
    #[serde(default)]
    pub ntp: Ntp,
    /// Name servers.
    #[serde(default)]
    pub dns: Dns,
    /// Where logs are sent.
    #[serde(default)]
    pub syslog: Syslog,
    /// What is said before a login, on one line.
    #[schemars(length(min = 1, max = 200))]
    #[serde(default)]
    pub banner: Option<String>,
    /// The SSH server.
    #[serde(default)]
    pub ssh: SshServer,
    /// Monitoring by SNMP; without it, there is none.
    #[serde(default)]
    pub snmp: Option<Snmp>,
    /// Accounts.
    #[serde(default)]
    pub users: Vec<UserSpec>,
}

/// Time servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ntp {
    /// Their addresses, in the order of preference.
    #[schemars(with = "Vec<super::text::IpText>")]
    pub servers: Vec<IpAddr>,
}

/// Name servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Their addresses, in the order of preference.
    #[schemars(with = "Vec<super::text::IpText>")]
    pub servers: Vec<IpAddr>,
}

/// Where logs are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Syslog {
    /// Addresses of servers; every one gets every message, over UDP (RFC 5426).
    #[schemars(with = "Vec<super::text::IpText>")]
    pub servers: Vec<IpAddr>,
}

/// What the SSH server allows. What is not given is left as the device has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SshServer {
    /// Whether passwords are taken.
    pub password_authentication: Option<bool>,
    /// A session that is idle for longer is closed, in seconds, 30 to 86400.
    #[schemars(range(min = 30, max = 86400))]
    pub idle_timeout_seconds: Option<u32>,
    /// The most sessions that may log in at the same time, 4 to 1000.
    #[schemars(range(min = 4, max = 1000))]
    pub maximum_startups: Option<u16>,
}

/// Monitoring by SNMP version 2c, read only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snmp {
    /// Who may read.
    #[schemars(length(min = 1))]
    pub communities: Vec<SnmpCommunity>,
    /// Where the device stands.
    #[serde(default)]
    pub location: Option<String>,
    /// Whom to call.
    #[serde(default)]
    pub contact: Option<String>,
}

/// A community of SNMP, and from where it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnmpCommunity {
    /// The community, as a reference to a secret such as `env/SNMP_READ`.
    #[schemars(with = "String", extend("format" = "secret"))]
    pub snmp_community: SecretRef,
    /// The addresses that may use it.
    #[schemars(with = "Vec<super::text::PrefixText>", length(min = 1))]
    pub clients: Vec<IpNet>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// The name.
    #[schemars(with = "super::text::NameText")]
    pub name: Name,
    /// Public keys that may log in, each as a line of an `authorized_keys` file without options.
    #[schemars(with = "Vec<super::text::SshPublicKeyText>", length(min = 1))]
    pub ssh_keys: Vec<String>,
}
