//! Where devices are and how one logs in.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use weft_model::{NodeName, PackName, SecretRef};

use crate::{
    Algorithms, Hop, JumpHost,
    jump::{is_default, one_or_many},
};

/// How every device is reached. A lab writes one; a user writes one where the management addresses of the pools, port 22
/// and the user's own SSH agent do not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// The devices by name.
    #[serde(default)]
    pub devices: BTreeMap<NodeName, Target>,
    /// The jump hosts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub jumps: BTreeMap<String, JumpHost>,
    /// How many devices of one site are worked on at the same time; `None` for no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_per_site: Option<u16>,
}

/// How one device is reached. Relative paths are relative to the folder of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Where its SSH server listens.
    pub address: SocketAddr,
    /// The user that logs in.
    pub user: String,
    /// The private key that logs in; `None` for the SSH agent, or the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// The secret that is the password, for devices that take no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// The file with the host keys that are trusted; `None` for the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// What it is offered besides the safe algorithms.
    #[serde(default, skip_serializing_if = "is_default")]
    pub algorithms: Algorithms,
    /// The jump hosts on the way, the first one first: names of [`Inventory::jumps`], or `[user@]host[:port]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub jump: Vec<String>,
    /// Those with all that it takes to log in there; [`Inventory::resolve`] finds it.
    #[serde(skip)]
    pub hops: Vec<Hop>,
    /// The network namespace from which the connection starts, such as `/run/netns/weft-mgmt`; needs root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_namespace: Option<PathBuf>,
    /// The pack of the OS that runs there, where it is not the one that the intents name: an emulated lab runs one OS for
    /// all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackName>,
}

impl Target {
    /// Returns a device that is reached without a detour, by the keys of the SSH agent.
    pub fn new(address: SocketAddr, user: impl Into<String>) -> Self {
        Self {
            address,
            user: user.into(),
            identity: None,
            password: None,
            known_hosts: None,
            algorithms: Algorithms::default(),
            jump: Vec::new(),
            hops: Vec::new(),
            network_namespace: None,
            pack: None,
        }
    }
}

impl Inventory {
    /// Makes the paths of files absolute, from the folder of the inventory, and finds the jump hosts on the way to each device.
    ///
    /// # Errors
    /// Says which device names a jump host that is none, or that is behind itself.
    pub fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        // Joining keeps a path that is absolute already.
        let absolute = |paths: [&mut Option<PathBuf>; 3]| {
            for path in paths.into_iter().flatten() {
                *path = folder.join(&*path);
            }
        };
        for host in self.jumps.values_mut() {
            absolute([&mut host.identity, &mut host.known_hosts, &mut None]);
        }
        for (device, target) in &mut self.devices {
            absolute([&mut target.identity, &mut target.known_hosts, &mut target.network_namespace]);
            let mut hops = Vec::new();
            way(&self.jumps, &target.jump, target, &mut Vec::new(), &mut hops)
                .map_err(|reason| format!("devices.{device}.jump: {reason}"))?;
            target.hops = hops;
        }
        Ok(())
    }
}

/// Adds the jump hosts that are named, each behind those on the way to it.
fn way<'a>(
    jumps: &'a BTreeMap<String, JumpHost>,
    names: &'a [String],
    target: &Target,
    within: &mut Vec<&'a str>,
    hops: &mut Vec<Hop>,
) -> Result<(), String> {
    for name in names {
        if within.contains(&name.as_str()) {
            return Err(format!("the jump host `{}` is behind itself", name.escape_debug()));
        }
        let host = match jumps.get(name) {
            Some(host) => {
                within.push(name);
                way(jumps, &host.jump, target, within, hops)?;
                within.pop();
                host.clone()
            }
            None => written_out(name, target)?,
        };
        let user = host.user.clone().unwrap_or_else(|| target.user.clone());
        hops.push(Hop { name: name.clone(), host, user });
    }
    Ok(())
}

/// Reads `[user@]host[:port]`; the rest is as for the device.
fn written_out(text: &str, target: &Target) -> Result<JumpHost, String> {
    let (user, address) = match text.split_once('@') {
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, text),
    };
    // A word alone is more likely a name that is not there than a host.
    if user.is_none() && !text.contains(['.', ':']) {
        return Err(format!(
            "there is no jump host `{}` in `jumps`, and it is no `[user@]host[:port]`",
            text.escape_debug()
        ));
    }
    Ok(JumpHost {
        address: address.parse()?,
        user,
        identity: target.identity.clone(),
        password: None,
        known_hosts: target.known_hosts.clone(),
        algorithms: Algorithms::default(),
        jump: Vec::new(),
        concurrency: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Inventory, String> {
        let mut inventory: Inventory = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        inventory.resolve(Path::new("/etc/weft")).map(|()| inventory)
    }

    #[test]
    fn jump_hosts_stand_in_the_order_of_the_way() {
        let inventory = resolved(
            "jumps:\n  outer: { address: outer.example.net, user: ops, known_hosts: hosts }\n  \
             inner: { address: \"192.0.2.7:2222\", jump: outer }\n\
             devices:\n  a: { address: \"10.0.0.1:22\", user: weft, jump: inner }\n  \
             b: { address: \"10.0.0.2:22\", user: weft, identity: key, jump: [\"me@[2001:db8::1]:23\", outer] }\n",
        )
        .unwrap();
        let way = |device: &str| {
            let hops = inventory.devices[device].hops.iter();
            hops.map(|hop| format!("{} {}@{}", hop.name, hop.user, hop.host.address)).collect::<Vec<_>>()
        };
        assert_eq!(way("a"), ["outer ops@outer.example.net:22", "inner weft@192.0.2.7:2222"]);
        assert_eq!(way("b"), ["me@[2001:db8::1]:23 me@[2001:db8::1]:23", "outer ops@outer.example.net:22"]);
        let hops = &inventory.devices["b"].hops;
        assert_eq!(hops[0].host.identity.as_deref(), Some(Path::new("/etc/weft/key")));
        assert_eq!(hops[1].host.known_hosts.as_deref(), Some(Path::new("/etc/weft/hosts")));
    }

    #[test]
    fn what_is_no_jump_host_is_said() {
        let device = "devices:\n  a: { address: \"10.0.0.1:22\", user: weft, jump: ";
        for (text, expected) in [
            ("bastion", "devices.a.jump: there is no jump host `bastion` in `jumps`"),
            ("\"me@host:0\"", "devices.a.jump: `host:0` is no `host` or `host:port`"),
            ("\"me@ho st\"", "devices.a.jump: `ho st` is no `host` or `host:port`"),
            ("{ a: b }", "a jump host or a list of them"),
        ] {
            let error = resolved(&format!("{device}{text} }}\n")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let ring = "jumps:\n  x: { address: x.net, jump: y }\n  y: { address: y.net, jump: x }\n";
        let error = resolved(&format!("{ring}{device}x }}\n")).unwrap_err();
        assert_eq!(error, "devices.a.jump: the jump host `x` is behind itself");
    }
}
