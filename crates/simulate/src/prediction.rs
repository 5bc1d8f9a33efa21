//! The predicted network: sessions, routes and interfaces put together for each device.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use rayon::prelude::*;
use weft_device::{
    config::{DeviceConfig, NeighborTarget, PeerType},
    state::{
        DeviceState, InterfaceState, NeighborState, NextHop, OperStatus, Route, RouteProtocol, RouteTable, SessionState,
    },
};
use weft_model::{InterfaceName, NodeName, TerminationPoint};

use crate::{
    Cable,
    bgp::{self, Choice, Class, ClassRoutes, Gone, Network},
    cabling::Cabling,
    internal::{self, Outcome, Ways},
    ospf::Ospf,
    policy::Policies,
    session::{self, Closed, Speaker},
};

/// Routes that go to and fro between BGP and OSPF are given up as unstable after so many rounds.
const MOST_ROUNDS: usize = 16;

/// What is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Failed {
    /// Cables that are cut, named by either of their ends.
    pub links: BTreeSet<TerminationPoint>,
    /// Devices that are off.
    pub nodes: BTreeSet<NodeName>,
}

/// The predicted network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prediction {
    /// The state of every device that is not off.
    pub states: BTreeMap<NodeName, DeviceState>,
    /// Prefixes whose routes did not settle within the bound, if any. Their routes in `states` are those of the moment when
    /// the bound was reached.
    pub unstable: BTreeSet<IpNet>,
}

/// The routes of all classes, by whichever way they were computed.
enum Settled {
    External(Vec<ClassRoutes>),
    Internal(Vec<Outcome>),
}

impl Settled {
    fn stable(&self, class: usize) -> bool {
        match self {
            Self::External(routes) => routes[class].stable,
            Self::Internal(routes) => routes[class].stable,
        }
    }

    fn redistributed(&self, class: usize) -> &[usize] {
        match self {
            Self::External(routes) => &routes[class].redistributed,
            Self::Internal(routes) => &routes[class].redistributed,
        }
    }

    fn received(&self, class: usize) -> &[Vec<u16>] {
        match self {
            Self::External(routes) => &routes[class].received,
            Self::Internal(routes) => &routes[class].received,
        }
    }

    fn advertised(&self, class: usize, device: usize) -> &[u16] {
        match self {
            Self::External(routes) => &routes[class].advertised[device],
            Self::Internal(routes) => &routes[class].advertised[device],
        }
    }

    /// Returns the next hops of what a device learned, and whether from its own AS.
    fn learned(&self, class: usize, device: usize, speaker: &Speaker<'_>) -> Option<(bool, BTreeSet<NextHop>)> {
        match self {
            Self::External(routes) => {
                let Choice::Received(sessions) = &routes[class].choices[device] else { return None };
                let next_hop = |&session: &u16| speaker.sessions[usize::from(session)].next_hop.clone();
                Some((false, sessions.iter().map(next_hop).collect()))
            }
            Self::Internal(routes) => routes[class].learned[device].clone(),
        }
    }
}

/// Predicts what every device does, with all parts of its [`DeviceState`] filled; `ospf_neighbors` only where it runs OSPF.
///
/// External routers are devices like any other: without their configuration the sessions with them stay down. An
/// interface is up when its cable is there and whole and the device at the other end is on; a host port also without a
/// cable. A session is established when both ends agree on the addresses, both AS numbers and the key. `fib` is `rib`.
/// Sessions that do not come up are `Idle` where the interface is down or too many prefixes were received, else `Active`. OSPF
/// neighbors are `Full` or `Down`, these with the router id 0.0.0.0 where nobody could answer.
///
/// The address of a next hop is given for IPv4 over a link with addresses. Elsewhere it is a link-local one that nobody knows
/// beforehand, or, for IPv6 between addresses, one that FRR and BIRD choose differently.
pub fn simulate(configs: &BTreeMap<NodeName, DeviceConfig>, cables: &[Cable], failed: &Failed) -> Prediction {
    predict(configs, cables, failed, |_| true)
}

