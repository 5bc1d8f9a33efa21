//! BGP where routers of one AS have sessions with each other: the full decision process, next hops that go through the AS, and
//! reflection (RFC 4271 9.1, RFC 4456).
//!
//! It knows more than [`crate::bgp`] does and costs more, so that only networks with such sessions come here.

mod choose;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use rayon::prelude::*;
use weft_device::state::{NextHop, RouteTable, Shared};
use weft_model::{Community, GracefulShutdown};

use crate::{
    attributes::{Attributes, DEFAULT_LOCAL_PREFERENCE, Looks, Route},
    bgp::{Class, Network},
    policy::{PolicyId, Verdict},
    session::{Session, Speaker},
};

use choose::{Candidate, choose};

/// A class is given up as unstable after so many decisions per device.
const MOST_DECISIONS_PER_DEVICE: usize = 64;

/// How devices reach addresses by what they know beside BGP.
#[derive(Debug)]
pub(crate) struct Ways<'w> {
    /// The connected and static routes of each device.
    pub(crate) local: &'w [RouteTable],
    /// The routes of each device from OSPF.
    pub(crate) interior: &'w [RouteTable],
    /// What it costs each device to reach the ends of sessions between loopbacks over OSPF.
    pub(crate) costs: &'w [BTreeMap<IpNet, u32>],
}

impl Ways<'_> {
    /// Returns what it costs a device to reach an address; `None` where it cannot.
    pub(crate) fn cost(&self, device: usize, address: IpAddr) -> Option<u32> {
        let host = IpNet::from(address);
        self.costs.get(device)?.get(&host).copied().or_else(|| self.connected(device, address).map(|_| 0))
    }

    /// Returns the next hops by which a device reaches an address.
    fn next_hops(&self, device: usize, address: IpAddr) -> BTreeSet<NextHop> {
        match self.interior[device].get(&IpNet::from(address)) {
            Some(route) => route.next_hops.iter().cloned().collect(),
            None => self.connected(device, address).into_iter().collect(),
        }
    }

    /// Returns the next hop to an address on a link of the device.
    fn connected(&self, device: usize, address: IpAddr) -> Option<NextHop> {
        let covering = self.local.get(device)?.iter().filter(|(prefix, _)| prefix.contains(&address));
        let (_, route) = covering.max_by_key(|(prefix, _)| prefix.prefix_len())?;
        let interface = route.next_hops.first()?.interface()?.clone();
        Some(NextHop::Interface { interface, via: Some(address).filter(IpAddr::is_ipv4) })
    }
}

/// The routes of a class.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The next hops of each device that learned the prefixes, and whether from its own AS.
    pub(crate) learned: Vec<Option<(bool, Shared<BTreeSet<NextHop>>)>>,
    /// Whether the choices are final; `false` when the bound on decisions was reached.
    pub(crate) stable: bool,
    /// Whether devices choose otherwise when they decide in another order.
    pub(crate) ambiguous: bool,
    /// The sessions over which each device receives the prefixes and accepts them, best or not.
    pub(crate) received: Vec<Vec<u16>>,
    /// The sessions with external neighbors over which each device announces the prefixes.
    pub(crate) advertised: Vec<Vec<u16>>,
    /// The devices that learned the prefixes and have them go into OSPF.
    pub(crate) redistributed: Vec<usize>,
}

/// Computes all classes.
pub(crate) fn outcomes(network: Network<'_>, ways: &Ways<'_>, classes: &[Class]) -> Vec<Outcome> {
    let reverse = reverse(&network.sessions.speakers);
    let outcome = |class| {
        let outcome = |order| Computation::new(network, ways, class, &reverse).outcome(order);
        let first = outcome(Order::First);
        // An order in which they are not done within the bound says nothing.
        let differs = |other: &Outcome| other.stable && other.learned != first.learned;
        let ambiguous = first.stable && Order::OTHERS.iter().any(|order| differs(&outcome(*order)));
        Outcome { ambiguous, ..first }
    };
    classes.par_iter().map(outcome).collect()
}

