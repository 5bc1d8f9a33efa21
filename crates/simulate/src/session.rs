//! BGP sessions: which come up, and what is needed to exchange routes over them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use weft_device::{
    config::{AfiSafi, Bgp, DeviceConfig, Interface, Neighbor, NeighborTarget, PeerType},
    state::{NextHop, SessionState},
};
use weft_model::NodeName;

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
    pub(crate) peer: usize,
    /// How the far end names the near one.
    pub(crate) peer_target: NeighborTarget,
    /// The router id of the far end.
    pub(crate) peer_router_id: Ipv4Addr,
    /// Whether both ends are of one AS.
    pub(crate) internal: bool,
    /// What the near end does with routes it receives.
    pub(crate) import: PolicyId,
    /// What the near end does with routes it announces.
    pub(crate) export: PolicyId,
    /// What the far end does with routes it announces.
    pub(crate) peer_export: PolicyId,
    /// The address families that both ends exchange: IPv4 and IPv6.
    families: [bool; 2],
    /// Whether BFD runs at both ends.
    pub(crate) bfd: bool,
    /// How packets reach the far end.
    pub(crate) next_hop: NextHop,
}

impl Session<'_> {
    /// Returns the address of the far end, if the session is between addresses.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.target {
            NeighborTarget::Address(address) => Some(*address),
            NeighborTarget::Interface(_) => None,
        }
    }

    /// Tells whether routes of an address family go over it.
    pub(crate) fn carries(&self, ipv6: bool) -> bool {
        self.families[usize::from(ipv6)]
    }
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
    /// Which BGP routes go into OSPF, if any do.
    pub(crate) redistribute: Option<PolicyId>,
    /// Its established sessions, the one preferred among equal paths first: lowest router id of the peer, then lowest
    /// neighbor (RFC 4271 9.1.2.2 f and g).
    pub(crate) sessions: Vec<Session<'a>>,
    /// Those of its sessions that lead to external neighbors.
    pub(crate) external: Vec<u16>,
    /// The state of every session.
    pub(crate) states: BTreeMap<&'a NeighborTarget, SessionState>,
}

impl Speaker<'_> {
    /// Tells whether it has a session with a router of its own AS.
    pub(crate) fn is_internal(&self) -> bool {
        self.sessions.iter().any(|session| session.internal)
    }

    /// Returns a device without BGP.
    fn silent() -> Self {
        Self {
            asn: 0,
            router_id: Ipv4Addr::UNSPECIFIED,
            cluster_id: Ipv4Addr::UNSPECIFIED,
            maximum_paths: 0,
            redistribute: None,
            sessions: Vec::new(),
            external: Vec::new(),
            states: BTreeMap::new(),
        }
    }
}

/// Returns the ends of the sessions between loopbacks, as prefixes.
pub(crate) fn loopbacks<'c>(configs: impl Iterator<Item = &'c DeviceConfig>) -> BTreeSet<IpNet> {
    let neighbors = configs.flat_map(|config| &config.bgp).flat_map(|bgp| bgp.neighbors.values());
    neighbors.filter_map(|neighbor| neighbor.local_address.map(IpNet::from)).collect()
}

/// Sessions that an end has closed for having received too many prefixes.
pub(crate) type Closed = BTreeSet<(NodeName, NeighborTarget)>;

