//! Reachability intents: the paths over the observed forwarding tables, what the probes found, and what redundancy is left.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_compile::flow_protocol;
use weft_device::{
    config::NeighborTarget,
    state::{DeviceState, NextHop, Route, RouteProtocol, SessionState},
};
use weft_intent::{
    Intent,
    spec::{Expectation, FlowEnd, ReachabilitySpec},
};
use weft_model::{IntentKind, NodeName, TerminationPoint};
use weft_simulate::{Bounds, Filters, Forwarding, Hop, Outcome, Packet, Stray, Trace};

use crate::{
    Compliance, Evidence, Intended, Observed, Part, ProbeResults,
    faults::Faults,
    flows::{self, FlowDestination, FlowSource},
    ledger::{Ledger, Topic},
    owners::Owners,
    peering::few,
    probes,
};

/// So many pairs of one intent are followed through the network at least; of more, a choice that has each of their ends.
const MOST_PATHS: usize = 4096;

/// Keeps what was observed for every Reachability intent.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    probes: &ProbeResults,
    owners: &Owners,
    faults: &Faults,
    ledger: &mut Ledger,
) {
    if intended.intents.reachabilities.is_empty() {
        return;
    }
    let states = states(intended, observed);
    let forwarding = Forwarding::new(&states, intended.cables).with_access_lists(intended.configs);
    let filters = Filters::of(intended.configs.values());
    for reachability in intended.intents.reachabilities.values() {
        let sources = flows::sources(intended, owners, &reachability.spec.from);
        let destinations = flows::destinations(intended, owners, &reachability.spec.to);
        let spec = &reachability.spec;
        let every = spec.expect == Expectation::Isolated;
        let apart = every.then(|| flows::apart(&filters, &sources, &destinations));
        let (from, to) = apart.as_ref().map_or((&sources, &destinations), |(from, to)| (from, to));
        let pairs = flows::cover(from, to, MOST_PATHS);
        let protocol = flow_protocol(spec.protocol);
        let kinds = filters.kinds(protocol, &spec.ports, every || protocol.is_some());
        let any = !every && protocol.is_none() && filters.any();
        let kinds_of = |(from, to): (&FlowSource, &FlowDestination)| {
            // Where anything may arrive, that is asked for which access lists let through.
            let of = |config| filters.let_in(config, from.address, to.address);
            let some = match &to.node {
                _ if !any => None,
                Some(node) => intended.configs.get(node).and_then(of),
                // The address of a host.
                None => intended.configs.values().find_map(of),
            };
            some.map_or_else(|| kinds.clone(), |some| vec![some])
        };
        for ((from, to), (protocol, port)) in
            pairs.chosen.iter().flat_map(|pair| kinds_of(*pair).into_iter().map(move |kind| (pair, kind)))
        {
            let packet = Packet { source: from.address, destination: to.address, protocol, port };
            let trace = forwarding.trace_packet(&from.node, &packet);
            match spec.expect {
                Expectation::Reachable => {
                    let holds = reachable(reachability, from, to, &trace, observed, ledger);
                    if holds && strays(reachability, from, to, (&forwarding, &packet), ledger) {
                        continue;
                    }
                    ledger.holds(&reachability.reference, Topic::Path, usize::from(holds));
                }
                Expectation::Isolated => isolated(reachability, from, to, &trace, observed, ledger),
            }
        }
        if pairs.chosen.len() < pairs.of {
            let words = format!("{} of {} pairs followed", pairs.chosen.len(), pairs.of);
            ledger.note(&reachability.reference, words);
        }
        match reachability.spec.expect {
            Expectation::Reachable => redundancy(intended, reachability, faults, ledger),
            Expectation::Isolated => unannounced(intended, reachability, &destinations, observed, ledger),
        }
        probes::assess(&reachability.reference, probes, observed, ledger);
    }
}

