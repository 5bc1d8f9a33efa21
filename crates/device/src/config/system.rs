//! Host name, name and time servers, users.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{Name, NodeName, Provenance, SecretRef};

/// Services and accounts of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// The host name.
    pub hostname: NodeName,
    /// Time servers, in the order of preference.
    pub ntp_servers: Vec<Server>,
    /// Name servers, in the order of preference.
    pub dns_servers: Vec<Server>,
    /// Servers that get every log message.
    #[serde(default)]
    pub syslog_servers: Vec<Server>,
    /// What is said before a login.
    #[serde(default)]
    pub banner: Option<Banner>,
    /// What the SSH server allows.
    #[serde(default)]
    pub ssh: SshServer,
    /// Monitoring by SNMP.
    #[serde(default)]
    pub snmp: Option<Snmp>,
    /// Accounts by name. Accounts that Weft did not make are not among them and are left alone.
    pub users: BTreeMap<Name, User>,
    /// What caused the host name.
    pub provenance: Provenance,
}

/// What is said before a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// One line.
    pub text: String,
    /// What caused it.
    pub provenance: Provenance,
}

/// What the SSH server allows; `None` leaves what the device has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SshServer {
    /// Whether passwords are taken.
    pub password_authentication: Option<bool>,
    /// A session that is idle for longer is closed, in seconds.
    pub idle_timeout_seconds: Option<u32>,
    /// The most sessions that may log in at the same time.
    pub maximum_startups: Option<u16>,
    /// What caused it.
    pub provenance: Provenance,
}

/// Monitoring by SNMP version 2c, read only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// Who may read, in order.
    pub communities: Vec<SnmpCommunity>,
    /// Where the device stands.
    pub location: Option<String>,
    /// Whom to call.
    pub contact: Option<String>,
    /// What caused it.
    pub provenance: Provenance,
}

/// A community of SNMP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpCommunity {
    /// The community.
    pub community: SecretRef,
    /// The prefixes from which it may be used.
    pub clients: Vec<IpNet>,
    /// What caused it.
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
