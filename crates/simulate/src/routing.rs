//! What every device routes, held compactly: sessions, classes of prefixes, and what was chosen for them. The state of a device is made
//! when it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use weft_device::{
    config::{DeviceConfig, NeighborTarget, PeerType},
    state::{DeviceState, NeighborState, NextHop, Route, RouteProtocol, RouteTable, SessionState, Shared},
};
use weft_model::NodeName;

use crate::{
    Cable, Failed, Prediction,
    bgp::{self, Choice, Class, Routes, Survey},
    cabling::Cabling,
    internal::{Outcome, Ways, outcomes},
    local::{interfaces, local_prefixes, local_routes},
    ospf::Ospf,
    policy::Policies,
    session::{Closed, Sessions, Speaker, loopbacks},
};

/// Routes that go to and fro between BGP and OSPF are given up as unstable after so many rounds.
const MOST_ROUNDS: usize = 16;

/// Classes that are surveyed at a time.
const AT_A_TIME: usize = 64;

/// A predicted network, whose devices are looked at one by one. It takes a number for each device and class of prefixes, where a
/// [`Prediction`] takes whole tables.
#[derive(Debug)]
pub struct Routing<'a> {
    devices: Vec<(&'a NodeName, &'a DeviceConfig)>,
    cabling: Cabling<'a>,
    failed: &'a Failed,
    ospf: Ospf,
    /// The routes of OSPF.
    interior: Vec<RouteTable>,
    sessions: Sessions<'a>,
    policies: Policies,
    classes: Vec<Class>,
    routes: Routes,
    /// What came of the classes in place of `routes`, where routers of one AS have sessions with each other.
    outcomes: Option<Vec<Outcome>>,
    /// Prefixes that went to and fro between BGP and OSPF.
    moving: BTreeSet<IpNet>,
}

/// The routes of all classes, and what came of them in their place where routers of one AS have sessions with each other.
type Settled<'r> = (&'r Routes, Option<&'r [Outcome]>);

/// What one device receives and announces besides what it uses.
#[derive(Debug, Clone, Default)]
struct Exchanged {
    /// The prefixes of IPv4 and of IPv6 that are received and accepted over each session.
    received: Vec<[u32; 2]>,
    /// The classes that are announced over sessions with external neighbors.
    advertised: Vec<(usize, u16)>,
}

impl<'a> Routing<'a> {
    /// Predicts what every device routes, as [`crate::simulate`] does.
    pub fn new(configs: &'a BTreeMap<NodeName, DeviceConfig>, cables: &'a [Cable], failed: &'a Failed) -> Self {
        Self::to(configs, cables, failed, |_| true)
    }

