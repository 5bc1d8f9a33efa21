//! The way of one packet through a predicted network, over all equal-cost paths, with what decides at each device.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use weft_device::{
    config::{Bgp, DeviceConfig, InterfaceKind},
    state::{RouteProtocol, SessionState},
};
use weft_model::{Asn, InterfaceName, Name, NodeName, Source, Sources, TerminationPoint};
use weft_simulate::{Cable, Packet};

use crate::fleet::cause;
use crate::traffic::{End, Plane, Predicted, Step, cable_at, numbers};

/// The devices that a packet passes: those first that it passes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Each device once, with the fewest links that packets cross to it, in that order and then in that of their names.
    pub visits: Vec<Visit>,
}

/// One device that a packet passes, and what it does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The device.
    pub node: NodeName,
    /// The fewest links that packets cross to it.
    pub distance: usize,
    /// The route of the longest prefix; none where the device has the address, or no route.
    pub route: Option<Decision>,
    /// The next devices with the interfaces that lead to them.
    pub next: Vec<(InterfaceName, NodeName)>,
    /// The access lists that are asked on the way out.
    pub rules: Vec<Asked>,
    /// How packets end here.
    pub ends: Vec<Ending>,
}

/// The route that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its prefix.
    pub prefix: IpNet,
    /// Who made it.
    pub protocol: RouteProtocol,
    /// Its equal-cost next hops.
    pub width: usize,
    /// Why BGP prefers it, where that can be said.
    pub because: Option<Because>,
    /// What caused it: of a connected or static route the intent of the device, of another one that of its origin.
    pub source: Option<Source>,
}

/// Why BGP prefers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// No other neighbor has a route that does not lead back here.
    NoOther,
    /// Its AS path has fewer ASes than the next best one; both numbers.
    Shorter(usize, usize),
    /// So many other neighbors have routes, and the policies of the network or the number of paths decide.
    Preferred(usize),
}

/// An access list that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The interface out of which the packet goes.
    pub interface: InterfaceName,
    /// The access list.
    pub acl: Name,
    /// The rule that decides; none where none matches, and the list's own action does.
    pub rule: Option<Name>,
    /// Whether the packet passes.
    pub passes: bool,
    /// Where the rule stands.
    pub source: Option<Source>,
}

/// How packets end at a device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// They arrive.
    Delivered,
    /// An external router takes them.
    Outside,
    /// They leave over a cable to a device of which nothing is known.
    Left,
    /// A route drops them on purpose.
    Discarded,
    /// No route matches.
    NoRoute,
    /// Nobody takes them behind this interface.
    Lost(InterfaceName),
    /// The access list of this interface drops them.
    Denied(InterfaceName),
    /// They come back to this device.
    Loop(NodeName),
    /// The routes of the device are not known.
    Unknown,
}

impl Paths {
    /// Tells whether every packet arrives, or leaves to the outside.
    pub fn arrives(&self) -> bool {
        let mut ends = self.visits.iter().flat_map(|visit| &visit.ends);
        ends.all(|end| matches!(end, Ending::Delivered | Ending::Outside | Ending::Left))
    }
}

/// Follows a packet from a device on; `None` when the device is off or not there. With `filtered`, access lists are asked, as they
/// are about packets that open a connection.
pub fn paths(network: Predicted<'_>, from: &NodeName, packet: &Packet, filtered: bool) -> Option<Paths> {
    let numbers = numbers(&[network]);
    let start = *numbers.get(from)?;
    let plane = Plane::new(network, &numbers).of_one_source();
    let asked = filtered.then_some(packet);
    let steps = plane.column(packet.destination, asked);
    let mut distances = BTreeMap::from([(start, 0)]);
    let mut waiting = std::collections::VecDeque::from([start]);
    while let Some(device) = waiting.pop_front() {
        let beyond = distances[&device] + 1;
        for &(_, far) in &steps[device].next {
            if let std::collections::btree_map::Entry::Vacant(free) = distances.entry(far) {
                free.insert(beyond);
                waiting.push_back(far);
            }
        }
    }
    let reasons = Reasons::new(network, &plane, &steps, &numbers);
    let visit = |(&device, &distance): (&usize, &usize)| {
        let step = &steps[device];
        let node = plane.name(device)?.clone();
        let name = |device: usize| plane.name(device).cloned();
        let mut ends: Vec<Ending> = step.ends.iter().map(ending).collect();
        let back = step.next.iter().filter(|(_, far)| leads_back(&steps, *far, device));
        let next = step.next.iter().filter(|(_, far)| !leads_back(&steps, *far, device));
        ends.extend(back.filter_map(|(_, far)| Some(Ending::Loop(name(*far)?))));
        ends.sort();
        ends.dedup();
        let config = plane.config(device);
        Some(Visit {
            distance,
            route: step.route.map(|(prefix, route)| Decision {
                prefix,
                protocol: route.protocol,
                width: route.next_hops.len(),
                because: reasons.because(device, prefix),
                source: config.and_then(|config| reasons.source(config, prefix, route.protocol, step)),
            }),
            next: next.filter_map(|(interface, far)| Some(((*interface).clone(), name(*far)?))).collect(),
            rules: asked.zip(config).map(|(packet, config)| rules(config, step, packet)).unwrap_or_default(),
            ends,
            node,
        })
    };
    let mut visits: Vec<Visit> = distances.iter().filter_map(visit).collect();
    visits.sort_by(|a, b| (a.distance, &a.node).cmp(&(b.distance, &b.node)));
    Some(Paths { visits })
}