/// Predicts as [`simulate`] does, of the routes of BGP and OSPF those to some prefixes. Where a session may be closed for too many
/// prefixes, these must be all.
pub(crate) fn predict(
    configs: &BTreeMap<NodeName, DeviceConfig>,
    cables: &[Cable],
    failed: &Failed,
    asked: impl Fn(&IpNet) -> bool,
) -> Prediction {
    let cabling = Cabling::new(cables);
    let configs: BTreeMap<&NodeName, &DeviceConfig> =
        configs.iter().filter(|(name, _)| !failed.nodes.contains(*name)).collect();
    let interfaces: Vec<BTreeMap<InterfaceName, InterfaceState>> =
        configs.iter().map(|(name, config)| interfaces(name, config, &cabling, failed)).collect();
    let local: Vec<RouteTable> =
        configs.values().zip(&interfaces).map(|(config, interfaces)| local_routes(config, interfaces)).collect();

    // Sessions between loopbacks need the ways between them, whatever is asked for.
    let loopbacks = session::loopbacks(configs.values().copied());
    let ospf = Ospf::new(&configs, &cabling, failed, |prefix| asked(prefix) || loopbacks.contains(prefix));
    let costs = ospf.costs(configs.len(), &loopbacks);
    let mut external = vec![BTreeSet::new(); configs.len()];
    let mut rounds = 0;
    let mut closed = Closed::new();
    let (speakers, classes, routes, received, interior, moving) = loop {
        let interior = ospf.routes(&external);
        let mut policies = Policies::default();
        let ways = Ways { local: &local, interior: &interior, costs: &costs };
        let speakers = session::speakers(&configs, &cabling, failed, &closed, &ways, &mut policies);
        let classes = classes(&configs, &local, &interior, &policies, &asked);
        let routes = if speakers.iter().any(Speaker::is_internal) {
            let network = internal::Network { speakers: &speakers, policies: &policies, ways: &ways };
            Settled::Internal(internal::outcomes(network, &classes))
        } else {
            let readers = bgp::readers(&speakers, &Gone::default());
            let network = Network { speakers: &speakers, readers: &readers, policies: &policies };
            Settled::External(bgp::routes(network, &classes))
        };
        let received = received(&speakers, &classes, &routes);
        let overfull = overfull(&configs, &speakers, &received);
        let redistributed = redistributed(&local, &classes, &routes);
        // Ends: a round closes at least one of finitely many sessions for good, or is one of so many.
        if overfull.is_empty() && (redistributed == external || rounds == MOST_ROUNDS) {
            let moving: Vec<IpNet> = redistributed
                .iter()
                .zip(&external)
                .flat_map(|(now, before)| now.symmetric_difference(before))
                .copied()
                .collect();
            break (speakers, classes, routes, received, interior, moving);
        }
        rounds += usize::from(overfull.is_empty());
        closed.extend(overfull);
        external = redistributed;
    };

    let unstable = (0..)
        .zip(&classes)
        .filter(|(number, _)| !routes.stable(*number))
        .flat_map(|(_, class)| class.prefixes.iter().copied())
        .chain(moving)
        .collect();
    let configs: Vec<(&NodeName, &DeviceConfig)> = configs.into_iter().collect();
    let states = configs
        .par_iter()
        .zip(interfaces)
        .zip(local)
        .zip(interior)
        .enumerate()
        .map(|(device, ((((name, config), interfaces), local), interior))| {
            let speaker = &speakers[device];
            let rib = rib(local, interior, device, speaker, &classes, &routes);
            let state = DeviceState {
                interfaces: Some(interfaces),
                neighbors: Some(neighbors(config, speaker, &received[device])),
                ospf_neighbors: ospf.neighbors[device].clone(),
                fib: Some(rib.clone()),
                rib: Some(rib),
                advertised: Some(advertised(config, device, speaker, &classes, &routes)),
            };
            ((*name).clone(), state)
        })
        .collect::<Vec<_>>();
    Prediction { states: states.into_iter().collect(), unstable }
}