    /// Predicts, of the routes of BGP and OSPF, those to some prefixes. Where a session may be closed for too many prefixes, these
    /// must be all.
    pub(crate) fn to(
        configs: &'a BTreeMap<NodeName, DeviceConfig>,
        cables: &'a [Cable],
        failed: &'a Failed,
        asked: impl Fn(&IpNet) -> bool,
    ) -> Self {
        let cabling = Cabling::new(cables);
        let configs: BTreeMap<&NodeName, &DeviceConfig> =
            configs.iter().filter(|(name, _)| !failed.nodes.contains(*name)).collect();
        let devices: Vec<(&NodeName, &DeviceConfig)> = configs.iter().map(|(name, config)| (*name, *config)).collect();
        let local: Vec<BTreeSet<IpNet>> =
            devices.par_iter().map(|(name, config)| local_prefixes(name, config, &cabling, failed)).collect();
        // Sessions between loopbacks need the ways between them, whatever is asked for.
        let loopbacks = loopbacks(&configs);
        let ospf = Ospf::new(&configs, &cabling, failed, |prefix| asked(prefix) || loopbacks.contains(prefix));
        let mut own = Vec::new();
        if !loopbacks.is_empty() {
            let routes = |(name, config): &(&NodeName, &DeviceConfig)| {
                local_routes(config, &interfaces(name, config, &cabling, failed))
            };
            own = devices.par_iter().map(routes).collect();
        }
        let costs = ospf.costs(devices.len(), &loopbacks);
        let mut external = vec![BTreeSet::new(); devices.len()];
        let mut rounds = 0;
        let mut closed = Closed::new();
        loop {
            let interior = ospf.routes(&external);
            let mut policies = Policies::default();
            let ways = Ways { local: &own, interior: &interior, costs: &costs };
            let sessions = Sessions::new(&configs, &cabling, failed, &closed, &ways, &mut policies);
            let classes = classes(&devices, &local, &interior, &policies, &asked);
            let network = bgp::Network { sessions: &sessions, policies: &policies };
            let internal = sessions.are_internal();
            let routes = Routes::new(network, if internal { &[] } else { &classes });
            let outcomes = internal.then(|| outcomes(network, &ways, &classes));
            let settled = (&routes, outcomes.as_deref());
            let overfull = overfull(network, &devices, &classes, settled);
            let redistributed = redistributed(network, (&local, &interior), &classes, settled);
            // Ends: a round closes at least one of finitely many sessions for good, or is one of so many.
            if overfull.is_empty() && (redistributed == external || rounds == MOST_ROUNDS) {
                let both = redistributed.iter().zip(&external);
                let moving = both.flat_map(|(now, before)| now.symmetric_difference(before)).copied().collect();
                return Self {
                    devices,
                    cabling,
                    failed,
                    ospf,
                    interior,
                    sessions,
                    policies,
                    classes,
                    routes,
                    outcomes,
                    moving,
                };
            }
            rounds += usize::from(overfull.is_empty());
            closed.extend(overfull);
            external = redistributed;
        }
    }

    /// Returns the prefixes whose routes did not settle within the bound. Their routes are those of the moment when the bound
    /// was reached.
    pub fn unstable(&self) -> BTreeSet<IpNet> {
        let unsettled = self.routes.unsettled.iter().map(|(class, _)| *class);
        let unsettled = unsettled.chain(self.of_outcomes(|outcome| !outcome.stable));
        self.prefixes(unsettled).chain(self.moving.iter().copied()).collect()
    }

    /// Returns the prefixes whose routes settled, but in another way when devices decided in another order.
    pub fn ambiguous(&self) -> BTreeSet<IpNet> {
        let ambiguous = self.routes.ambiguous.iter().copied();
        self.prefixes(ambiguous.chain(self.of_outcomes(|outcome| outcome.ambiguous))).collect()
    }

    /// Returns the classes of whose outcome something holds.
    fn of_outcomes(&self, holds: impl Fn(&Outcome) -> bool) -> impl Iterator<Item = usize> {
        let outcomes = self.outcomes.iter().flatten().enumerate();
        outcomes.filter(move |(_, outcome)| holds(outcome)).map(|(class, _)| class)
    }

    fn prefixes(&self, classes: impl Iterator<Item = usize>) -> impl Iterator<Item = IpNet> {
        classes.flat_map(|class| self.classes[class].prefixes.iter().copied())
    }

    /// Returns the state of a device that is not off.
    pub fn state(&self, name: &NodeName) -> Option<DeviceState> {
        let device = self.devices.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        let exchanged = exchanged(self.network(), &[device], &self.classes, self.settled()).pop().unwrap_or_default();
        Some(self.state_of(device, &exchanged))
    }

    /// Returns the whole prediction.
    pub fn prediction(&self) -> Prediction {
        let all: Vec<usize> = (0..self.devices.len()).collect();
        let exchanged = exchanged(self.network(), &all, &self.classes, self.settled());
        let state = |(device, exchanged): (usize, &Exchanged)| {
            (self.devices[device].0.clone(), self.state_of(device, exchanged))
        };
        let states: Vec<_> = exchanged.par_iter().enumerate().map(state).collect();
        Prediction { states: states.into_iter().collect(), unstable: self.unstable(), ambiguous: self.ambiguous() }
    }

