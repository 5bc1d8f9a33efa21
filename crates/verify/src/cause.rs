//! The likely cause of what differs from the prediction.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_device::{
    config::{InterfaceKind, Neighbor, NeighborTarget},
    state::{NextHop, RouteProtocol, RouteTable, SessionState},
};
use weft_model::{InterfaceName, NodeName};

use crate::{
    Intended, MismatchKind, Observed, RouteMismatch, Table, deviation,
    faults::Faults,
    owners::Owners,
    routes::{difference, lost},
};

/// What kind of thing causes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseKind {
    /// An interface carries nothing.
    InterfaceDown,
    /// A session is not established, or an adjacency not full.
    SessionDown,
    /// Nothing is known of a device.
    Unobserved,
    /// A device does not run the intended configuration.
    Drift,
    /// The device that a prefix comes from does not have it, or cannot announce it.
    MissingOrigin,
    /// A session is up, and what should come over it is kept back, or the other way round.
    Policy,
    /// The routing daemon uses fewer paths of equal cost than it is told to.
    MultipathLimit,
    /// The routing daemon is right, and what forwards packets is not.
    StaleForwarding,
    /// The device, or one that it hears of, is known to do such things against an RFC.
    KnownDeviation,
    /// Nothing is seen that explains it.
    Unknown,
}

impl CauseKind {
    /// Returns the word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InterfaceDown => "interface-down",
            Self::SessionDown => "session-down",
            Self::Unobserved => "unobserved",
            Self::Drift => "drift",
            Self::MissingOrigin => "missing-origin",
            Self::Policy => "policy",
            Self::MultipathLimit => "multipath-limit",
            Self::StaleForwarding => "stale-forwarding",
            Self::KnownDeviation => "known-deviation",
            Self::Unknown => "unknown",
        }
    }
}

/// What most likely causes a difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Of what kind it is.
    pub kind: CauseKind,
    /// What it is, in a line such as `link down: b1-leaf-01:swp15`.
    pub words: String,
}

impl Cause {
    /// Returns a cause.
    pub(crate) fn new(kind: CauseKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into() }
    }

    /// Returns that nothing explains it.
    pub(crate) fn unknown() -> Self {
        Self::new(CauseKind::Unknown, "unknown")
    }

    /// Returns it unless nothing is known.
    pub fn known(&self) -> Option<&Self> {
        (self.kind != CauseKind::Unknown).then_some(self)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.words)
    }
}

/// How many routes of a device one cause explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseGroup {
    /// The device.
    pub device: NodeName,
    /// The cause.
    pub cause: Cause,
    /// The prefixes whose routes differ for it.
    pub routes: usize,
    /// The entries of RIB and FIB.
    pub entries: usize,
}

/// Puts the differences of a device that have one cause together, those first that explain most.
pub(crate) fn group(mismatches: &[RouteMismatch]) -> Vec<CauseGroup> {
    let mut groups: BTreeMap<(&NodeName, &Cause), (BTreeSet<&IpNet>, usize)> = BTreeMap::new();
    for mismatch in mismatches {
        let (prefixes, entries) = groups.entry((&mismatch.device, &mismatch.cause)).or_default();
        prefixes.insert(&mismatch.prefix);
        *entries += 1;
    }
    let group = |((device, cause), (prefixes, entries)): ((&NodeName, &Cause), (BTreeSet<_>, usize))| CauseGroup {
        device: device.clone(),
        cause: cause.clone(),
        routes: prefixes.len(),
        entries,
    };
    let mut groups: Vec<CauseGroup> = groups.into_iter().map(group).collect();
    groups.sort_by_key(|group| Reverse(group.routes));
    groups
}

/// Looks for causes, among all that was seen.
pub(crate) struct Detective<'a> {
    intended: &'a Intended<'a>,
    observed: &'a BTreeMap<NodeName, Observed>,
    owners: &'a Owners,
    faults: &'a Faults,
    /// The entries of RIBs that differ.
    differing: BTreeMap<(&'a NodeName, IpNet), &'a RouteMismatch>,
    /// The most next hops of any route in the RIB of a device.
    widest: BTreeMap<&'a NodeName, usize>,
    /// The devices that have a prefix of their own.
    origins: BTreeMap<IpNet, Vec<&'a NodeName>>,
}

