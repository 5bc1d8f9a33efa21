//! BGP sessions: which come up, and what is needed to exchange routes over them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use weft_device::{
    config::{AfiSafi, Bgp, DeviceConfig, Interface, Neighbor, NeighborTarget, PeerType},
    state::{NextHop, SessionState},
};
use weft_model::{GracefulShutdown, InterfaceName, Ipv6NextHop, Name, NodeName, RouteSource};

use crate::{
    Failed,
    cabling::Cabling,
    internal::Ways,
    policy::{Policies, PolicyId},
};

/// An established session, seen from one of its ends.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// How the near end names the far one.
    pub(crate) target: &'a NeighborTarget,
    /// The near end's configuration of it.
    pub(crate) neighbor: &'a Neighbor,
    /// The node at the far end.
    pub(crate) peer: u32,
    /// How the far end names the near one.
    pub(crate) peer_target: &'a NeighborTarget,
    /// What the near end does with routes it announces.
    pub(crate) export: PolicyId,
    /// What happens to routes that it receives.
    pub(crate) sort: SortId,
    /// Whether BFD runs at both ends.
    pub(crate) bfd: bool,
    /// Whether the near end sends IPv6 packets to the address of the far one that the session names.
    by_address: bool,
}

impl Session<'_> {
    /// Returns the address of the far end, if the session is between addresses.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.target {
            NeighborTarget::Address(address) => Some(*address),
            NeighborTarget::Interface(_) => None,
        }
    }

    /// Returns the interface that leads to the far end.
    pub(crate) fn interface(&self) -> &InterfaceName {
        outgoing(self.target, self.neighbor)
    }

    /// Returns how packets reach the far end.
    pub(crate) fn next_hop(&self) -> NextHop {
        let via = self.address().filter(|address| address.is_ipv4() || self.by_address);
        NextHop::Interface { interface: self.interface().clone(), via }
    }
}

/// A sort of sessions, as its number in [`Sessions`].
pub(crate) type SortId = u32;

/// What happens to routes on their way over a session, seen from the end that receives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Sort {
    /// What the far end does with routes it announces.
    pub(crate) peer_export: PolicyId,
    /// What the near end does with routes it receives.
    pub(crate) import: PolicyId,
    /// What the near end does with a route that is about to go away.
    pub(crate) graceful_shutdown: GracefulShutdown,
    /// The address families that both ends exchange: IPv4 and IPv6.
    families: [bool; 2],
}

impl Sort {
    /// Tells whether routes of an address family go over the sessions.
    pub(crate) fn carries(&self, ipv6: bool) -> bool {
        self.families[usize::from(ipv6)]
    }
}

/// A session as the decision process sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The node at the far end.
    pub(crate) peer: u32,
    /// What happens to routes that are received.
    pub(crate) sort: SortId,
}

/// A device, with what routing needs.
#[derive(Debug)]
pub(crate) struct Speaker<'a> {
    /// Its AS, 0 where it has no BGP.
    pub(crate) asn: u32,
    /// Its router id.
    pub(crate) router_id: Ipv4Addr,
    /// The cluster in which it reflects routes.
    pub(crate) cluster_id: Ipv4Addr,
    /// The most equal-cost paths that it uses, at least 1 where it has BGP.
    pub(crate) maximum_paths: usize,
    /// Whether a route of OSPF comes before one that another AS told, and before one that its own AS told.
    pub(crate) prefers_ospf: [bool; 2],
    /// Which BGP routes go into OSPF, if any do.
    pub(crate) redistribute: Option<PolicyId>,
    /// Its established sessions, the one preferred among equal paths first: lowest router id of the peer, then lowest
    /// neighbor (RFC 4271 9.1.2.2 f and g).
    pub(crate) sessions: Vec<Session<'a>>,
    /// Those of its sessions that lead to external neighbors.
    pub(crate) external: Vec<u16>,
    /// The state of every session, in the order of the neighbors.
    pub(crate) states: Vec<SessionState>,
}

