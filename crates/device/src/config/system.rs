//! Host name, name and time servers, users.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use weft_model::{Name, NodeName, Provenance};

/// Services and accounts of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// The host name.
    pub hostname: NodeName,
    /// Time servers, in the order of preference.
    pub ntp_servers: Vec<Server>,
    /// Name servers, in the order of preference.
    pub dns_servers: Vec<Server>,
    /// Accounts by name. Accounts that Weft did not make are not among them and are left alone.
    pub users: BTreeMap<Name, User>,
    /// What caused the host name.
    pub provenance: Provenance,
}

/// A server that the device uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its address.
    pub address: IpAddr,
    /// What caused it.
    pub provenance: Provenance,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The keys that may log in.
    pub ssh_keys: Vec<SshKey>,
    /// What caused it.
    pub provenance: Provenance,
}

/// A public key as it stands in an `authorized_keys` file, in its three parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SshKey {
    /// The algorithm, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The key in base64.
    pub key: String,
    /// The comment; may be empty.
    pub comment: String,
}
