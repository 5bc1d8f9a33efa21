//! Statements to a device's configuration, and what is wrong with the whole.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
};

use weft_device::config::{
    AclAction, AclEntry, AclSet, AfiSafi, Bgp, CommunitySet, Conditions, DeviceConfig, Interface, InterfaceAddress,
    InterfaceKind, Neighbor, NeighborTarget, Network, PeerType, PolicyDefinition, PrefixMatch, PrefixSet, Server,
    SshServer, Statement, StaticNextHop, StaticRoute, System, Transformations, User,
};
use weft_model::{Asn, BehaviorProfile, Community, InterfaceName, Name, NodeName, PackName, Provenance, SecretRef};

use super::{Line, Mistake, Section, Text};

/// Turns statements into a configuration that says nothing of where it came from. `device` is the device's own name,
/// whatever its host name.
///
/// # Errors
/// Returns everything that is wrong with the whole: duplicates, references to what is not defined, what is missing.
pub(crate) fn interpret(device: &NodeName, pack: &PackName, text: &Text) -> Result<DeviceConfig, Vec<Mistake>> {
    let mut interpretation =
        Interpretation { config: empty(device, pack), references: Vec::new(), mistakes: text.duplicates() };
    for section in &text.sections {
        interpretation.top(section);
    }
    interpretation.references();
    interpretation.outgoing_interfaces();
    interpretation.addresses();
    let Interpretation { config, mut mistakes, .. } = interpretation;
    mistakes.sort_by_key(|mistake| mistake.number);
    if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
}

/// Returns the configuration of a device that was never configured.
fn empty(device: &NodeName, pack: &PackName) -> DeviceConfig {
    DeviceConfig {
        device: device.clone(),
        pack: pack.clone(),
        profile: BehaviorProfile::default(),
        system: System {
            hostname: device.clone(),
            ntp_servers: Vec::new(),
            dns_servers: Vec::new(),
            syslog_servers: Vec::new(),
            banner: None,
            ssh: SshServer::default(),
            snmp: None,
            users: BTreeMap::new(),
            provenance: Provenance::default(),
        },
        interfaces: BTreeMap::new(),
        routing_policy: weft_device::config::RoutingPolicy::default(),
        static_routes: BTreeMap::new(),
        bgp: None,
        ospf: None,
        acl_sets: BTreeMap::new(),
    }
}

/// Something that a statement names and another must define.
pub(super) enum Reference {
    Acl(Name),
    PrefixSet(Name),
    CommunitySet(Name),
    Policy(Name),
    Interface(InterfaceName),
}

pub(super) struct Interpretation {
    pub(super) config: DeviceConfig,
    pub(super) references: Vec<(usize, Reference)>,
    mistakes: Vec<Mistake>,
}

impl Interpretation {
    pub(super) fn mistake(&mut self, section: &Section, what: impl Into<String>) {
        self.mistakes.push(Mistake { number: section.number, what: what.into() });
    }

    fn top(&mut self, section: &Section) {
        let provenance = Provenance::default;
        match &section.line {
            Line::Hostname(name) => self.config.system.hostname = name.clone(),
            Line::NtpServer(address) => {
                self.config.system.ntp_servers.push(Server { address: *address, provenance: provenance() });
            }
            Line::DnsServer(address) => {
                self.config.system.dns_servers.push(Server { address: *address, provenance: provenance() });
            }
            Line::User(name) => {
                let keys = section.sections.iter().filter_map(|section| match &section.line {
                    Line::SshKey(key) => Some(key.clone()),
                    _ => None,
                });
                let user = User { ssh_keys: keys.collect(), provenance: provenance() };
                self.config.system.users.insert(name.clone(), user);
            }
            Line::Interface(name) => self.interface(name, section),
            Line::PrefixSet(name) => {
                let entries = section.sections.iter().filter_map(|section| match section.line {
                    Line::PrefixSetEntry { prefix, least, greatest } => Some(PrefixMatch {
                        prefix,
                        least_length: least,
                        greatest_length: greatest,
                        provenance: provenance(),
                    }),
                    _ => None,
                });
                let set = PrefixSet { prefixes: entries.collect(), provenance: provenance() };
                self.config.routing_policy.prefix_sets.insert(name.clone(), set);
            }
            Line::CommunitySet(name) => self.community_set(name, section),
            Line::Policy(name) => self.policy(name, section),
            Line::StaticRoute(prefix) => {
                let route = StaticRoute { next_hop: StaticNextHop::Discard, provenance: provenance() };
                self.config.static_routes.insert(*prefix, route);
            }
            Line::Acl { name, default_action } => self.acl(name, *default_action, section),
            Line::Bgp(asn) => self.bgp(*asn, section),
            Line::Ospf => self.ospf(section),
            // Statements of other sections do not stand here.
            _ => {}
        }
    }

