//! `Baseline`: services that every device has.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::Name;

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