/// Returns the state of the interfaces of a device.
pub(crate) fn interfaces(
    name: &NodeName,
    config: &DeviceConfig,
    cabling: &Cabling<'_>,
    failed: &Failed,
) -> BTreeMap<InterfaceName, InterfaceState> {
    config
        .interfaces
        .iter()
        .map(|(interface_name, interface)| {
            let up = cabling.is_up(name, interface_name, interface, failed);
            let state = InterfaceState {
                oper_status: if up { OperStatus::Up } else { OperStatus::Down },
                mtu: interface.mtu.map(|mtu| u32::from(mtu.octets())),
                addresses: interface.addresses.iter().map(|address| address.prefix).filter(is_routed).collect(),
            };
            (interface_name.clone(), state)
        })
        .collect()
}

fn is_routed(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(_) => true,
        IpNet::V6(prefix) => !prefix.addr().is_unicast_link_local(),
    }
}

/// Returns the connected and static routes of a device; connected ones come first.
pub(crate) fn local_routes(config: &DeviceConfig, interfaces: &BTreeMap<InterfaceName, InterfaceState>) -> RouteTable {
    let mut table = RouteTable::new();
    for (name, state) in interfaces.iter().filter(|(_, state)| state.oper_status == OperStatus::Up) {
        for prefix in &state.addresses {
            table
                .entry(prefix.trunc())
                .or_insert_with(|| Route { protocol: RouteProtocol::Connected, next_hops: BTreeSet::new() })
                .next_hops
                .insert(NextHop::Interface { interface: name.clone(), via: None });
        }
    }
    for prefix in config.static_routes.keys() {
        table
            .entry(prefix.trunc())
            .or_insert_with(|| Route { protocol: RouteProtocol::Static, next_hops: [NextHop::Discard].into() });
    }
    table
}

/// Returns the devices that originate each prefix, in order: those with a route to it of their own or from OSPF.
pub(crate) fn origins(
    configs: &BTreeMap<&NodeName, &DeviceConfig>,
    local: &[RouteTable],
    interior: &[RouteTable],
) -> BTreeMap<IpNet, Vec<usize>> {
    let mut origins: BTreeMap<IpNet, Vec<usize>> = BTreeMap::new();
    for (device, config) in configs.values().enumerate() {
        let networks = config.bgp.iter().flat_map(|bgp| bgp.networks.keys());
        for prefix in networks.filter(|prefix| [local, interior].iter().any(|own| own[device].contains_key(*prefix))) {
            origins.entry(*prefix).or_default().push(device);
        }
    }
    origins
}

/// Groups the prefixes that are originated anywhere and asked for.
pub(crate) fn classes(
    configs: &BTreeMap<&NodeName, &DeviceConfig>,
    local: &[RouteTable],
    interior: &[RouteTable],
    policies: &Policies,
    asked: impl Fn(&IpNet) -> bool,
) -> Vec<Class> {
    let mut classes: BTreeMap<_, Vec<IpNet>> = BTreeMap::new();
    for (prefix, origins) in origins(configs, local, interior).into_iter().filter(|(prefix, _)| asked(prefix)) {
        let ipv6 = prefix.addr().is_ipv6();
        classes.entry((origins, ipv6, policies.verdicts(&prefix))).or_default().push(prefix);
    }
    classes.into_iter().map(|((origins, _, verdicts), prefixes)| Class { prefixes, origins, verdicts }).collect()
}

/// Returns for each device the prefixes that it announces into OSPF: those of BGP routes that it uses and that its policy takes.
fn redistributed(local: &[RouteTable], classes: &[Class], routes: &Settled) -> Vec<BTreeSet<IpNet>> {
    let mut redistributed = vec![BTreeSet::new(); local.len()];
    for (number, class) in (0..).zip(classes) {
        for &device in routes.redistributed(number) {
            let used = class.prefixes.iter().filter(|prefix| !local[device].contains_key(*prefix));
            redistributed[device].extend(used.copied());
        }
    }
    redistributed
}

