//! The BGP decision process, one class of prefixes at a time.

use std::collections::{HashMap, HashSet, VecDeque};

use ipnet::IpNet;
use rayon::prelude::*;
use weft_model::Community;

use crate::{
    attributes::{Attributes, Route},
    policy::{Policies, PolicyId, Verdict, Verdicts},
    session::Speaker,
};

/// A class is given up as unstable after so many decisions per device.
const MOST_DECISIONS_PER_DEVICE: usize = 64;

/// A route with one of these is not announced to another AS (RFC 1997).
const STAYS_WITHIN: [Community; 2] = [Community::Standard(65_535, 65_281), Community::Standard(65_535, 65_282)];

/// The devices and what they say to each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network<'n, 'a> {
    /// The devices.
    pub(crate) speakers: &'n [Speaker<'a>],
    /// For each device those that hear it: see [`readers`].
    pub(crate) readers: &'n [Vec<usize>],
    /// Their policies.
    pub(crate) policies: &'n Policies,
}

/// Prefixes of one address family that the same devices originate and on which every policy says the same.
#[derive(Debug)]
pub(crate) struct Class {
    /// The prefixes, in order.
    pub(crate) prefixes: Vec<IpNet>,
    /// The devices that originate them, in order.
    pub(crate) origins: Vec<usize>,
    /// What the policies say.
    pub(crate) verdicts: Verdicts,
}

/// What a device chose for the prefixes of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It has no BGP route.
    None,
    /// It originates them.
    Local,
    /// It uses the routes received over these of its sessions, the best first.
    Received(Box<[u16]>),
}

/// The routes of a class.
#[derive(Debug)]
pub(crate) struct ClassRoutes {
    /// What each device chose.
    pub(crate) choices: Vec<Choice>,
    /// Whether the choices are final; `false` when the bound on decisions was reached.
    pub(crate) stable: bool,
    /// The sessions over which each device receives the prefixes and accepts them, best or not.
    pub(crate) received: Vec<Vec<u16>>,
    /// The sessions with external neighbors over which each device announces the prefixes.
    pub(crate) advertised: Vec<Vec<u16>>,
    /// The devices that learned the prefixes and have them go into OSPF.
    pub(crate) redistributed: Vec<usize>,
}

/// Computes all classes.
pub(crate) fn routes(network: Network<'_, '_>, classes: &[Class]) -> Vec<ClassRoutes> {
    let routes = |class| {
        let Converged { choices, stable, announced, attributes } = converge(network, class, &Gone::default());
        let mut exchange = Exchange::new(network, class, attributes);
        let devices = 0..network.speakers.len();
        let mut heard = Vec::new();
        let received = |device| {
            exchange.received(device, |peer| announced[peer], &Gone::default(), &mut heard);
            heard.iter().map(|(session, _)| *session).collect()
        };
        let received = devices.clone().map(received).collect();
        let advertised = |device: usize| exchange.advertised(device, &choices[device], announced[device]);
        let advertised = devices.clone().map(advertised).collect();
        let redistributed = devices.filter(|&device| exchange.redistributes(device, &choices[device], &announced));
        let redistributed = redistributed.collect();
        ClassRoutes { choices, stable, received, advertised, redistributed }
    };
    classes.par_iter().map(routes).collect()
}

/// What the devices chose for a class, and what they announce to each other.
#[derive(Debug)]
pub(crate) struct Converged {
    /// What each device chose.
    pub(crate) choices: Vec<Choice>,
    /// Whether the choices are final; `false` when the bound on decisions was reached.
    pub(crate) stable: bool,
    announced: Vec<Option<Route>>,
    attributes: Attributes<'static>,
}

/// Computes one class, without what is gone. The readers of `network` are those that are left.
pub(crate) fn converge(network: Network<'_, '_>, class: &Class, gone: &Gone) -> Converged {
    Computation::new(network, class, gone).run(MOST_DECISIONS_PER_DEVICE * network.speakers.len())
}