/// Tells whether packets from one device on come to another.
fn leads_back(steps: &[Step<'_>], from: usize, to: usize) -> bool {
    let mut passed = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(device) = waiting.pop() {
        if device == to {
            return true;
        }
        if passed.insert(device) {
            waiting.extend(steps[device].next.iter().map(|(_, far)| *far));
        }
    }
    false
}

fn ending(end: &End<'_>) -> Ending {
    match end {
        End::Delivered(_) => Ending::Delivered,
        End::Outside(_) => Ending::Outside,
        End::Left(_) => Ending::Left,
        End::Discarded(_) => Ending::Discarded,
        End::NoRoute(_) => Ending::NoRoute,
        End::Lost(_, interface) => Ending::Lost((*interface).clone()),
        End::Denied(_, interface, ..) => Ending::Denied((*interface).clone()),
        End::Loop | End::Unknown(_) => Ending::Unknown,
    }
}

/// Returns the access lists that a device asks about a packet.
fn rules(config: &DeviceConfig, step: &Step<'_>, packet: &Packet) -> Vec<Asked> {
    let denied = step.ends.iter().filter_map(|end| match end {
        End::Denied(_, interface, ..) => Some(*interface),
        _ => None,
    });
    let mut out: BTreeSet<&InterfaceName> = step.next.iter().map(|(interface, _)| *interface).chain(denied).collect();
    // An address of a port for hosts stands for those behind it.
    let hosts = config.interfaces.iter().filter(|(_, interface)| {
        interface.kind == InterfaceKind::Host
            && interface.addresses.iter().any(|address| address.prefix.contains(&packet.destination))
    });
    if step.next.is_empty() {
        out.extend(hosts.map(|(name, _)| name));
    }
    let asked = |interface: &InterfaceName| {
        let judged = packet.judged(config, interface).filter(|_| !packet.is_sent_by(config))?;
        let set = config.acl_sets.get(judged.acl)?;
        let sources = judged.entry.map_or(set.provenance.of("default_action"), |entry| &entry.provenance.sources);
        Some(Asked {
            interface: interface.clone(),
            acl: judged.acl.clone(),
            rule: judged.entry.map(|entry| entry.name.clone()),
            passes: judged.passes,
            source: cause(sources).cloned(),
        })
    };
    out.into_iter().filter_map(asked).collect()
}

/// Why devices have the routes that they have.
struct Reasons<'r, 'a> {
    network: Predicted<'a>,
    plane: &'r Plane<'a>,
    steps: &'r [Step<'a>],
    numbers: &'r HashMap<NodeName, usize>,
    /// Whether policies change what a route is worth.
    weighed: bool,
}