/// Which of the devices that wait decides next.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// Who heard first.
    First,
    /// Who heard last.
    Last,
    /// The first device.
    Forwards,
    /// The last device.
    Backwards,
}

impl Order {
    /// The orders that are tried to see whether another one makes a difference. That they agree proves nothing.
    const OTHERS: [Self; 3] = [Self::Last, Self::Forwards, Self::Backwards];

    /// Returns the rank of a device that heard after so many others had; who has the lowest decides.
    fn rank(self, heard: usize, device: usize) -> (usize, usize) {
        match self {
            Self::First => (heard, device),
            Self::Last => (usize::MAX - heard, device),
            Self::Forwards => (0, device),
            Self::Backwards => (usize::MAX - device, device),
        }
    }
}

/// Returns for each session of each device its number at the other end.
fn reverse(speakers: &[Speaker<'_>]) -> Vec<Vec<Option<u16>>> {
    let other = |device: usize, session: &Session<'_>| {
        let mut theirs = (0_u16..).zip(&speakers[session.peer as usize].sessions);
        let is = |other: &Session<'_>| other.peer as usize == device && other.target == session.peer_target;
        theirs.find(|(_, other)| is(other)).map(|(number, _)| number)
    };
    let of = |(device, speaker): (usize, &Speaker<'_>)| {
        speaker.sessions.iter().map(|session| other(device, session)).collect()
    };
    speakers.iter().enumerate().map(of).collect()
}

/// A route as a device holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    route: Route,
    /// Where packets are sent to, as a router of the own AS said.
    next_hop: Option<IpAddr>,
    /// The router that brought it into the AS, where it was reflected.
    originator: Option<Ipv4Addr>,
    /// The clusters that it was reflected in, the last one first.
    clusters: Vec<Ipv4Addr>,
}

impl Held {
    fn plain(route: Route) -> Self {
        Self { route, next_hop: None, originator: None, clusters: Vec::new() }
    }
}

/// What a device prefers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Best {
    held: Held,
    /// The session over which it came; `None` where it is the device's own.
    from: Option<u16>,
}

struct Computation<'c> {
    network: Network<'c>,
    ways: &'c Ways<'c>,
    class: &'c Class,
    ipv6: bool,
    reverse: &'c [Vec<Option<u16>>],
    attributes: Attributes<'static>,
    best: Vec<Option<Best>>,
}

impl<'c> Computation<'c> {
    fn new(network: Network<'c>, ways: &'c Ways<'c>, class: &'c Class, reverse: &'c [Vec<Option<u16>>]) -> Self {
        let mut best = vec![None; network.sessions.len()];
        for &origin in &class.origins {
            best[origin] = Some(Best { held: Held::plain(Attributes::originated()), from: None });
        }
        let attributes = Attributes::new(Looks { at_first: true, at_passed: None });
        Self { network, ways, class, ipv6: class.is_ipv6(), reverse, attributes, best }
    }

    fn outcome(mut self, order: Order) -> Outcome {
        let stable = self.settle(order);
        let devices = 0..self.best.len();
        let (mut learned, mut received) = (Vec::new(), Vec::new());
        for device in devices.clone() {
            let heard = self.heard(device);
            received.push(heard.iter().map(|(session, _)| *session).collect());
            let is_own = self.best[device].as_ref().is_some_and(|best| best.from.is_none());
            let used = if is_own { None } else { self.used(device, &heard) };
            learned.push(used.map(|(internal, next_hops)| (internal, next_hops.into())));
        }
        let advertised = devices.clone().map(|device| self.advertised(device)).collect();
        let redistributed = devices.filter(|&device| self.redistributes(device)).collect();
        Outcome { learned, stable, ambiguous: false, received, advertised, redistributed }
    }