/// Returns for each device those that hear it, each once.
pub(crate) fn readers(speakers: &[Speaker<'_>], gone: &Gone) -> Vec<Vec<usize>> {
    let hear = |(device, speaker): (usize, &Speaker<'_>)| {
        let left = (0_u16..).zip(&speaker.sessions).filter(|(index, _)| !gone.sessions.contains(&(device, *index)));
        let mut peers: Vec<usize> = left.map(|(_, session)| session.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    };
    speakers.iter().enumerate().map(hear).collect()
}

/// What is said over sessions about the prefixes of a class.
struct Exchange<'c, 'a, 'b> {
    network: Network<'c, 'a>,
    class: &'c Class,
    /// Whether the prefixes are those of IPv6.
    ipv6: bool,
    attributes: Attributes<'b>,
    /// What came of routes that a policy looked at more closely, by whether it was on their way out.
    judged: HashMap<(bool, PolicyId, Route), Option<Route>>,
}

impl<'c, 'a, 'b> Exchange<'c, 'a, 'b> {
    fn new(network: Network<'c, 'a>, class: &'c Class, attributes: Attributes<'b>) -> Self {
        let ipv6 = class.prefixes.first().is_some_and(|prefix| prefix.addr().is_ipv6());
        Self { network, class, ipv6, attributes, judged: HashMap::new() }
    }

    /// Fills `received` with the sessions over which a device receives a route that it accepts, with the route as it holds it.
    fn received(
        &mut self,
        device: usize,
        announced: impl Fn(usize) -> Option<Route>,
        gone: &Gone,
        received: &mut Vec<(u16, Route)>,
    ) {
        received.clear();
        let speaker = &self.network.speakers[device];
        for (index, session) in (0_u16..).zip(&speaker.sessions) {
            if !session.carries(self.ipv6) || gone.sessions.contains(&(device, index)) {
                continue;
            }
            let Some(route) = announced(session.peer) else { continue };
            let Some(route) = self.exported(session.peer_export, route) else { continue };
            if self.attributes.passes(route.path, speaker.asn) {
                continue;
            }
            if let Some(route) = self.imported(session.import, route) {
                received.push((index, route));
            }
        }
    }

    /// Returns the sessions with external neighbors over which a device announces its route. It does not go back to where
    /// it came from.
    fn advertised(&mut self, device: usize, choice: &Choice, announced: Option<Route>) -> Vec<u16> {
        let Some(route) = announced else { return Vec::new() };
        let from = match choice {
            Choice::None | Choice::Local => None,
            Choice::Received(sessions) => sessions.first(),
        };
        let sessions = &self.network.speakers[device].sessions;
        let external = self.network.speakers[device].external.iter().copied().filter(|index| from != Some(index));
        external
            .filter(|&index| {
                let session = &sessions[usize::from(index)];
                session.carries(self.ipv6) && self.exported(session.export, route).is_some()
            })
            .collect()
    }

    /// Tells whether a device has the route that it learned go into OSPF.
    fn redistributes(&mut self, device: usize, choice: &Choice, announced: &[Option<Route>]) -> bool {
        let speaker = &self.network.speakers[device];
        let (Some(policy), Choice::Received(_)) = (speaker.redistribute, choice) else { return false };
        match self.class.verdicts.of(policy) {
            Verdict::Rejects => false,
            Verdict::Takes => true,
            Verdict::Depends(program) => {
                let mut received = Vec::new();
                self.received(device, |peer| announced[peer], &Gone::default(), &mut received);
                let (_, best) = choose(&received, 1, &self.attributes);
                let taken = |best| self.network.policies.apply(policy, program, best, &mut self.attributes);
                best.and_then(taken).is_some()
            }
        }
    }

    /// Returns an announced route as it leaves through an export policy, which sees it without the AS of its device.
    fn exported(&mut self, policy: PolicyId, route: Route) -> Option<Route> {
        let program = match self.class.verdicts.of(policy) {
            Verdict::Rejects => return None,
            Verdict::Takes => return Some(route),
            Verdict::Depends(program) => program,
        };
        let attributes = &mut self.attributes;
        *self.judged.entry((true, policy, route)).or_insert_with(|| {
            let (asn, path) = attributes.split(route.path);
            let route = self.network.policies.apply(policy, program, Route { path, ..route }, attributes)?;
            let med = route.med;
            Some(Route { med, ..attributes.announced(asn, route) })
        })
    }

    /// Returns a received route as an import policy takes it.
    fn imported(&mut self, policy: PolicyId, route: Route) -> Option<Route> {
        let route = match self.class.verdicts.of(policy) {
            Verdict::Rejects => return None,
            Verdict::Takes => route,
            Verdict::Depends(program) => {
                let attributes = &mut self.attributes;
                let judge = || self.network.policies.apply(policy, program, route, attributes);
                (*self.judged.entry((false, policy, route)).or_insert_with(judge))?
            }
        };
        Some(shut_down(route, &self.attributes))
    }
}

/// Returns a route from another AS as a device holds it, after its import policy: one that is about to go away is the last to be
/// taken (RFC 8326 4.2). FRR does so by itself; other systems are configured to.
fn shut_down(route: Route, attributes: &Attributes<'_>) -> Route {
    if attributes.has_any(route.communities, &[Community::GRACEFUL_SHUTDOWN]) {
        Route { local_preference: 0, ..route }
    } else {
        route
    }
}

/// Returns what a device chooses of what it receives, in the order of its sessions, and the best route.
///
/// Preferred is the greatest local preference, then the shortest AS path, then among routes of one neighboring AS the smallest
/// MED, then the first session, which is that with the lowest router id. All routes are of origin IGP and from other ASes, so
/// that RFC 4271 9.1.2.2 knows no other difference. MEDs are compared within each AS first (`deterministic-med`). What is used
/// together with the best route is whatever equals it up to the router id; a route of another AS does, whatever its MED.
fn choose(received: &[(u16, Route)], maximum_paths: usize, attributes: &Attributes<'_>) -> (Choice, Option<Route>) {
    let mut first = (u32::MAX, u32::MAX);
    let mut equal: Vec<(u16, Route)> = Vec::with_capacity(received.len().min(maximum_paths));
    for (session, route) in received {
        let rank = (u32::MAX - route.local_preference, attributes.length(route.path));
        if rank < first {
            first = rank;
            equal.clear();
        }
        if rank == first {
            equal.push((*session, *route));
        }
    }
    let Some(&(_, mut best)) = equal.first() else { return (Choice::None, None) };
    if equal.iter().any(|(_, route)| route.med != best.med) {
        let asn = |route: &Route| attributes.split(route.path).0;
        let beaten = |a: &Route| equal.iter().any(|(_, b)| asn(b) == asn(a) && b.med < a.med);
        if let Some((index, (_, route))) = equal.iter().enumerate().find(|(_, (_, route))| !beaten(route)) {
            best = *route;
            equal[..=index].rotate_right(1);
        }
        equal.retain(|(_, route)| asn(route) != asn(&best) || route.med == best.med);
    }
    equal.truncate(maximum_paths);
    (Choice::Received(equal.iter().map(|(session, _)| *session).collect()), Some(best))
}

/// Returns what a device announces that holds a route.
fn announced(asn: u32, held: Option<Route>, attributes: &mut Attributes<'_>) -> Option<Route> {
    let held = held?;
    // Every session is with another AS.
    if attributes.has_any(held.communities, &STAYS_WITHIN) {
        return None;
    }
    Some(attributes.announced(asn, held))
}

struct Computation<'c, 'a> {
    exchange: Exchange<'c, 'a, 'static>,
    gone: &'c Gone,
    received: Vec<(u16, Route)>,
    choices: Vec<Choice>,
    /// The route that each device announces before its export policies, its own AS included.
    announced: Vec<Option<Route>>,
    origins: Vec<usize>,
}

impl<'c, 'a> Computation<'c, 'a> {
    fn new(network: Network<'c, 'a>, class: &'c Class, gone: &'c Gone) -> Self {
        let speakers = network.speakers;
        let mut attributes = Attributes::new();
        let mut choices = vec![Choice::None; speakers.len()];
        let mut announced = vec![None; speakers.len()];
        let origins: Vec<usize> = class.origins.iter().copied().filter(|o| !gone.origins.contains(o)).collect();
        for &origin in &origins {
            choices[origin] = Choice::Local;
            announced[origin] = Some(attributes.announced(speakers[origin].asn, Attributes::originated()));
        }
        let exchange = Exchange::new(network, class, attributes);
        Self { exchange, gone, received: Vec::new(), choices, announced, origins }
    }

    /// Lets devices decide until none changes what it announces.
    fn run(mut self, mut decisions: usize) -> Converged {
        let readers = self.exchange.network.readers;
        let mut queue = Queue { waiting: VecDeque::new(), queued: vec![false; readers.len()] };
        for &origin in &self.origins {
            queue.push(&readers[origin]);
        }
        let mut stable = true;
        while let Some(device) = queue.waiting.pop_front() {
            if decisions == 0 {
                stable = false;
                break;
            }
            decisions -= 1;
            queue.queued[device] = false;
            if self.decide(device) {
                queue.push(&readers[device]);
            }
        }
        let Self { exchange, choices, announced, .. } = self;
        Converged { choices, stable, announced, attributes: exchange.attributes }
    }

    /// Lets a device choose, and tells whether it now announces something else.
    fn decide(&mut self, device: usize) -> bool {
        if self.choices[device] == Choice::Local {
            return false;
        }
        let speaker = &self.exchange.network.speakers[device];
        self.exchange.received(device, |peer| self.announced[peer], self.gone, &mut self.received);
        let (choice, best) = choose(&self.received, speaker.maximum_paths, &self.exchange.attributes);
        self.choices[device] = choice;
        let announced = announced(speaker.asn, best, &mut self.exchange.attributes);
        std::mem::replace(&mut self.announced[device], announced) != announced
    }
}

/// The devices that are to decide, each once.
struct Queue {
    waiting: VecDeque<usize>,
    queued: Vec<bool>,
}

impl Queue {
    fn push(&mut self, devices: &[usize]) {
        for &device in devices {
            if !std::mem::replace(&mut self.queued[device], true) {
                self.waiting.push_back(device);
            }
        }
    }
}

/// What is gone after a failure.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Sessions, as device and index, from both ends.
    pub(crate) sessions: Vec<(usize, u16)>,
    /// Devices that originate the class no more.
    pub(crate) origins: Vec<usize>,
}