impl<'a> Detective<'a> {
    /// Looks at everything once.
    pub(crate) fn new(
        intended: &'a Intended<'a>,
        observed: &'a BTreeMap<NodeName, Observed>,
        owners: &'a Owners,
        faults: &'a Faults,
        mismatches: &'a [RouteMismatch],
    ) -> Self {
        let differing: BTreeMap<_, _> = mismatches
            .iter()
            .filter(|mismatch| mismatch.table == Table::Rib)
            .map(|mismatch| ((&mismatch.device, mismatch.prefix), mismatch))
            .collect();
        let widest = |rib: &RouteTable| rib.values().map(|route| route.next_hops.len()).max().unwrap_or(0);
        let widest = observed.iter().filter_map(|(device, seen)| Some((device, widest(seen.state.rib.as_ref()?))));
        let mut origins: BTreeMap<IpNet, Vec<&NodeName>> = BTreeMap::new();
        // Without a difference nobody asks for them.
        if !mismatches.is_empty() {
            for (device, state) in
                intended.predicted.states.iter().filter(|(name, _)| intended.configs.contains_key(*name))
            {
                for (prefix, route) in state.rib.iter().flatten() {
                    if matches!(route.protocol, RouteProtocol::Connected | RouteProtocol::Static) {
                        origins.entry(*prefix).or_default().push(device);
                    }
                }
            }
        }
        Self { intended, observed, owners, faults, differing, widest: widest.collect(), origins }
    }

    /// Says what most likely causes the difference of an entry.
    pub(crate) fn of_route(&self, mismatch: &RouteMismatch) -> Cause {
        if self.is_stale(mismatch) {
            return Cause::new(CauseKind::StaleForwarding, "the forwarding table does not follow the routing daemon");
        }
        self.trace(mismatch, &mut BTreeSet::new()).unwrap_or_else(Cause::unknown)
    }

    /// Tells whether the daemon has the right route and the kernel has not.
    fn is_stale(&self, mismatch: &RouteMismatch) -> bool {
        if mismatch.table != Table::Fib {
            return false;
        }
        let rib = self.observed.get(&mismatch.device).and_then(|seen| seen.state.rib.as_ref());
        match rib.and_then(|rib| rib.get(&mismatch.prefix)) {
            Some(route) => difference(&mismatch.expected, &route.next_hops).is_none(),
            None => mismatch.is == MismatchKind::Unexpected && rib.is_some(),
        }
    }

    /// Looks for what is down first: at the device, where the prefix comes from, upstream. A configuration that is not the
    /// intended one explains less, since a link that is down is one, too. Last comes anything else that is broken.
    fn trace(&self, mismatch: &RouteMismatch, asked: &mut BTreeSet<NodeName>) -> Option<Cause> {
        let device = &mismatch.device;
        asked.insert(device.clone());
        let interfaces: BTreeSet<&InterfaceName> = lost(mismatch).filter_map(NextHop::interface).collect();
        interfaces
            .iter()
            .find_map(|interface| self.faults.at(device, interface))
            .or_else(|| self.origin(mismatch))
            .or_else(|| interfaces.iter().find_map(|interface| self.upstream(mismatch, interface, asked)))
            .or_else(|| self.drift(mismatch, &interfaces))
            .or_else(|| self.narrow(mismatch))
            .or_else(|| self.kept_back(mismatch, &interfaces))
            .or_else(|| self.faults.elsewhere())
            .or_else(|| self.let_in(mismatch))
            .or_else(|| {
                let known = deviation(self.intended.configs, mismatch)?;
                Some(Cause::new(CauseKind::KnownDeviation, format!("known of its version: {known}")))
            })
    }

    /// Finds a configuration that is not the intended one: of the device, of those upstream, of the place the prefix comes from.
    fn drift(&self, mismatch: &RouteMismatch, interfaces: &BTreeSet<&InterfaceName>) -> Option<Cause> {
        let device = &mismatch.device;
        let upstream = interfaces.iter().filter_map(|interface| self.peer(device, interface));
        let origin = self.claimed(&mismatch.prefix).map(|(node, _)| node);
        std::iter::once(device).chain(upstream).chain(origin).find_map(|node| self.faults.of(node))
    }

    /// Returns the node that a prefix belongs to, and its port where it is the subnet of one.
    fn claimed(&self, prefix: &IpNet) -> Option<(&'a NodeName, Option<&'a InterfaceName>)> {
        let claims = self.owners.prefix(prefix)?;
        match (&claims.host_port, &claims.loopback) {
            (Some((_, port)), _) => Some((&port.node, Some(&port.interface))),
            (None, Some(node)) => Some((node, None)),
            (None, None) => None,
        }
    }

    /// A daemon that takes fewer paths than it is told to never has more of them, whatever the prefix.
    fn narrow(&self, mismatch: &RouteMismatch) -> Option<Cause> {
        let (device, found) = (&mismatch.device, mismatch.found.len());
        let config = self.intended.configs.get(device)?;
        let told = config.profile.behavior.paths(config.bgp.as_ref()?.maximum_paths);
        let limit = *self.widest.get(device)?;
        let is_limit = mismatch.is == MismatchKind::Thinner && found == limit && limit < mismatch.expected.len();
        let others = self.differing.values().filter(|other| other.device == *device);
        let all = is_limit && others.into_iter().all(|other| other.found.len() == limit);
        all.then(|| {
            let words = format!("no route of {device} is wider than {limit}, and {told} next hops are allowed");
            Cause::new(CauseKind::MultipathLimit, words)
        })
    }