impl Speaker<'_> {
    /// Returns a device without BGP.
    fn silent() -> Self {
        Self {
            asn: 0,
            router_id: Ipv4Addr::UNSPECIFIED,
            cluster_id: Ipv4Addr::UNSPECIFIED,
            maximum_paths: 0,
            prefers_ospf: [false, false],
            redistribute: None,
            sessions: Vec::new(),
            external: Vec::new(),
            states: Vec::new(),
        }
    }

    /// Tells whether a session of it is with a router of its own AS.
    pub(crate) fn is_internal(&self, session: &Session<'_>) -> bool {
        session.neighbor.peer_as.get() == self.asn
    }
}

/// Returns the ends of the sessions between loopbacks, as prefixes.
pub(crate) fn loopbacks(configs: &BTreeMap<&NodeName, &DeviceConfig>) -> BTreeSet<IpNet> {
    let neighbors = configs.values().flat_map(|config| &config.bgp).flat_map(|bgp| bgp.neighbors.values());
    neighbors.filter_map(|neighbor| neighbor.local_address.map(IpNet::from)).collect()
}

/// The devices with their sessions.
#[derive(Debug)]
pub(crate) struct Sessions<'a> {
    /// The devices.
    pub(crate) speakers: Vec<Speaker<'a>>,
    /// The sorts of sessions, each once.
    pub(crate) sorts: Vec<Sort>,
    /// The sessions of all devices, one after the other, apart from what decisions do not look at.
    links: Vec<Link>,
    /// Where the sessions of each device begin, and at last where they end.
    first: Vec<u32>,
    /// The ASes that a device may find on a path that is no longer than its own: those that several devices share, and those
    /// that one puts before paths in the place of another. What passed a device with an AS for itself is longer than the path of that
    /// device, and is not taken for that alone.
    pub(crate) ambiguous: Arc<FxHashSet<u32>>,
}

/// Sessions that an end has closed for having received too many prefixes.
pub(crate) type Closed = BTreeSet<(NodeName, NeighborTarget)>;

impl<'a> Sessions<'a> {
    /// Returns the devices with their sessions, in the order of `configs`, which holds no failed one.
    pub(crate) fn new(
        configs: &BTreeMap<&'a NodeName, &'a DeviceConfig>,
        cabling: &Cabling<'a>,
        failed: &Failed,
        closed: &Closed,
        ways: &Ways<'_>,
        policies: &mut Policies,
    ) -> Self {
        let mut making = Making {
            fabric: Fabric {
                devices: (0..).zip(configs).map(|(number, (name, config))| (*name, (number, *config))).collect(),
                cabling,
                failed,
                owners: owners(configs),
                ways,
            },
            closed,
            policies,
            named: FxHashMap::default(),
            sorts: Vec::new(),
            known: FxHashMap::default(),
            foreign: FxHashSet::default(),
        };
        let speakers: Vec<Speaker<'a>> =
            (0..).zip(configs).map(|(device, (name, config))| making.speaker(device, name, config)).collect();
        let Making { sorts, foreign, .. } = making;
        let mut ambiguous = foreign;
        let mut seen = FxHashSet::default();
        ambiguous.extend(speakers.iter().map(|speaker| speaker.asn).filter(|asn| !seen.insert(*asn)));
        let mut first = vec![0];
        let mut links = Vec::new();
        for speaker in &speakers {
            links.extend(speaker.sessions.iter().map(|session| Link { peer: session.peer, sort: session.sort }));
            first.push(links.len() as u32);
        }
        Self { speakers, sorts, links, first, ambiguous: Arc::new(ambiguous) }
    }

    /// Tells whether every device takes a route that is about to go away as the last one.
    pub(crate) fn honor_graceful_shutdown(&self) -> bool {
        self.sorts.iter().all(|sort| sort.graceful_shutdown == GracefulShutdown::Honored)
    }