    fn settled(&self) -> Settled<'_> {
        (&self.routes, self.outcomes.as_deref())
    }

    fn network(&self) -> bgp::Network<'_> {
        bgp::Network { sessions: &self.sessions, policies: &self.policies }
    }

    fn state_of(&self, device: usize, exchanged: &Exchanged) -> DeviceState {
        let (name, config) = self.devices[device];
        let interfaces = interfaces(name, config, &self.cabling, self.failed);
        let rib = Shared::from(self.rib(device, local_routes(config, &interfaces)));
        DeviceState {
            interfaces: Some(interfaces),
            neighbors: Some(neighbors(config, &self.sessions.speakers[device], &exchanged.received)),
            ospf_neighbors: self.ospf.neighbors[device].clone(),
            fib: Some(rib.clone()),
            rib: Some(rib),
            advertised: Some(self.advertised(device, &exchanged.advertised)),
        }
    }

    /// Returns the routes of a device: connected and static ones come first, then the learned ones as the device prefers them.
    fn rib(&self, device: usize, local: RouteTable) -> RouteTable {
        let Speaker { sessions: known, prefers_ospf, .. } = &self.sessions.speakers[device];
        let interior = &self.interior[device];
        let by_ospf =
            |internal: bool, prefix: &IpNet| prefers_ospf[usize::from(internal)] && interior.contains_key(prefix);
        let mut sets: FxHashMap<u32, Shared<BTreeSet<NextHop>>> = FxHashMap::default();
        let mut learned = Vec::new();
        let settled = if self.outcomes.is_some() { &[] } else { &self.classes[..] };
        for (number, class) in settled.iter().enumerate() {
            let Choice::Received(sessions) = self.routes.choice(number, device) else { continue };
            let next_hops = sets
                .entry(self.routes.chosen(number, device))
                .or_insert_with(|| sessions.iter().map(|&session| known[usize::from(session)].next_hop()).collect());
            let route = Route { protocol: RouteProtocol::Bgp, next_hops: next_hops.clone() };
            let prefixes = class.prefixes.iter().filter(|prefix| !by_ospf(false, prefix));
            learned.extend(prefixes.map(|prefix| (*prefix, route.clone())));
        }
        for (class, outcome) in self.classes.iter().zip(self.outcomes.iter().flatten()) {
            let Some((internal, next_hops)) = &outcome.learned[device] else { continue };
            let route = Route { protocol: RouteProtocol::Bgp, next_hops: next_hops.clone() };
            let prefixes = class.prefixes.iter().filter(|prefix| !by_ospf(*internal, prefix));
            learned.extend(prefixes.map(|prefix| (*prefix, route.clone())));
        }
        // Building a map from a list is far cheaper than inserting one by one.
        let interior = interior.iter().map(|(prefix, route)| (*prefix, route.clone()));
        let mut table: RouteTable = interior.chain(learned).collect();
        table.extend(local);
        table
    }

    /// Returns what a device announces to its external neighbors.
    fn advertised(&self, device: usize, told: &[(usize, u16)]) -> BTreeMap<NeighborTarget, BTreeSet<IpNet>> {
        let neighbors = self.devices[device].1.bgp.iter().flat_map(|bgp| &bgp.neighbors);
        let external = neighbors.filter(|(_, neighbor)| neighbor.peer_type == PeerType::External);
        let mut advertised: BTreeMap<NeighborTarget, BTreeSet<IpNet>> =
            external.map(|(target, _)| (target.clone(), BTreeSet::new())).collect();
        for &(class, session) in told {
            let target = self.sessions.speakers[device].sessions[usize::from(session)].target;
            advertised.entry(target.clone()).or_default().extend(&self.classes[class].prefixes);
        }
        advertised
    }
}