    /// Looks at the device that a prefix comes from.
    fn origin(&self, mismatch: &RouteMismatch) -> Option<Cause> {
        let missing = |cause: Cause| match mismatch.is {
            MismatchKind::Missing => Cause::new(CauseKind::MissingOrigin, format!("missing origin: {cause}")),
            MismatchKind::Unexpected | MismatchKind::Thinner | MismatchKind::Different => cause,
        };
        if let Some((node, interface)) = self.claimed(&mismatch.prefix) {
            let at_port = interface.and_then(|interface| self.faults.at(node, interface));
            if let Some(fault) = at_port.or_else(|| self.faults.silent(node)) {
                return Some(missing(fault));
            }
        }
        // All of those that have it of their own have lost it.
        let origins = self.origins.get(&mismatch.prefix)?;
        let has_none = |node: &&&NodeName| {
            let rib = self.observed.get(**node).and_then(|seen| seen.state.rib.as_ref());
            rib.is_some_and(|rib| !rib.contains_key(&mismatch.prefix))
        };
        let first = origins.first().filter(|_| origins.iter().all(|node| has_none(&node)))?;
        let words = format!("missing origin: {first} has no {}", mismatch.prefix);
        Some(Cause::new(CauseKind::MissingOrigin, words))
    }

    /// Looks at the device behind an interface: where it has the same trouble, its cause is the cause.
    fn upstream(
        &self,
        mismatch: &RouteMismatch,
        interface: &InterfaceName,
        asked: &mut BTreeSet<NodeName>,
    ) -> Option<Cause> {
        let peer = self.peer(&mismatch.device, interface)?;
        if asked.contains(peer) {
            return None;
        }
        let theirs = self.differing.get(&(peer, mismatch.prefix));
        match theirs {
            Some(theirs) => self.trace(theirs, asked),
            None => self.faults.silent(peer),
        }
    }

    /// Finds a session that is up to a device that has the route, and over which fewer prefixes come than predicted.
    fn kept_back(&self, mismatch: &RouteMismatch, interfaces: &BTreeSet<&InterfaceName>) -> Option<Cause> {
        interfaces.iter().find_map(|interface| {
            let (received, predicted) = self.received(&mismatch.device, interface)?;
            let far = self.far(&mismatch.device, interface);
            let words =
                format!("policy: {received} of {predicted} prefixes are accepted from {far}, and the session is up");
            (received < predicted).then(|| Cause::new(CauseKind::Policy, words))
        })
    }

    /// Finds a session over which more prefixes come than predicted.
    fn let_in(&self, mismatch: &RouteMismatch) -> Option<Cause> {
        let interfaces =
            mismatch.found.iter().filter(|hop| !mismatch.expected.contains(hop)).filter_map(NextHop::interface);
        interfaces.into_iter().find_map(|interface| {
            let (received, predicted) = self.received(&mismatch.device, interface)?;
            let far = self.far(&mismatch.device, interface);
            let words = format!("policy: {received} prefixes are accepted from {far}, and {predicted} were to be");
            (received > predicted).then(|| Cause::new(CauseKind::Policy, words))
        })
    }

    /// Returns how many prefixes are accepted over the sessions on an interface that are up, and how many were predicted.
    fn received(&self, device: &NodeName, interface: &InterfaceName) -> Option<(u32, u32)> {
        let predicted = self.intended.predicted.states.get(device)?.neighbors.as_ref()?;
        let observed = self.observed.get(device)?.state.neighbors.as_ref()?;
        let mut sums = (0, 0);
        for (target, _) in self.sessions(device, interface) {
            let seen = observed.get(target).filter(|state| state.session_state == SessionState::Established)?;
            sums.0 += seen.prefixes_received?;
            sums.1 += predicted.get(target)?.prefixes_received?;
        }
        Some(sums)
    }

    fn sessions(
        &self,
        device: &NodeName,
        interface: &InterfaceName,
    ) -> impl Iterator<Item = (&'a NeighborTarget, &'a Neighbor)> {
        let neighbors = self.intended.configs.get(device).and_then(|config| config.bgp.as_ref());
        let on_interface = move |(_, neighbor): &(&NeighborTarget, &Neighbor)| neighbor.interface == *interface;
        neighbors.into_iter().flat_map(|bgp| &bgp.neighbors).filter(on_interface)
    }

    /// Returns the device of ours behind an interface.
    fn peer(&self, device: &NodeName, interface: &InterfaceName) -> Option<&'a NodeName> {
        match &self.intended.configs.get(device)?.interfaces.get(interface)?.kind {
            InterfaceKind::Link { peer } => Some(&peer.node),
            InterfaceKind::Loopback | InterfaceKind::Host | InterfaceKind::External => None,
        }
    }

    /// Names what is behind an interface.
    fn far(&self, device: &NodeName, interface: &InterfaceName) -> String {
        let peering = || self.owners.session(device, interface).map(|intent| intent.name.to_string());
        self.peer(device, interface).map(ToString::to_string).or_else(peering).unwrap_or_else(|| interface.to_string())
    }
}