    fn interface(&mut self, name: &InterfaceName, section: &Section) {
        let kind = if *name == InterfaceName::loopback() { InterfaceKind::Loopback } else { InterfaceKind::External };
        let mut interface = Interface {
            kind,
            description: String::new(),
            mtu: None,
            addresses: Vec::new(),
            unnumbered: false,
            egress_acl: None,
            provenance: Provenance::default(),
        };
        for section in &section.sections {
            match &section.line {
                Line::Description(text) => interface.description.clone_from(text),
                Line::Mtu(mtu) => interface.mtu = Some(*mtu),
                Line::Address(prefix) => {
                    interface.addresses.push(InterfaceAddress { prefix: *prefix, provenance: Provenance::default() });
                }
                Line::Unnumbered => interface.unnumbered = true,
                Line::EgressAcl(name) => {
                    self.references.push((section.number, Reference::Acl(name.clone())));
                    interface.egress_acl = Some(name.clone());
                }
                _ => {}
            }
        }
        interface.addresses.sort_by_key(|address| address.prefix);
        self.config.interfaces.insert(name.clone(), interface);
    }

    fn acl(&mut self, name: &Name, default_action: AclAction, section: &Section) {
        let mut entries: Vec<AclEntry> = Vec::new();
        for section in &section.sections {
            if let Line::AclEntry(entry) = &section.line {
                entries.push(entry.clone());
            }
        }
        entries.sort_by_key(|entry| entry.sequence);
        let set = AclSet { entries, default_action, provenance: Provenance::default() };
        self.config.acl_sets.insert(name.clone(), set);
    }

    fn community_set(&mut self, name: &Name, section: &Section) {
        let entries = section.sections.iter().filter_map(|section| match section.line {
            Line::CommunitySetEntry(community) => Some(community),
            _ => None,
        });
        let communities: Vec<Community> = entries.collect();
        let large = communities.iter().filter(|community| matches!(community, Community::Large(..))).count();
        if large != 0 && large != communities.len() {
            self.mistake(section, format!("community-set {name} has communities of both kinds"));
        }
        let set = CommunitySet { communities, provenance: Provenance::default() };
        self.config.routing_policy.community_sets.insert(name.clone(), set);
    }

    fn policy(&mut self, name: &Name, section: &Section) {
        let mut statements = Vec::new();
        for section in &section.sections {
            let Line::Statement { sequence, action } = section.line else { continue };
            let mut conditions = Conditions::default();
            let mut transformations = Transformations::default();
            for section in &section.sections {
                let mut refer = |reference| self.references.push((section.number, reference));
                match &section.line {
                    Line::MatchPrefixSet(set) => {
                        refer(Reference::PrefixSet(set.clone()));
                        conditions.prefix_set = Some(set.clone());
                    }
                    Line::MatchCommunitySet(set) => {
                        refer(Reference::CommunitySet(set.clone()));
                        conditions.community_set = Some(set.clone());
                    }
                    Line::RemoveCommunities(set) => {
                        refer(Reference::CommunitySet(set.clone()));
                        transformations.remove_communities = Some(set.clone());
                    }
                    Line::AddCommunity(community) => transformations.add_communities.push(*community),
                    Line::LocalPreference(preference) => transformations.local_preference = Some(*preference),
                    Line::Med(med) => transformations.med = Some(*med),
                    Line::Prepend(prepend) => transformations.prepend = Some(*prepend),
                    _ => {}
                }
            }
            statements.push(Statement {
                sequence,
                conditions,
                transformations,
                action,
                provenance: Provenance::default(),
            });
        }
        statements.sort_by_key(|statement| statement.sequence);
        let policy = PolicyDefinition { statements, provenance: Provenance::default() };
        self.config.routing_policy.policy_definitions.insert(name.clone(), policy);
    }

    fn bgp(&mut self, asn: Asn, section: &Section) {
        let mut router_id = None;
        let mut cluster_id = None;
        let mut maximum_paths = 1;
        let mut networks = BTreeMap::new();
        let mut neighbors = BTreeMap::new();
        for section in &section.sections {
            match &section.line {
                Line::RouterId(id) => router_id = Some(*id),
                Line::ClusterId(id) => cluster_id = Some(*id),
                Line::MaximumPaths(paths) => maximum_paths = *paths,
                Line::Network(prefix) => {
                    networks.insert(*prefix, Network { provenance: Provenance::default() });
                }
                Line::Neighbor(target) => {
                    if let Some(neighbor) = self.neighbor(target, section) {
                        neighbors.insert(target.clone(), neighbor);
                    }
                }
                _ => {}
            }
        }
        match router_id {
            Some(router_id) => {
                let provenance = Provenance::default();
                self.config.bgp =
                    Some(Bgp { asn, router_id, cluster_id, maximum_paths, networks, neighbors, provenance });
            }
            None => self.mistake(section, "bgp has no router-id"),
        }
    }