/// Returns the devices that originate each prefix, in order: those with a route to it of their own or from OSPF.
pub(crate) fn origins(
    devices: &[(&NodeName, &DeviceConfig)],
    local: &[BTreeSet<IpNet>],
    interior: &[RouteTable],
) -> BTreeMap<IpNet, Vec<usize>> {
    let mut origins: BTreeMap<IpNet, Vec<usize>> = BTreeMap::new();
    for (device, (_, config)) in devices.iter().enumerate() {
        let networks = config.bgp.iter().flat_map(|bgp| bgp.networks.keys());
        let known = |prefix: &&IpNet| local[device].contains(*prefix) || interior[device].contains_key(*prefix);
        for prefix in networks.filter(known) {
            origins.entry(*prefix).or_default().push(device);
        }
    }
    origins
}

/// Groups the prefixes that are originated anywhere and asked for.
pub(crate) fn classes(
    devices: &[(&NodeName, &DeviceConfig)],
    local: &[BTreeSet<IpNet>],
    interior: &[RouteTable],
    policies: &Policies,
    asked: impl Fn(&IpNet) -> bool,
) -> Vec<Class> {
    let mut classes: BTreeMap<_, Vec<IpNet>> = BTreeMap::new();
    for (prefix, origins) in origins(devices, local, interior).into_iter().filter(|(prefix, _)| asked(prefix)) {
        let ipv6 = prefix.addr().is_ipv6();
        classes.entry((origins, ipv6, policies.verdicts(&prefix))).or_default().push(prefix);
    }
    classes.into_iter().map(|((origins, _, verdicts), prefixes)| Class { prefixes, origins, verdicts }).collect()
}

/// Returns for each device the prefixes that it announces into OSPF: those of BGP routes that it uses and that its policy takes.
fn redistributed(
    network: bgp::Network<'_>,
    (local, interior): (&[BTreeSet<IpNet>], &[RouteTable]),
    classes: &[Class],
    (routes, outcomes): Settled<'_>,
) -> Vec<BTreeSet<IpNet>> {
    let mut redistributed = vec![BTreeSet::new(); local.len()];
    let speakers = network.sessions.speakers.iter().enumerate();
    let devices: Vec<usize> = speakers.filter(|(_, s)| s.redistribute.is_some()).map(|(device, _)| device).collect();
    if devices.is_empty() {
        return redistributed;
    }
    for (number, class) in classes.iter().enumerate() {
        let told: Vec<usize> = match outcomes {
            Some(outcomes) => outcomes[number].redistributed.clone(),
            None => {
                let mut survey = Survey::new(network, classes, routes, number);
                devices.iter().copied().filter(|&device| survey.redistributes(device)).collect()
            }
        };
        for device in told {
            let learned = outcomes.and_then(|outcomes| outcomes[number].learned[device].as_ref());
            let internal = learned.is_some_and(|(internal, _)| *internal);
            let by_ospf = network.sessions.speakers[device].prefers_ospf[usize::from(internal)];
            let other =
                |prefix: &IpNet| local[device].contains(prefix) || (by_ospf && interior[device].contains_key(prefix));
            let used = class.prefixes.iter().filter(|prefix| !other(prefix));
            redistributed[device].extend(used.copied());
        }
    }
    redistributed
}