/// Returns the observed network: the devices as they were observed, the external routers as predicted, with the routes to
/// our prefixes that they were really sent.
pub(crate) fn states(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
) -> BTreeMap<NodeName, DeviceState> {
    let mut states: BTreeMap<NodeName, DeviceState> = BTreeMap::new();
    for device in intended.configs.keys() {
        let state = observed.get(device).map(|seen| &seen.state);
        // Only what a packet meets: a device of which nothing is known is known not to be known.
        let state = DeviceState {
            interfaces: state.and_then(|state| state.interfaces.clone()),
            fib: state.and_then(|state| state.fib.clone()),
            ..DeviceState::default()
        };
        states.insert(device.clone(), state);
    }
    for router in intended.external.configs.keys() {
        if let Some(state) = intended.predicted.states.get(router) {
            states.insert(router.clone(), state.clone());
        }
    }
    let far: BTreeMap<&TerminationPoint, &TerminationPoint> =
        intended.cables.iter().flat_map(|[a, b]| [(a, b), (b, a)]).collect();
    for session in intended.intents.peerings.values().flat_map(|peering| &peering.spec.sessions) {
        let port = TerminationPoint { node: session.port.node.clone(), interface: session.port.interface.clone() };
        let Some(seen) = observed.get(&port.node) else { continue };
        let Some(advertised) = &seen.state.advertised else { continue };
        let Some(router) = far.get(&port) else { continue };
        let Some(fib) = states.get_mut(&router.node).and_then(|state| state.fib.as_mut()) else { continue };
        let target = NeighborTarget::Address(session.neighbor);
        let none = BTreeSet::new();
        let established = seen
            .state
            .neighbors
            .as_ref()
            .and_then(|neighbors| neighbors.get(&target))
            .is_none_or(|neighbor| neighbor.session_state == SessionState::Established);
        let sent = advertised.get(&target).filter(|_| established).unwrap_or(&none);
        fib.retain(|prefix, route| {
            if route.protocol == RouteProtocol::Bgp && !sent.contains(prefix) {
                route.next_hops.retain(|hop| hop.interface() != Some(&router.interface));
            }
            !route.next_hops.is_empty()
        });
        for prefix in sent {
            let route =
                fib.entry(*prefix).or_insert_with(|| Route { protocol: RouteProtocol::Bgp, next_hops: [].into() });
            if route.protocol == RouteProtocol::Bgp && !route.interfaces().contains(&router.interface) {
                let (interface, via) = (router.interface.clone(), Some(session.address.addr()));
                route.next_hops.insert(NextHop::Interface { interface, via });
            }
        }
    }
    states
}

/// Every packet must arrive, over as many paths as asked for. Tells whether it does.
fn reachable(
    reachability: &Intent<ReachabilitySpec>,
    from: &FlowSource,
    to: &FlowDestination,
    trace: &Trace,
    observed: &BTreeMap<NodeName, Observed>,
    ledger: &mut Ledger,
) -> bool {
    let intent = &reachability.reference;
    let subject = subject(from, to);
    let mut arrives = true;
    for (outcome, hops) in &trace.outcomes {
        let wrong = match outcome {
            Outcome::Delivered { node } => to.node.as_ref().is_some_and(|expected| expected != node),
            Outcome::Unknown { node } => {
                arrives = false;
                ledger.unread(intent, node, observed.get(node), Part::Fib);
                continue;
            }
            Outcome::Left { .. }
            | Outcome::Discarded { .. }
            | Outcome::NoRoute { .. }
            | Outcome::Lost { .. }
            | Outcome::Denied { .. }
            | Outcome::Looped { .. } => true,
        };
        if wrong {
            arrives = false;
            let expected = to.node.as_ref().map_or("delivered".to_owned(), |node| format!("delivered at {node}"));
            let observed = format!("{outcome}, over {}", path(hops));
            let (compliance, device) = (Compliance::Violated, Some(from.node.clone()));
            let evidence = Evidence { compliance, device, subject: subject.clone(), expected, observed };
            ledger.fails(intent, Topic::Path, evidence);
        }
    }
    if arrives {
        let wanted = usize::from(reachability.spec.min_paths);
        if trace.first_hops < wanted {
            let evidence = Evidence {
                compliance: Compliance::Degraded,
                device: Some(from.node.clone()),
                subject: format!("number of equal-cost {subject}"),
                expected: format!("at least {wanted}"),
                observed: trace.first_hops.to_string(),
            };
            ledger.fails(intent, Topic::Path, evidence);
            return false;
        }
    }
    arrives
}

