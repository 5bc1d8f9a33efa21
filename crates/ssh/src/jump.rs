//! Jump hosts: what an inventory says of them, and the way to a device that follows from it.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};
use weft_model::SecretRef;

use crate::Algorithms;

/// The port of an SSH server that nobody has moved.
const SSH_PORT: u16 = 22;

/// A name or an address, and a port: `bastion.example.net`, `192.0.2.1:2222`, `[2001:db8::1]:22`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// The name or the address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// Returns the host as it stands in a file of host keys.
    pub(crate) fn known_as(&self) -> String {
        match self.port {
            SSH_PORT => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{}` is no `host` or `host:port`", text.escape_debug());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) })
            }
            // More than one colon: an IPv6 address without brackets, and so without a port.
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        let port = port.map_or(Some(SSH_PORT), |port| port.parse().ok()).filter(|port| *port != 0).ok_or_else(wrong)?;
        if host.is_empty() || !host.chars().all(plain) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A jump host of an inventory. Relative paths are relative to the folder of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JumpHost {
    /// Where its SSH server listens; the port is 22 unless another one is named.
    pub address: Endpoint,
    /// The user that logs in; `None` for the one of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The private key that logs in; `None` for the SSH agent, or the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// The secret that is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// The file with the host keys that are trusted; `None` for the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// What it is offered besides the safe algorithms.
    #[serde(default, skip_serializing_if = "is_default")]
    pub algorithms: Algorithms,
    /// The jump hosts on the way to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub jump: Vec<String>,
    /// How many devices behind it are worked on at the same time; `None` for no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u16>,
}

/// A jump host on the way to a device, with all that it takes to log in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// As the inventory names it.
    pub name: String,
    /// The host. Its `user` is there, and its `jump` has no meaning any more.
    pub host: JumpHost,
    /// The user that logs in.
    pub user: String,
}

/// Takes one text for a list of one.
pub(crate) fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a jump host or a list of them")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