/// Returns what some devices receive and announce.
fn exchanged(
    network: bgp::Network<'_>,
    devices: &[usize],
    classes: &[Class],
    (routes, outcomes): Settled<'_>,
) -> Vec<Exchanged> {
    let none = || -> Vec<Exchanged> {
        let sessions = devices.iter().map(|&device| network.sessions.speakers[device].sessions.len());
        sessions.map(|sessions| Exchanged { received: vec![[0, 0]; sessions], advertised: Vec::new() }).collect()
    };
    if let Some(outcomes) = outcomes {
        let mut all = none();
        for (number, (class, outcome)) in classes.iter().zip(outcomes).enumerate() {
            let family = usize::from(class.is_ipv6());
            for (&device, Exchanged { received, advertised }) in devices.iter().zip(&mut all) {
                for &session in &outcome.received[device] {
                    received[usize::from(session)][family] += class.prefixes.len() as u32;
                }
                advertised.extend(outcome.advertised[device].iter().map(|&session| (number, session)));
            }
        }
        return all;
    }
    let numbers: Vec<usize> = (0..classes.len()).collect();
    let part = |numbers: &[usize]| {
        let mut part = none();
        for &number in numbers {
            let class = &classes[number];
            let mut survey = Survey::new(network, classes, routes, number);
            let family = usize::from(class.is_ipv6());
            for (&device, exchanged) in devices.iter().zip(&mut part) {
                let Exchanged { received, advertised } = exchanged;
                survey.accepted(device, |session| {
                    received[usize::from(session)][family] += class.prefixes.len() as u32;
                });
                advertised.extend(survey.advertised(device).into_iter().map(|session| (number, session)));
            }
        }
        part
    };
    let parts: Vec<Vec<Exchanged>> = numbers.par_chunks(AT_A_TIME).map(part).collect();
    let mut all = none();
    for part in parts {
        for (all, part) in all.iter_mut().zip(part) {
            for (all, part) in all.received.iter_mut().flatten().zip(part.received.iter().flatten()) {
                *all += part;
            }
            all.advertised.extend(part.advertised);
        }
    }
    all
}

/// Returns the sessions over which more prefixes of an address family are received than is allowed.
fn overfull(
    network: bgp::Network<'_>,
    devices: &[(&NodeName, &DeviceConfig)],
    classes: &[Class],
    settled: Settled<'_>,
) -> Closed {
    if !may_overfill(network.sessions, classes) {
        return Closed::new();
    }
    let limited =
        |speaker: &Speaker<'_>| speaker.sessions.iter().any(|session| session.neighbor.maximum_prefixes.is_some());
    let speakers = network.sessions.speakers.iter().enumerate();
    let limited: Vec<usize> = speakers.filter(|(_, speaker)| limited(speaker)).map(|(device, _)| device).collect();
    let exchanged = exchanged(network, &limited, classes, settled);
    let mut overfull = Closed::new();
    for (device, exchanged) in limited.into_iter().zip(exchanged) {
        for (session, counts) in network.sessions.speakers[device].sessions.iter().zip(&exchanged.received) {
            if session.neighbor.maximum_prefixes.is_some_and(|most| counts.iter().any(|&count| count > most)) {
                overfull.insert((devices[device].0.clone(), session.target.clone()));
            }
        }
    }
    overfull
}

/// Tells whether so many prefixes are originated and let through that a session could be closed for it, now or after a
/// failure, which takes prefixes away but never adds one.
pub(crate) fn may_overfill(sessions: &Sessions<'_>, classes: &[Class]) -> bool {
    let mut most: FxHashMap<u32, [usize; 2]> = FxHashMap::default();
    sessions.speakers.iter().flat_map(|speaker| &speaker.sessions).any(|session| {
        let Some(maximum) = session.neighbor.maximum_prefixes else { return false };
        let sort = sessions.sorts[session.sort as usize];
        let counts = most.entry(session.sort).or_insert_with(|| {
            let mut counts = [0; 2];
            let policies = [sort.peer_export, sort.import];
            for class in classes.iter().filter(|c| policies.iter().all(|&policy| c.verdicts.may_take(policy))) {
                counts[usize::from(class.is_ipv6())] += class.prefixes.len();
            }
            counts
        });
        [false, true].iter().zip(counts).any(|(&ipv6, count)| sort.carries(ipv6) && *count > maximum as usize)
    })
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
    let neighbors = config.bgp.iter().flat_map(|bgp| &bgp.neighbors);
    let state =
        |((target, neighbor), &session_state): ((&NeighborTarget, &weft_device::config::Neighbor), &SessionState)| {
            let (received, bfd) = established.get(target).copied().unwrap_or((0, false));
            let state = NeighborState {
                peer_as: Some(neighbor.peer_as),
                session_state,
                prefixes_received: Some(received),
                bfd_up: neighbor.bfd.map(|_| bfd),
            };
            (target.clone(), state)
        };
    neighbors.zip(&speaker.states).map(state).collect()
}