    fn neighbor(&mut self, target: &NeighborTarget, section: &Section) -> Option<Neighbor> {
        let peer_as = section.sections.iter().find_map(|section| match section.line {
            Line::RemoteAs(asn) => Some(asn),
            _ => None,
        });
        let Some(peer_as) = peer_as else {
            self.mistake(section, format!("neighbor {target} has no remote-as"));
            return None;
        };
        let mut interface = None;
        let mut neighbor = Neighbor {
            description: String::new(),
            interface: InterfaceName::loopback(),
            peer_as,
            local_address: None,
            route_reflector_client: false,
            next_hop_self: false,
            peer_type: PeerType::Internal,
            timers: None,
            bfd: None,
            authentication: None,
            import_policy: None,
            export_policy: None,
            maximum_prefixes: None,
            afi_safis: [AfiSafi::Ipv4Unicast].into(),
            provenance: Provenance::default(),
        };
        for section in &section.sections {
            match &section.line {
                Line::Description(text) => neighbor.description.clone_from(text),
                Line::OutgoingInterface(name) => interface = Some((section.number, name.clone())),
                Line::LocalAddress(address) => neighbor.local_address = Some(*address),
                Line::RouteReflectorClient => neighbor.route_reflector_client = true,
                Line::NextHopSelf => neighbor.next_hop_self = true,
                Line::External => neighbor.peer_type = PeerType::External,
                Line::Timers(timers) => neighbor.timers = Some(*timers),
                Line::Bfd(bfd) => neighbor.bfd = Some(*bfd),
                Line::Password(key) => neighbor.authentication = key_reference(key),
                Line::ImportPolicy(name) => {
                    self.references.push((section.number, Reference::Policy(name.clone())));
                    neighbor.import_policy = Some(name.clone());
                }
                Line::ExportPolicy(name) => {
                    self.references.push((section.number, Reference::Policy(name.clone())));
                    neighbor.export_policy = Some(name.clone());
                }
                Line::MaximumPrefixes(count) => neighbor.maximum_prefixes = Some(*count),
                Line::Families(families) => neighbor.afi_safis.clone_from(families),
                _ => {}
            }
        }
        match (target, interface) {
            (NeighborTarget::Interface(name), None) => {
                self.references.push((section.number, Reference::Interface(name.clone())));
                neighbor.interface = name.clone();
            }
            (NeighborTarget::Interface(_), Some(_)) => {
                self.mistake(section, format!("neighbor {target} is named by its interface and needs no other"));
            }
            (NeighborTarget::Address(_), Some((number, name))) => {
                self.references.push((number, Reference::Interface(name.clone())));
                neighbor.interface = name;
            }
            // Found by the subnet once all interfaces are known.
            (NeighborTarget::Address(_), None) => {}
        }
        Some(neighbor)
    }

    /// Looks up what is named.
    fn references(&mut self) {
        let policy = &self.config.routing_policy;
        for (number, reference) in &self.references {
            let (defined, what) = match reference {
                Reference::Acl(name) => (self.config.acl_sets.contains_key(name), format!("acl {name}")),
                Reference::PrefixSet(name) => (policy.prefix_sets.contains_key(name), format!("prefix-set {name}")),
                Reference::CommunitySet(name) => {
                    (policy.community_sets.contains_key(name), format!("community-set {name}"))
                }
                Reference::Policy(name) => (policy.policy_definitions.contains_key(name), format!("policy {name}")),
                Reference::Interface(name) => (self.config.interfaces.contains_key(name), format!("interface {name}")),
            };
            if !defined {
                self.mistakes.push(Mistake { number: *number, what: format!("{what} is not defined") });
            }
        }
    }

    /// Finds the interface that leads to each neighbor without one.
    fn outgoing_interfaces(&mut self) {
        let Some(bgp) = &mut self.config.bgp else { return };
        for (target, neighbor) in &mut bgp.neighbors {
            let NeighborTarget::Address(address) = target else { continue };
            // A session from an address of the device's own leads wherever the routes do.
            if neighbor.interface != InterfaceName::loopback() || neighbor.local_address.is_some() {
                continue;
            }
            let on_subnet = |interface: &Interface| interface.addresses.iter().any(|own| own.prefix.contains(address));
            match self.config.interfaces.iter().find(|(_, interface)| on_subnet(interface)) {
                Some((name, _)) => neighbor.interface = name.clone(),
                None => self
                    .mistakes
                    .push(Mistake { number: 0, what: format!("neighbor {target} is on the subnet of no interface") }),
            }
        }
    }

    /// Looks for an address that two interfaces have.
    fn addresses(&mut self) {
        let mut known: BTreeMap<IpAddr, &InterfaceName> = BTreeMap::new();
        for (name, interface) in &self.config.interfaces {
            for address in &interface.addresses {
                if let Some(other) = known.insert(address.prefix.addr(), name) {
                    let what = format!("{} is the address of both {other} and {name}", address.prefix.addr());
                    self.mistakes.push(Mistake { number: 0, what });
                }
            }
        }
    }
}

/// Returns a reference that is the same for the same key and does not tell it.
pub(super) fn key_reference(key: &str) -> Option<SecretRef> {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    format!("env/KEY_{:016X}", hasher.finish()).parse().ok()
}