    /// Tells whether some session is between routers of one AS.
    pub(crate) fn are_internal(&self) -> bool {
        self.speakers.iter().any(|speaker| speaker.sessions.iter().any(|session| speaker.is_internal(session)))
    }

    /// Returns the number of devices.
    pub(crate) fn len(&self) -> usize {
        self.speakers.len()
    }

    /// Returns the sessions of a device.
    pub(crate) fn links(&self, device: usize) -> &[Link] {
        &self.links[self.first[device] as usize..self.first[device + 1] as usize]
    }
}

/// Sessions while they are being made.
struct Making<'m, 'a> {
    fabric: Fabric<'m, 'a>,
    closed: &'m Closed,
    policies: &'m mut Policies,
    /// The policies of devices, by their names there.
    named: FxHashMap<(u32, Option<&'a Name>), PolicyId>,
    sorts: Vec<Sort>,
    known: FxHashMap<Sort, SortId>,
    /// ASes that a device puts before paths and that are not its own.
    foreign: FxHashSet<u32>,
}

impl<'a> Making<'_, 'a> {
    fn speaker(&mut self, device: u32, name: &'a NodeName, config: &'a DeviceConfig) -> Speaker<'a> {
        let Some(bgp) = &config.bgp else {
            return Speaker::silent();
        };
        let behavior = &config.profile.behavior;
        let mut sessions = Vec::with_capacity(bgp.neighbors.len());
        let mut states = Vec::with_capacity(bgp.neighbors.len());
        for (target, neighbor) in &bgp.neighbors {
            let far = self.fabric.far_end(name, config, bgp, target, neighbor);
            let closed = |node: &NodeName, target: &NeighborTarget| {
                !self.closed.is_empty() && self.closed.contains(&(node.clone(), target.clone()))
            };
            let state = match &far {
                Err(state) => *state,
                Ok(_) if closed(name, target) => SessionState::Idle,
                Ok(far) if closed(&far.config.device, far.target) => SessionState::Active,
                Ok(_) => SessionState::Established,
            };
            states.push(state);
            let (Ok(far), SessionState::Established) = (far, state) else { continue };
            let sort = Sort {
                peer_export: self.policy(far.node, far.config, far.neighbor.export_policy.as_ref()),
                import: self.policy(device, config, neighbor.import_policy.as_ref()),
                graceful_shutdown: behavior.graceful_shutdown,
                families: exchanged(target, neighbor, far.neighbor),
            };
            let session = Session {
                target,
                neighbor,
                peer: far.node,
                peer_target: far.target,
                export: self.policy(device, config, neighbor.export_policy.as_ref()),
                sort: self.sort(sort),
                bfd: neighbor.bfd.is_some() && far.neighbor.bfd.is_some(),
                by_address: behavior.ipv6_next_hop == Ipv6NextHop::Global,
            };
            sessions.push((far.router_id, session));
        }
        sessions.sort_by(|(a_id, a), (b_id, b)| (a_id, a.target).cmp(&(b_id, b.target)));
        let sessions: Vec<Session<'_>> = sessions.into_iter().map(|(_, session)| session).collect();
        let external = (0..).zip(&sessions).filter(|(_, session)| session.neighbor.peer_type == PeerType::External);
        let external = external.map(|(index, _)| index).collect();
        let order = behavior.preference(bgp.neighbors.values().any(|neighbor| neighbor.peer_as == bgp.asn));
        let redistribute = config.ospf.as_ref().and_then(|ospf| ospf.redistribute_bgp.as_ref());
        Speaker {
            redistribute: redistribute.map(|policy| self.policy(device, config, Some(policy))),
            asn: bgp.asn.get(),
            router_id: bgp.router_id,
            cluster_id: bgp.cluster_id.unwrap_or(bgp.router_id),
            maximum_paths: behavior.paths(bgp.maximum_paths),
            prefers_ospf: [RouteSource::Ebgp, RouteSource::Ibgp].map(|of_bgp| order.prefers(RouteSource::Ospf, of_bgp)),
            external,
            sessions,
            states,
        }
    }

    /// Returns the id of a policy of a device.
    fn policy(&mut self, device: u32, config: &'a DeviceConfig, name: Option<&'a Name>) -> PolicyId {
        if let Some(&known) = self.named.get(&(device, name)) {
            return known;
        }
        let policy = self.policies.intern(name, &config.routing_policy);
        let own = config.bgp.as_ref().map(|bgp| bgp.asn.get());
        self.foreign.extend(self.policies.prepended(policy).filter(|asn| Some(*asn) != own));
        self.named.insert((device, name), policy);
        policy
    }

    fn sort(&mut self, sort: Sort) -> SortId {
        *self.known.entry(sort).or_insert_with(|| {
            self.sorts.push(sort);
            self.sorts.len() as SortId - 1
        })
    }
}