    /// Lets devices decide until none changes its mind, and tells whether that was so.
    fn settle(&mut self, order: Order) -> bool {
        let speakers = &self.network.sessions.speakers;
        let mut waiting: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut queued = vec![false; speakers.len()];
        let mut heard = 0;
        let mut tell = |device: usize, waiting: &mut BTreeSet<(usize, usize)>, queued: &mut Vec<bool>| {
            for session in &speakers[device].sessions {
                let peer = session.peer as usize;
                if !std::mem::replace(&mut queued[peer], true) {
                    heard += 1;
                    waiting.insert(order.rank(heard, peer));
                }
            }
        };
        for &origin in &self.class.origins {
            tell(origin, &mut waiting, &mut queued);
        }
        let mut decisions = MOST_DECISIONS_PER_DEVICE * speakers.len();
        while let Some((_, device)) = waiting.pop_first() {
            let Some(left) = decisions.checked_sub(1) else { return false };
            decisions = left;
            queued[device] = false;
            if self.class.origins.contains(&device) {
                continue;
            }
            let heard = self.heard(device);
            let best = self.chosen(device, &heard).first().map(|&index| {
                let (session, held) = &heard[index];
                Best { held: held.clone(), from: Some(*session) }
            });
            if best != self.best[device] {
                self.best[device] = best;
                tell(device, &mut waiting, &mut queued);
            }
        }
        true
    }

    /// Returns the sessions over which a device receives a route that it accepts, with the route as it holds it.
    fn heard(&mut self, device: usize) -> Vec<(u16, Held)> {
        let speaker = &self.network.sessions.speakers[device];
        let mut heard = Vec::new();
        let ipv6 = self.ipv6;
        for (index, session) in (0_u16..).zip(&speaker.sessions) {
            let sort = self.network.sessions.sorts[session.sort as usize];
            if !sort.carries(ipv6) {
                continue;
            }
            let Some(theirs) = self.reverse[device][usize::from(index)] else { continue };
            let Some(said) = self.said(session.peer as usize, theirs) else { continue };
            if self.attributes.passes(said.route.path, speaker.asn)
                || said.originator == Some(speaker.router_id)
                || said.clusters.contains(&speaker.cluster_id)
            {
                continue;
            }
            let Some(mut route) = self.passed(sort.import, said.route) else { continue };
            // RFC 8326 4.2.
            if sort.graceful_shutdown == GracefulShutdown::Honored
                && !speaker.is_internal(session)
                && self.attributes.has_any(route.communities, &[Community::GRACEFUL_SHUTDOWN])
            {
                route.local_preference = 0;
            }
            heard.push((index, Held { route, ..said }));
        }
        heard
    }

    /// Returns what a device says over a session.
    fn said(&mut self, device: usize, index: u16) -> Option<Held> {
        let speaker = &self.network.sessions.speakers[device];
        let session = &speaker.sessions[usize::from(index)];
        let best = self.best[device].clone()?;
        let from = best.from.map(|from| &speaker.sessions[usize::from(from)]);
        let Held { route, .. } = best.held;
        if self.attributes.has_any(route.communities, &[Community::NO_ADVERTISE]) {
            return None;
        }
        if !speaker.is_internal(session) {
            if self.attributes.has_any(route.communities, &[Community::NO_EXPORT]) {
                return None;
            }
            // The policy sees the route without the AS of its device, and without what is only said within it.
            let route = Route { local_preference: DEFAULT_LOCAL_PREFERENCE, med: 0, ..route };
            let route = self.passed(session.export, route)?;
            return Some(Held::plain(Route { med: route.med, ..self.attributes.announced(speaker.asn, route) }));
        }
        let reflected = from.filter(|from| speaker.is_internal(from));
        if let Some(from) = reflected {
            let client = |session: &Session<'_>| session.neighbor.route_reflector_client;
            if best.from == Some(index) || !(client(from) || client(session)) {
                return None;
            }
        }
        let route = self.passed(session.export, route)?;
        let held = match (reflected, from) {
            (Some(from), _) => {
                let clusters = [speaker.cluster_id].into_iter().chain(best.held.clusters).collect();
                let originator = best.held.originator.or(Some(self.router_id(from)));
                Held { route, next_hop: best.held.next_hop, originator, clusters }
            }
            (None, Some(from)) if !session.neighbor.next_hop_self => {
                Held { next_hop: from.address(), ..Held::plain(route) }
            }
            (None, Some(_) | None) => Held { next_hop: session.neighbor.local_address, ..Held::plain(route) },
        };
        Some(held)
    }