/// No packet may take a way that the intent does not allow. Tells whether one does.
fn strays(
    reachability: &Intent<ReachabilitySpec>,
    from: &FlowSource,
    to: &FlowDestination,
    (forwarding, packet): (&Forwarding<'_>, &Packet),
    ledger: &mut Ledger,
) -> bool {
    let spec = &reachability.spec;
    let numbers = |nodes: &[NodeName]| nodes.iter().filter_map(|node| forwarding.number(node)).collect();
    let bounds = Bounds {
        via: (!spec.via.is_empty()).then(|| numbers(&spec.via)),
        avoid: numbers(&spec.avoid),
        max_hops: spec.max_hops.map(usize::from),
    };
    let Some(start) = forwarding.number(&from.node).filter(|_| bounds != Bounds::default()) else { return false };
    let ways = forwarding.ways(packet.destination, Some(packet), [start]);
    let Some((stray, way)) = ways.stray(start, &bounds) else { return false };
    let names = |nodes: &[NodeName]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let expected = match stray {
        Stray::Misses => format!("over {}", names(&spec.via)),
        Stray::Meets => format!("not over {}", names(&spec.avoid)),
        Stray::TooLong => format!("at most {} devices", spec.max_hops.unwrap_or(u8::MAX)),
    };
    let evidence = Evidence {
        compliance: Compliance::Violated,
        device: Some(from.node.clone()),
        subject: subject(from, to),
        expected,
        observed: path(&forwarding.hops(&way, packet.destination, Some(packet))),
    };
    ledger.fails(&reachability.reference, Topic::Path, evidence);
    true
}

/// No packet may arrive.
fn isolated(
    reachability: &Intent<ReachabilitySpec>,
    from: &FlowSource,
    to: &FlowDestination,
    trace: &Trace,
    observed: &BTreeMap<NodeName, Observed>,
    ledger: &mut Ledger,
) {
    let intent = &reachability.reference;
    if trace.is_isolated() {
        ledger.holds(intent, Topic::Path, 1);
        return;
    }
    for (outcome, hops) in &trace.outcomes {
        let compliance = match outcome {
            Outcome::Delivered { .. } => Compliance::Violated,
            Outcome::Left { .. } => Compliance::Unknown,
            Outcome::Unknown { node } => {
                ledger.unread(intent, node, observed.get(node), Part::Fib);
                continue;
            }
            Outcome::Discarded { .. }
            | Outcome::NoRoute { .. }
            | Outcome::Lost { .. }
            | Outcome::Denied { .. }
            | Outcome::Looped { .. } => continue,
        };
        let evidence = Evidence {
            compliance,
            device: Some(from.node.clone()),
            subject: subject(from, to),
            expected: "no path".to_owned(),
            observed: format!("{outcome}, over {}", path(hops)),
        };
        ledger.fails(intent, Topic::Path, evidence);
    }
}

/// An external neighbor must not be told of what it must not reach.
fn unannounced(
    intended: &Intended<'_>,
    reachability: &Intent<ReachabilitySpec>,
    destinations: &[FlowDestination],
    observed: &BTreeMap<NodeName, Observed>,
    ledger: &mut Ledger,
) {
    let intent = &reachability.reference;
    let peering = match &reachability.spec.from {
        FlowEnd::Intent(from) if from.kind == IntentKind::Peering => intended.intents.peerings.get(&from.name),
        FlowEnd::Intent(_) | FlowEnd::Node(_) | FlowEnd::Address(_) => None,
    };
    let Some(peering) = peering else { return };
    let overlaps =
        |prefix: &IpNet| destinations.iter().any(|to| prefix.contains(&to.subnet) || to.subnet.contains(prefix));
    for session in &peering.spec.sessions {
        let (device, target) = (&session.port.node, NeighborTarget::Address(session.neighbor));
        let seen = observed.get(device);
        let Some(advertised) = seen.and_then(|seen| seen.state.advertised.as_ref()) else {
            ledger.unread(intent, device, seen, Part::Advertised);
            continue;
        };
        let leaked: Vec<String> = advertised
            .get(&target)
            .into_iter()
            .flatten()
            .filter(|prefix| overlaps(prefix))
            .map(ToString::to_string)
            .collect();
        if leaked.is_empty() {
            ledger.holds(intent, Topic::Announcement, 1);
            continue;
        }
        let evidence = Evidence {
            compliance: Compliance::Violated,
            device: Some(device.clone()),
            subject: format!("prefixes announced to {} ({})", peering.reference.name, session.neighbor),
            expected: format!("nothing of {}", reachability.spec.to),
            observed: few(&leaked),
        };
        ledger.fails(intent, Topic::Announcement, evidence);
    }
}

/// What is to survive a loss does not survive another one while something is lost.
fn redundancy(intended: &Intended<'_>, reachability: &Intent<ReachabilitySpec>, faults: &Faults, ledger: &mut Ledger) {
    let survive = &reachability.spec.survive;
    if survive.links == 0 && survive.groups == 0 && survive.nodes == 0 {
        return;
    }
    let ReachabilitySpec { from, to, .. } = &reachability.spec;
    let outside =
        matches!(to, FlowEnd::Address(_)) || matches!(from, FlowEnd::Intent(from) if from.kind == IntentKind::Peering);
    let lost = faults.lost(intended, outside);
    if lost.is_empty() {
        ledger.holds(&reachability.reference, Topic::Redundancy, 1);
        return;
    }
    let evidence = Evidence {
        compliance: Compliance::Degraded,
        device: None,
        subject: "redundancy of the network".to_owned(),
        expected: "every link and session up".to_owned(),
        observed: format!("down: {}", few(&lost)),
    };
    ledger.fails(&reachability.reference, Topic::Redundancy, evidence);
}

fn subject(from: &FlowSource, to: &FlowDestination) -> String {
    let at = to.node.as_ref().map(|node| format!(" ({node})")).unwrap_or_default();
    format!("paths from {} ({}) to {}{at}", from.address, from.node, to.address)
}

/// Names the devices and ports of a path, such as `b1-leaf-01:swp15 > b1-spine-01:swp3 > b1-leaf-03`.
fn path(hops: &[Hop]) -> String {
    let hops: Vec<String> = hops.iter().map(ToString::to_string).collect();
    hops.join(" > ")
}