/// Returns the interface that leads to a neighbor.
pub(crate) fn outgoing<'a>(target: &'a NeighborTarget, neighbor: &'a Neighbor) -> &'a InterfaceName {
    match target {
        NeighborTarget::Address(_) => &neighbor.interface,
        NeighborTarget::Interface(interface) => interface,
    }
}

struct Fabric<'f, 'a> {
    /// The devices with their numbers.
    devices: FxHashMap<&'a NodeName, (u32, &'a DeviceConfig)>,
    cabling: &'f Cabling<'a>,
    failed: &'f Failed,
    /// Who has the addresses from which sessions between loopbacks start.
    owners: BTreeMap<IpAddr, &'a NodeName>,
    ways: &'f Ways<'f>,
}

/// Returns who has the addresses from which sessions between loopbacks start.
fn owners<'a>(configs: &BTreeMap<&'a NodeName, &'a DeviceConfig>) -> BTreeMap<IpAddr, &'a NodeName> {
    let mut owners = BTreeMap::new();
    for (&name, config) in configs {
        for neighbor in config.bgp.iter().flat_map(|bgp| bgp.neighbors.values()) {
            let (Some(local), Some(interface)) = (neighbor.local_address, config.interfaces.get(&neighbor.interface))
            else {
                continue;
            };
            if interface.addresses.iter().any(|own| own.prefix.addr() == local) {
                owners.insert(local, name);
            }
        }
    }
    owners
}

/// The far end of a session on which both ends agree.
struct FarEnd<'a> {
    node: u32,
    config: &'a DeviceConfig,
    target: &'a NeighborTarget,
    neighbor: &'a Neighbor,
    router_id: Ipv4Addr,
}