/// Counts for each session of each device the prefixes of IPv4 and of IPv6 that are received and accepted.
fn received(speakers: &[Speaker<'_>], classes: &[Class], routes: &Settled) -> Vec<Vec<[u32; 2]>> {
    let mut counts: Vec<Vec<[u32; 2]>> = speakers.iter().map(|speaker| vec![[0, 0]; speaker.sessions.len()]).collect();
    for (number, class) in (0..).zip(classes) {
        let family = usize::from(class.prefixes[0].addr().is_ipv6());
        for (counts, sessions) in counts.iter_mut().zip(routes.received(number)) {
            for &session in sessions {
                counts[usize::from(session)][family] += class.prefixes.len() as u32;
            }
        }
    }
    counts
}

/// Returns the sessions over which more prefixes of an address family are received than is allowed.
fn overfull(
    configs: &BTreeMap<&NodeName, &DeviceConfig>,
    speakers: &[Speaker<'_>],
    received: &[Vec<[u32; 2]>],
) -> Closed {
    let mut overfull = Closed::new();
    for ((name, speaker), counts) in configs.keys().zip(speakers).zip(received) {
        for (session, counts) in speaker.sessions.iter().zip(counts) {
            if session.neighbor.maximum_prefixes.is_some_and(|most| counts.iter().any(|&count| count > most)) {
                overfull.insert(((*name).clone(), session.target.clone()));
            }
        }
    }
    overfull
}

/// Returns the routes of a device: connected and static ones come first, then those of other ASes, then those of OSPF, then those
/// of BGP from its own AS. These are the administrative distances 0, 1, 20, 110 and 200.
fn rib(
    local: RouteTable,
    interior: RouteTable,
    device: usize,
    speaker: &Speaker<'_>,
    classes: &[Class],
    routes: &Settled,
) -> RouteTable {
    let mut learned = Vec::new();
    for (number, class) in (0..).zip(classes) {
        let Some((internal, next_hops)) = routes.learned(number, device, speaker) else { continue };
        let route = Route { protocol: RouteProtocol::Bgp, next_hops };
        let prefixes = class.prefixes.iter().filter(|prefix| !internal || !interior.contains_key(*prefix));
        learned.extend(prefixes.map(|prefix| (*prefix, route.clone())));
    }
    // Building a map from a list is far cheaper than inserting one by one.
    let mut table: RouteTable = interior.into_iter().chain(learned).collect();
    table.extend(local);
    table
}

/// Returns the state of the neighbors of a device.
fn neighbors(
    config: &DeviceConfig,
    speaker: &Speaker<'_>,
    received: &[[u32; 2]],
) -> BTreeMap<NeighborTarget, NeighborState> {
    let sessions = speaker.sessions.iter().zip(received);
    let established: BTreeMap<_, (u32, bool)> =
        sessions.map(|(session, [ipv4, ipv6])| (session.target, (ipv4 + ipv6, session.bfd))).collect();
    config
        .bgp
        .iter()
        .flat_map(|bgp| &bgp.neighbors)
        .map(|(target, neighbor)| {
            let session_state = speaker.states.get(target).copied().unwrap_or(SessionState::Idle);
            let (received, bfd) = established.get(target).copied().unwrap_or((0, false));
            let state = NeighborState {
                peer_as: Some(neighbor.peer_as),
                session_state,
                prefixes_received: Some(received),
                bfd_up: neighbor.bfd.map(|_| bfd),
            };
            (target.clone(), state)
        })
        .collect()
}

/// Returns what a device announces to its external neighbors.
fn advertised(
    config: &DeviceConfig,
    device: usize,
    speaker: &Speaker<'_>,
    classes: &[Class],
    routes: &Settled,
) -> BTreeMap<NeighborTarget, BTreeSet<IpNet>> {
    let external = |target: &&NeighborTarget| {
        config.bgp.as_ref().is_some_and(|bgp| bgp.neighbors[*target].peer_type == PeerType::External)
    };
    let mut advertised: BTreeMap<_, BTreeSet<IpNet>> =
        speaker.states.keys().copied().filter(external).map(|target| (target.clone(), BTreeSet::new())).collect();
    for (number, class) in (0..).zip(classes) {
        for &session in routes.advertised(number, device) {
            let target = speaker.sessions[usize::from(session)].target;
            advertised.entry(target.clone()).or_default().extend(&class.prefixes);
        }
    }
    advertised
}