/// Returns the devices with their sessions, in the order of `configs`, which holds no failed one.
pub(crate) fn speakers<'a>(
    configs: &BTreeMap<&'a NodeName, &'a DeviceConfig>,
    cabling: &Cabling<'a>,
    failed: &Failed,
    closed: &Closed,
    ways: &Ways<'_>,
    policies: &mut Policies,
) -> Vec<Speaker<'a>> {
    let indices: BTreeMap<&NodeName, usize> = configs.keys().enumerate().map(|(index, name)| (*name, index)).collect();
    let fabric = Fabric { configs, cabling, failed, indices: &indices, owners: &owners(configs), ways };
    configs
        .iter()
        .map(|(&name, &config)| {
            let Some(bgp) = &config.bgp else {
                return Speaker::silent();
            };
            let mut sessions = Vec::new();
            let mut states = BTreeMap::new();
            for (target, neighbor) in &bgp.neighbors {
                let far = fabric.far_end(name, config, bgp, target, neighbor);
                let state = match &far {
                    Err(state) => *state,
                    Ok(_) if closed.contains(&(name.clone(), target.clone())) => SessionState::Idle,
                    Ok(far) if closed.contains(&(far.config.device.clone(), far.target.clone())) => {
                        SessionState::Active
                    }
                    Ok(_) => SessionState::Established,
                };
                states.insert(target, state);
                let (Ok(far), SessionState::Established) = (far, state) else { continue };
                // For IPv6, FRR takes the link-local address of the neighbor and BIRD the other one.
                let via = match target {
                    NeighborTarget::Address(address) => Some(*address).filter(IpAddr::is_ipv4),
                    NeighborTarget::Interface(_) => None,
                };
                let session = Session {
                    target,
                    neighbor,
                    peer: indices[far.node],
                    peer_target: far.target.clone(),
                    peer_router_id: far.router_id,
                    internal: neighbor.peer_as == bgp.asn,
                    import: policies.intern(neighbor.import_policy.as_ref(), &config.routing_policy),
                    export: policies.intern(neighbor.export_policy.as_ref(), &config.routing_policy),
                    peer_export: policies.intern(far.neighbor.export_policy.as_ref(), &far.config.routing_policy),
                    families: exchanged(target, neighbor, far.neighbor),
                    bfd: neighbor.bfd.is_some() && far.neighbor.bfd.is_some(),
                    next_hop: NextHop::Interface { interface: outgoing(target, neighbor).clone(), via },
                };
                sessions.push((far.router_id, session));
            }
            sessions.sort_by(|(a_id, a), (b_id, b)| (a_id, a.target).cmp(&(b_id, b.target)));
            let sessions: Vec<Session<'_>> = sessions.into_iter().map(|(_, session)| session).collect();
            let external = (0..).zip(&sessions).filter(|(_, session)| session.neighbor.peer_type == PeerType::External);
            let redistribute = config.ospf.as_ref().and_then(|ospf| ospf.redistribute_bgp.as_ref());
            Speaker {
                redistribute: redistribute.map(|policy| policies.intern(Some(policy), &config.routing_policy)),
                asn: bgp.asn.get(),
                router_id: bgp.router_id,
                cluster_id: bgp.cluster_id.unwrap_or(bgp.router_id),
                maximum_paths: usize::from(bgp.maximum_paths.max(1)),
                external: external.map(|(index, _)| index).collect(),
                sessions,
                states,
            }
        })
        .collect()
}

/// Returns the interface that leads to a neighbor.
pub(crate) fn outgoing<'a>(target: &'a NeighborTarget, neighbor: &'a Neighbor) -> &'a weft_model::InterfaceName {
    match target {
        NeighborTarget::Address(_) => &neighbor.interface,
        NeighborTarget::Interface(interface) => interface,
    }
}

struct Fabric<'f, 'a> {
    configs: &'f BTreeMap<&'a NodeName, &'a DeviceConfig>,
    cabling: &'f Cabling<'a>,
    failed: &'f Failed,
    /// The numbers of the devices.
    indices: &'f BTreeMap<&'a NodeName, usize>,
    /// Who has the addresses from which sessions between loopbacks start.
    owners: &'f BTreeMap<IpAddr, &'a NodeName>,
    ways: &'f Ways<'f>,
}

/// Returns who has the addresses from which sessions between loopbacks start.
fn owners<'a>(configs: &BTreeMap<&'a NodeName, &'a DeviceConfig>) -> BTreeMap<IpAddr, &'a NodeName> {
    let mut owners = BTreeMap::new();
    for (&name, config) in configs {
        for (neighbor, local) in config
            .bgp
            .iter()
            .flat_map(|bgp| bgp.neighbors.values())
            .filter_map(|neighbor| Some((neighbor, neighbor.local_address?)))
        {
            let interface = config.interfaces.get(&neighbor.interface);
            if interface.is_some_and(|interface| interface.addresses.iter().any(|own| own.prefix.addr() == local)) {
                owners.insert(local, name);
            }
        }
    }
    owners
}

/// The far end of a session on which both ends agree.
struct FarEnd<'a> {
    node: &'a NodeName,
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
        let node = *self.owners.get(&address)?;
        let config = *self.configs.get(node)?;
        let far_bgp = config.bgp.as_ref()?;
        let (target, far) = far_bgp.neighbors.get_key_value(&NeighborTarget::Address(local))?;
        let agreed = self.owners.get(&local) == Some(&name)
            && far.local_address == Some(address)
            && agree(bgp, neighbor, far_bgp, far)
            && exchanged(target, neighbor, far).contains(&true)
            && self.ways.cost(self.indices[name], address).is_some()
            && self.ways.cost(self.indices[node], local).is_some();
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
        let (&node, &config) = self.configs.get_key_value(&end.node)?;
        let far = config.interfaces.get(&end.interface)?;
        if !self.cabling.is_up(node, &end.interface, far, self.failed) {
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