impl<'a> Fabric<'_, 'a> {
    /// Returns the far end of a session that comes up, else the state in which it stays.
    fn far_end(
        &self,
        name: &'a NodeName,
        config: &'a DeviceConfig,
        bgp: &'a Bgp,
        target: &'a NeighborTarget,
        neighbor: &'a Neighbor,
    ) -> Result<FarEnd<'a>, SessionState> {
        if let (NeighborTarget::Address(address), Some(local)) = (target, neighbor.local_address) {
            return self.behind(name, bgp, (local, *address), neighbor).ok_or(SessionState::Active);
        }
        let near_name = outgoing(target, neighbor);
        let near = config.interfaces.get(near_name).ok_or(SessionState::Idle)?;
        if !self.cabling.is_up(name, near_name, near, self.failed) {
            return Err(SessionState::Idle);
        }
        self.answering(name, near, bgp, target, neighbor).ok_or(SessionState::Active)
    }

    /// Returns the far end of a session between loopbacks, which both ends reach without the help of BGP.
    fn behind(
        &self,
        name: &'a NodeName,
        bgp: &'a Bgp,
        (local, address): (IpAddr, IpAddr),
        neighbor: &'a Neighbor,
    ) -> Option<FarEnd<'a>> {
        let (&(near, _), &(node, config)) = (self.devices.get(name)?, self.devices.get(self.owners.get(&address)?)?);
        let far_bgp = config.bgp.as_ref()?;
        let (target, far) = far_bgp.neighbors.get_key_value(&NeighborTarget::Address(local))?;
        let agreed = self.owners.get(&local) == Some(&name)
            && far.local_address == Some(address)
            && agree(bgp, neighbor, far_bgp, far)
            && exchanged(target, neighbor, far).contains(&true)
            && self.ways.cost(near as usize, address).is_some()
            && self.ways.cost(node as usize, local).is_some();
        agreed.then_some(FarEnd { node, config, target, neighbor: far, router_id: far_bgp.router_id })
    }

    /// Returns the far end, if there is one that agrees: on the addresses, the AS of both, and the key.
    fn answering(
        &self,
        name: &'a NodeName,
        near: &'a Interface,
        bgp: &'a Bgp,
        target: &'a NeighborTarget,
        neighbor: &'a Neighbor,
    ) -> Option<FarEnd<'a>> {
        let end = self.cabling.far_end(name, outgoing(target, neighbor))?;
        let &(node, config) = self.devices.get(&end.node)?;
        let far = config.interfaces.get(&end.interface)?;
        if !self.cabling.is_up(&end.node, &end.interface, far, self.failed) {
            return None;
        }
        let far_bgp = config.bgp.as_ref()?;
        let far_target = match target {
            NeighborTarget::Address(theirs) => {
                let ours = on_subnet_of(near, *theirs)?;
                if on_subnet_of(far, ours)? != *theirs {
                    return None;
                }
                NeighborTarget::Address(ours)
            }
            NeighborTarget::Interface(_) => {
                if !near.unnumbered || !far.unnumbered {
                    return None;
                }
                NeighborTarget::Interface(end.interface.clone())
            }
        };
        let (far_target, far_neighbor) = far_bgp.neighbors.get_key_value(&far_target)?;
        let agreed = *outgoing(far_target, far_neighbor) == end.interface
            && agree(bgp, neighbor, far_bgp, far_neighbor)
            && far_bgp.asn != bgp.asn
            && exchanged(target, neighbor, far_neighbor).contains(&true);
        agreed.then_some(FarEnd {
            node,
            config,
            target: far_target,
            neighbor: far_neighbor,
            router_id: far_bgp.router_id,
        })
    }
}

/// Tells whether two ends agree on the AS of both, and the key.
fn agree(near_bgp: &Bgp, near: &Neighbor, far_bgp: &Bgp, far: &Neighbor) -> bool {
    far_bgp.asn == near.peer_as && far.peer_as == near_bgp.asn && far.authentication == near.authentication
}

/// Returns the address families that both ends ask for: IPv4 and IPv6. A session between addresses carries that of the addresses
/// alone, because the routes of the other would have no next hop.
fn exchanged(target: &NeighborTarget, near: &Neighbor, far: &Neighbor) -> [bool; 2] {
    [(AfiSafi::Ipv4Unicast, IpAddr::is_ipv4 as fn(&IpAddr) -> bool), (AfiSafi::Ipv6Unicast, IpAddr::is_ipv6)].map(
        |(family, of)| {
            let carried = match target {
                NeighborTarget::Address(address) => of(address),
                NeighborTarget::Interface(_) => true,
            };
            carried && near.afi_safis.contains(&family) && far.afi_safis.contains(&family)
        },
    )
}

/// Returns the address of an interface on whose subnet another address is.
pub(crate) fn on_subnet_of(interface: &Interface, other: IpAddr) -> Option<IpAddr> {
    interface
        .addresses
        .iter()
        .map(|address| address.prefix)
        .find(|prefix| prefix.contains(&other) && prefix.addr() != other)
        .map(|prefix| prefix.addr())
}