/// Returns what devices choose otherwise once something is gone; `None` when the bound on decisions was reached.
///
/// Only those decide again that hear of it. The result is that of a computation from the start, because there is only one stable
/// choice: what a device may choose among routes of length `n + 1` follows from what others chose among shorter ones, whatever
/// policies do with communities, MEDs and longer paths on the way. Where a local preference comes before the length, that is
/// not so, and all is computed from the start.
pub(crate) fn repair(
    network: Network<'_, '_>,
    class: &Class,
    base: &Converged,
    gone: &Gone,
) -> Option<HashMap<usize, Choice>> {
    if network.policies.prefers(&class.verdicts) {
        let readers = readers(network.speakers, gone);
        let converged = converge(Network { readers: &readers, ..network }, class, gone);
        let choices = converged.choices.into_iter().enumerate();
        let changed = choices.filter(|(device, choice)| *choice != base.choices[*device]);
        return converged.stable.then(|| changed.collect());
    }
    let Network { speakers, readers, .. } = network;
    let mut exchange = Exchange::new(network, class, Attributes::on(&base.attributes));
    let mut received = Vec::new();
    let mut changed: HashMap<usize, Option<Route>> = HashMap::new();
    let mut choices: HashMap<usize, Choice> = HashMap::new();
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let ends = gone.sessions.iter().map(|(device, _)| device).chain(&gone.origins);
    for &device in ends {
        if !waiting.contains(&device) {
            waiting.push_back(device);
        }
    }
    let mut queued: HashSet<usize> = waiting.iter().copied().collect();
    let mut decisions = MOST_DECISIONS_PER_DEVICE * speakers.len();
    while let Some(device) = waiting.pop_front() {
        queued.remove(&device);
        decisions = decisions.checked_sub(1)?;
        if base.choices[device] == Choice::Local && !gone.origins.contains(&device) {
            continue;
        }
        let speaker = &speakers[device];
        let announces = |peer: usize| changed.get(&peer).copied().unwrap_or(base.announced[peer]);
        exchange.received(device, announces, gone, &mut received);
        let (choice, best) = choose(&received, speaker.maximum_paths, &exchange.attributes);
        let former = announces(device);
        let now = announced(speaker.asn, best, &mut exchange.attributes);
        choices.insert(device, choice);
        changed.insert(device, now);
        if now != former {
            for &reader in &readers[device] {
                if queued.insert(reader) {
                    waiting.push_back(reader);
                }
            }
        }
    }
    choices.retain(|device, choice| *choice != base.choices[*device]);
    Some(choices)
}