    /// Returns the router id of the far end of a session.
    fn router_id(&self, session: &Session<'_>) -> Ipv4Addr {
        self.network.sessions.speakers[session.peer as usize].router_id
    }

    /// Returns a route as a policy takes it.
    fn passed(&mut self, policy: PolicyId, route: Route) -> Option<Route> {
        match self.class.verdicts.of(policy) {
            Verdict::Rejects => None,
            Verdict::Takes => Some(route),
            Verdict::Depends(program) => self.network.policies.apply(policy, program, route, &mut self.attributes),
        }
    }

    /// Returns what is used together of what a device hears, as places in the list, the best first.
    fn chosen(&self, device: usize, heard: &[(u16, Held)]) -> Vec<usize> {
        let speaker = &self.network.sessions.speakers[device];
        let candidate = |(place, (session, held)): (usize, &(u16, Held))| {
            let session = &speaker.sessions[usize::from(*session)];
            // Nothing is sent to a router that cannot be reached.
            let cost = match held.next_hop.filter(|_| speaker.is_internal(session)) {
                Some(next_hop) => self.ways.cost(device, next_hop)?,
                None => 0,
            };
            let Route { path, local_preference, med, .. } = held.route;
            Some(Candidate {
                place,
                local_preference,
                length: self.attributes.length(path),
                first_as: self.attributes.first(path),
                med,
                internal: speaker.is_internal(session),
                cost,
                router_id: held.originator.unwrap_or_else(|| self.router_id(session)),
                clusters: held.clusters.len(),
                neighbor: session.target,
            })
        };
        choose(heard.iter().enumerate().filter_map(candidate).collect())
    }

    /// Returns the next hops that a device uses of what it hears, and whether they are those of its own AS.
    fn used(&self, device: usize, heard: &[(u16, Held)]) -> Option<(bool, BTreeSet<NextHop>)> {
        let chosen = self.chosen(device, heard);
        let speaker = &self.network.sessions.speakers[device];
        let session = |place: usize| &speaker.sessions[usize::from(heard[place].0)];
        let internal = speaker.is_internal(session(*chosen.first()?));
        if !internal {
            let chosen = chosen.into_iter().take(speaker.maximum_paths);
            return Some((false, chosen.map(|place| session(place).next_hop()).collect()));
        }
        // What several reflectors say of one router is one path.
        let mut exits: Vec<IpAddr> = Vec::new();
        for exit in chosen.into_iter().filter_map(|place| heard[place].1.next_hop) {
            if exits.len() < speaker.maximum_paths && !exits.contains(&exit) {
                exits.push(exit);
            }
        }
        Some((true, exits.into_iter().flat_map(|exit| self.ways.next_hops(device, exit)).collect()))
    }

    /// Returns the sessions with external neighbors over which a device announces its route. It does not go back to where
    /// it came from.
    fn advertised(&mut self, device: usize) -> Vec<u16> {
        let from = self.best[device].as_ref().and_then(|best| best.from);
        let speaker = &self.network.sessions.speakers[device];
        let ipv6 = self.ipv6;
        let goes = |index: &u16| {
            from != Some(*index)
                && self.network.sessions.sorts[speaker.sessions[usize::from(*index)].sort as usize].carries(ipv6)
        };
        let external = speaker.external.iter().copied().filter(goes);
        external.filter(|&index| self.said(device, index).is_some()).collect()
    }

    /// Tells whether a device has the route that it learned go into OSPF.
    fn redistributes(&mut self, device: usize) -> bool {
        let best = self.best[device].as_ref().filter(|best| best.from.is_some()).map(|best| best.held.route);
        let (Some(policy), Some(route)) = (self.network.sessions.speakers[device].redistribute, best) else {
            return false;
        };
        self.passed(policy, route).is_some()
    }
}
