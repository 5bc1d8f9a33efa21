//! Access lists: which packets leave an interface.

use std::net::IpAddr;

use weft_device::config::{AclAction, AclEntry, DeviceConfig, InterfaceKind, IpProtocol};
use weft_model::{InterfaceName, Name};

/// A packet that opens a connection, as far as access lists ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Packet {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// The protocol. Without one, the packet is of none of those that access lists name: only entries for any protocol match.
    pub protocol: Option<IpProtocol>,
    /// The destination port. Without one, only entries for any port match.
    pub port: Option<u16>,
}

/// What drops a packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Denial {
    /// The access list.
    pub(crate) acl: Name,
    /// The entry; `None` where none matches.
    pub(crate) entry: Option<Name>,
}

/// What an access list does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged<'c> {
    /// The access list.
    pub acl: &'c Name,
    /// The entry that decides; `None` where none matches, and the list's own action does.
    pub entry: Option<&'c AclEntry>,
    /// Whether the packet passes.
    pub passes: bool,
}

impl Packet {
    /// Returns what the access list of an interface does with the packet on its way out; `None` where there is none. A list that
    /// is not defined is none.
    pub fn judged<'c>(&self, config: &'c DeviceConfig, interface: &InterfaceName) -> Option<Judged<'c>> {
        let acl = config.interfaces.get(interface)?.egress_acl.as_ref()?;
        let set = config.acl_sets.get(acl)?;
        let entry = set.entries.iter().find(|entry| self.matches(entry));
        let action = entry.map_or(set.default_action, |entry| entry.action);
        Some(Judged { acl, entry, passes: action == AclAction::Accept })
    }

    /// Tells whether a device sends the packet itself, which no access list is asked about: they are for packets that are forwarded. An
    /// address of a port for hosts stands for them.
    pub fn is_sent_by(&self, config: &DeviceConfig) -> bool {
        let own = config.interfaces.values().filter(|interface| interface.kind != InterfaceKind::Host);
        own.flat_map(|interface| &interface.addresses).any(|address| address.prefix.addr() == self.source)
    }

    fn matches(&self, entry: &AclEntry) -> bool {
        let within = |prefixes: &[ipnet::IpNet], address| {
            prefixes.is_empty() || prefixes.iter().any(|prefix| prefix.contains(&address))
        };
        let ports = &entry.destination_ports;
        within(&entry.sources, self.source)
            && within(&entry.destinations, self.destination)
            && (entry.protocol.is_none() || entry.protocol == self.protocol)
            && (ports.is_empty() || self.port.is_some_and(|port| ports.iter().any(|range| range.contains(port))))
    }
}

/// Returns what keeps a packet from leaving an interface, if anything does. A list that is not defined keeps nothing.
pub(crate) fn denial(config: &DeviceConfig, interface: &InterfaceName, packet: &Packet) -> Option<Denial> {
    let Judged { acl, entry, passes } = packet.judged(config, interface)?;
    (!passes && !packet.is_sent_by(config))
        .then(|| Denial { acl: acl.clone(), entry: entry.map(|entry| entry.name.clone()) })
}

/// Returns what keeps a packet to an address of a device from those for whom the address stands: on a port for hosts, the hosts
/// behind it.
pub(crate) fn denial_to_hosts(config: &DeviceConfig, packet: &Packet) -> Option<(InterfaceName, Denial)> {
    let has = |addresses: &[weft_device::config::InterfaceAddress]| {
        addresses.iter().any(|address| address.prefix.addr() == packet.destination)
    };
    let mut ports = config.interfaces.iter().filter(|(_, i)| i.kind == InterfaceKind::Host && has(&i.addresses));
    ports.find_map(|(name, _)| Some((name.clone(), denial(config, name, packet)?)))
}
