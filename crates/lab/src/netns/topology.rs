//! What a lab is built from.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_device::config::AfiSafi;
use weft_model::{InterfaceName, NodeName, PackName, TerminationPoint};

use super::LabError;

/// Longest name of an interface of Linux (`IFNAMSIZ` without the final NUL).
const LONGEST_INTERFACE: usize = 15;
/// Names after the prefix of the lab that are taken.
pub(super) const MANAGEMENT: &str = "mgmt";
pub(super) const UNPLUGGED: &str = "unplugged";

/// The pack of routers that Weft does not manage.
pub const EXTERNAL_PACK: &str = "frr";

/// A lab to be built.
#[derive(Debug, Clone, Default)]
pub struct LabTopology {
    /// The prefix of its namespaces, `a-z`, `0-9` and `-`, up to 24 characters. Two labs that run at the same time need two.
    pub name: String,
    /// The routers that boot bare and are configured over SSH.
    pub devices: BTreeMap<NodeName, NetnsDevice>,
    /// The routers that boot configured and are not managed.
    pub external_routers: BTreeMap<NodeName, ExternalRouter>,
    /// The cables between routers of both kinds.
    pub cables: Vec<[TerminationPoint; 2]>,
    /// The hosts, each with a cable of its own.
    pub hosts: Vec<LabHost>,
}

/// A router that boots bare.
#[derive(Debug, Clone)]
pub struct NetnsDevice {
    /// What it runs: `frr` or `bird`.
    pub pack: PackName,
    /// The address of its interface `mgmt0`. It stands in a subnet of 24 bits (IPv4) or 64 bits (IPv6), in which the client
    /// has the highest address that is free.
    pub management: IpAddr,
    /// Its other interfaces but `lo`. One without a cable is there with nothing plugged in.
    pub interfaces: BTreeSet<InterfaceName>,
    /// The address families for which it is to be able to run OSPF: FRR has a daemon for each.
    pub ospf: BTreeSet<AfiSafi>,
}

/// A router that boots configured.
#[derive(Debug, Clone)]
pub struct ExternalRouter {
    /// What it runs: `frr` or `bird`.
    pub pack: PackName,
    /// Its interfaces but `lo`.
    pub interfaces: BTreeSet<InterfaceName>,
    /// Its configuration: `frr.conf` or `bird.conf`, for `bird` also `addresses.conf` with lines `INTERFACE ADDRESS/LEN`, and
    /// for both `links.conf` with lines `INTERFACE mtu N`. Other files mean nothing to a router that nobody manages.
    pub files: BTreeMap<String, String>,
}

/// A host at a port of a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabHost {
    /// Its name, unlike that of any router.
    pub name: NodeName,
    /// The port that it is plugged into. Its own interface is `eth0`.
    pub port: TerminationPoint,
    /// Its address, with the length of its subnet.
    pub address: IpNet,
    /// Where its default route leads.
    pub gateway: IpAddr,
    /// The same for IPv6, beside an IPv4 address.
    pub ipv6: Option<HostAddress>,
}

/// An address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostAddress {
    /// The address, with the length of its subnet.
    pub address: IpNet,
    /// Where the default route of its family leads.
    pub gateway: IpAddr,
}

impl LabTopology {
    /// Checks that Linux can have these names, that packs are known, and that cables end somewhere and nowhere twice.
    pub(super) fn validate(&self) -> Result<(), LabError> {
        let refuse = |reason: String| Err(LabError::Topology(reason));
        let name_is_good = (1..=24).contains(&self.name.len())
            && !self.name.starts_with('-')
            && self.name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        if !name_is_good {
            return refuse(format!("`{}` is no prefix for namespaces", self.name.escape_debug()));
        }
        let mut nodes: BTreeMap<&str, &BTreeSet<InterfaceName>> = BTreeMap::new();
        let mut addresses = BTreeSet::new();
        let devices = self.devices.iter().map(|(name, device)| (name, &device.pack, &device.interfaces));
        let external = self.external_routers.iter().map(|(name, router)| (name, &router.pack, &router.interfaces));
        for (name, pack, interfaces) in devices.chain(external) {
            if [MANAGEMENT, UNPLUGGED].contains(&name.as_str()) {
                return refuse(format!("a router cannot be called `{name}`"));
            }
            if nodes.insert(name.as_str(), interfaces).is_some() {
                return refuse(format!("`{name}` is there twice"));
            }
            if !["frr", "bird"].contains(&pack.as_str()) {
                return refuse(format!("{name} runs `{pack}`; routers here run `frr` or `bird`"));
            }
            for interface in interfaces {
                let text = interface.as_str();
                if text.len() > LONGEST_INTERFACE || text.contains('/') || ["lo", "mgmt0"].contains(&text) {
                    return refuse(format!("{name} cannot have a port called `{text}` on Linux"));
                }
            }
        }
        for (name, device) in &self.devices {
            if !addresses.insert(device.management) {
                return refuse(format!("the management address {} of {name} is used twice", device.management));
            }
        }
        let mut hosts = BTreeSet::new();
        for host in &self.hosts {
            if nodes.contains_key(host.name.as_str()) || !hosts.insert(&host.name) || host.name.as_str() == MANAGEMENT {
                return refuse(format!("`{}` is there twice", host.name));
            }
        }
        let mut used = BTreeSet::new();
        for end in self.cables.iter().flatten().chain(self.hosts.iter().map(|host| &host.port)) {
            match nodes.get(end.node.as_str()) {
                Some(interfaces) if interfaces.contains(&end.interface) => {}
                _ => return refuse(format!("a cable ends at {end}, which is not there")),
            }
            if !used.insert(end) {
                return refuse(format!("two cables end at {end}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> TerminationPoint {
        let (node, interface) = text.split_once(':').unwrap();
        TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
    }

    fn two_routers() -> LabTopology {
        let device = |management: &str| NetnsDevice {
            pack: "frr".parse().unwrap(),
            management: management.parse().unwrap(),
            interfaces: ["swp1", "swp2"].iter().map(|name| name.parse().unwrap()).collect(),
            ospf: BTreeSet::new(),
        };
        LabTopology {
            name: "t".to_owned(),
            devices: [("a".parse().unwrap(), device("10.0.0.1")), ("b".parse().unwrap(), device("10.0.0.2"))].into(),
            cables: vec![[end("a:swp1"), end("b:swp1")]],
            ..LabTopology::default()
        }
    }

    #[test]
    fn what_cannot_be_built_is_refused_with_the_reason() {
        two_routers().validate().unwrap();
        type Change = fn(&mut LabTopology);
        let cases: [(&str, Change); 6] = [
            ("no prefix for namespaces", |t| t.name = "a/b".to_owned()),
            ("two cables end at b:swp1", |t| t.cables.push([end("a:swp2"), end("b:swp1")])),
            ("which is not there", |t| t.cables.push([end("a:swp2"), end("b:swp7")])),
            ("used twice", |t| {
                for device in t.devices.values_mut() {
                    device.management = "10.0.0.1".parse().unwrap();
                }
            }),
            ("routers here run", |t| {
                for device in t.devices.values_mut() {
                    device.pack = "loom".parse().unwrap();
                }
            }),
            ("on Linux", |t| {
                for device in t.devices.values_mut() {
                    device.interfaces.insert("Ethernet1/1".parse().unwrap());
                }
            }),
        ];
        for (reason, change) in cases {
            let mut topology = two_routers();
            change(&mut topology);
            let error = topology.validate().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