impl<'r, 'a> Reasons<'r, 'a> {
    fn new(
        network: Predicted<'a>,
        plane: &'r Plane<'a>,
        steps: &'r [Step<'a>],
        numbers: &'r HashMap<NodeName, usize>,
    ) -> Self {
        let policies = network.configs.values().flat_map(|config| config.routing_policy.policy_definitions.values());
        let weighed = policies.flat_map(|policy| &policy.statements).any(|statement| {
            let change = &statement.transformations;
            change.local_preference.is_some() || change.med.is_some() || change.prepend.is_some()
        });
        Self { network, plane, steps, numbers, weighed }
    }

    /// Returns why BGP prefers the route of a device.
    fn because(&self, device: usize, prefix: IpNet) -> Option<Because> {
        let (decided, route) = self.steps[device].route?;
        let own = self.bgp(device)?;
        if route.protocol != RouteProtocol::Bgp || decided != prefix {
            return None;
        }
        let chosen: BTreeSet<usize> = self.steps[device].next.iter().map(|(_, far)| *far).collect();
        let others: Vec<usize> = self
            .neighbors(device)?
            .into_iter()
            .filter(|other| !chosen.contains(other) && self.has(*other, prefix))
            .filter(|other| !self.ases_behind(*other).contains(&own.asn))
            .collect();
        if others.is_empty() {
            return Some(Because::NoOther);
        }
        let length = |neighbor: usize| self.length(neighbor, prefix, &mut BTreeSet::new()).map(|length| length + 1);
        let best = chosen.iter().filter_map(|&neighbor| length(neighbor)).min();
        let next = others.iter().filter_map(|&neighbor| length(neighbor)).min();
        match (best, next) {
            (Some(best), Some(next)) if best < next && !self.weighed => Some(Because::Shorter(best, next)),
            _ => Some(Because::Preferred(others.len())),
        }
    }

    fn bgp(&self, device: usize) -> Option<&'a Bgp> {
        self.plane.config(device)?.bgp.as_ref()
    }

    /// Returns the devices at the other ends of sessions that are up; `None` where one is not on a cable, so that nobody can tell.
    fn neighbors(&self, device: usize) -> Option<BTreeSet<usize>> {
        let (node, bgp) = self.plane.name(device).zip(self.bgp(device))?;
        let states = self.network.states.get(node)?.neighbors.as_ref()?;
        let up = states.iter().filter(|(_, state)| state.session_state == SessionState::Established);
        let far = up.map(|(target, _)| {
            let near = TerminationPoint { node: node.clone(), interface: bgp.neighbors.get(target)?.interface.clone() };
            let cable: &Cable = cable_at(self.network.cables, &near)?;
            let far = cable.iter().find(|end| **end != near)?;
            self.numbers.get(&far.node).copied()
        });
        far.collect()
    }

    /// Tells whether a device has a route that it can announce.
    fn has(&self, device: usize, prefix: IpNet) -> bool {
        let fib = self.plane.name(device).and_then(|node| self.network.states.get(node)?.fib.as_ref());
        let Some(route) = fib.and_then(|fib| fib.get(&prefix)) else { return false };
        route.protocol == RouteProtocol::Bgp || self.originates(device, prefix)
    }

    fn originates(&self, device: usize, prefix: IpNet) -> bool {
        self.bgp(device).is_some_and(|bgp| bgp.networks.contains_key(&prefix))
    }

    /// Returns the ASes that packets pass from a device on.
    fn ases_behind(&self, device: usize) -> BTreeSet<Asn> {
        let mut passed = BTreeSet::new();
        let mut waiting = vec![device];
        while let Some(device) = waiting.pop() {
            if passed.insert(device) {
                waiting.extend(self.steps[device].next.iter().map(|(_, far)| *far));
            }
        }
        passed.into_iter().filter_map(|device| Some(self.bgp(device)?.asn)).collect()
    }

    /// Returns the ASes on the path of a device's own route; none where that cannot be followed.
    fn length(&self, device: usize, prefix: IpNet, open: &mut BTreeSet<usize>) -> Option<usize> {
        if self.originates(device, prefix) {
            return Some(0);
        }
        if !open.insert(device) {
            return None;
        }
        let own = self.bgp(device)?.asn;
        let lengths = self.steps[device].next.iter().filter_map(|&(_, far)| {
            let beyond = self.length(far, prefix, open)?;
            Some(beyond + usize::from(self.bgp(far)?.asn != own))
        });
        let shortest = lengths.min();
        open.remove(&device);
        shortest
    }

    /// Returns what caused a route.
    fn source(
        &self,
        config: &'a DeviceConfig,
        prefix: IpNet,
        protocol: RouteProtocol,
        step: &Step<'_>,
    ) -> Option<Source> {
        let last = |sources: &Sources| cause(sources).cloned();
        let connected = |config: &DeviceConfig| {
            let mut addresses = config.interfaces.values().flat_map(|interface| &interface.addresses);
            addresses.find(|address| address.prefix.trunc() == prefix).and_then(|a| last(&a.provenance.sources))
        };
        match protocol {
            RouteProtocol::Connected => connected(config),
            RouteProtocol::Static => config.static_routes.get(&prefix).and_then(|r| last(&r.provenance.sources)),
            RouteProtocol::Bgp | RouteProtocol::Ospf | RouteProtocol::Other => {
                // The origin is where packets go; with several, the intent is that of the first.
                let mut behind = BTreeSet::new();
                let mut waiting: Vec<usize> = step.next.iter().map(|(_, far)| *far).collect();
                while let Some(device) = waiting.pop() {
                    if behind.insert(device) {
                        waiting.extend(self.steps[device].next.iter().map(|(_, far)| *far));
                    }
                }
                let origin = |device: usize| {
                    let config = self.plane.config(device)?;
                    let network = config.bgp.as_ref().and_then(|bgp| bgp.networks.get(&prefix));
                    network.and_then(|n| last(&n.provenance.sources)).or_else(|| connected(config))
                };
                behind.into_iter().find_map(origin)
            }
        }
    }
}
