//! Checks Peering and Steering intents on the predicted network: nothing learned from a peer or a transit is announced to another, and
//! traffic leaves by the first exit of a list that is there, also when those before it are gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::{
    config::NeighborTarget,
    state::{DeviceState, RouteProtocol, SessionState},
};
use weft_diagnostics::Diagnostic;
use weft_intent::{
    Intent, IntentSet,
    spec::{Direction, PeeringSpec, Relationship, SteeringSpec, Way},
};
use weft_model::{Network, NodeName, TerminationPoint};
use weft_simulate::{Failed, Forwarding, Scenario, Scenarios};

use crate::{
    codes,
    dataplane::{Column, Fibs},
    drained::Drained,
    reachability::Checked,
    steps,
};

/// Returns a finding for each peer or transit to which something is announced that another one sent.
pub(crate) fn leaks(intents: &IntentSet, states: &BTreeMap<NodeName, DeviceState>, fibs: &Fibs<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for peering in intents.peerings.values().filter(|peering| !is_customer(peering)) {
        let mut leaked: BTreeMap<&IpNet, (Vec<usize>, &Intent<PeeringSpec>)> = BTreeMap::new();
        for session in &peering.spec.sessions {
            let advertised = states.get(&session.port.node).and_then(|state| state.advertised.as_ref());
            let target = NeighborTarget::Address(session.neighbor);
            let Some(from) = fibs.number(&session.port.node) else { continue };
            for prefix in advertised.and_then(|advertised| advertised.get(&target)).into_iter().flatten() {
                let column = fibs.column(*prefix);
                let exits = exits(intents, fibs, &column, from);
                // What a customer sends too goes to everybody.
                if exits.iter().any(|(_, exit)| is_customer(exit)) {
                    continue;
                }
                if let Some((way, exit)) = exits.into_iter().find(|(_, exit)| exit.reference != peering.reference) {
                    leaked.entry(prefix).or_insert((way, exit));
                }
            }
        }
        let count = leaked.len();
        let Some((prefix, (way, exit))) = leaked.into_iter().next() else { continue };
        let more = if count > 1 { format!(" and {} more prefixes", count - 1) } else { String::new() };
        let message = format!(
            "{prefix}{more} would be announced to the {} `{}`, and comes from the {} `{}`",
            relationship(peering),
            peering.reference.name,
            relationship(exit),
            exit.reference.name
        );
        let column = fibs.column(*prefix);
        let hops =
            way.iter().enumerate().map(|(index, &device)| fibs.hop(device, &column, way.get(index + 1).copied()));
        let hops: Vec<_> = hops.collect();
        findings.push(
            Diagnostic::error(codes::ROUTE_LEAK, message)
                .at(peering.document.span("/spec/relationship"))
                .label(exit.document.span("/spec/relationship"), "it is learned here")
                .path(steps(&hops)),
        );
    }
    findings
}

fn is_customer(peering: &Intent<PeeringSpec>) -> bool {
    match peering.spec.relationship {
        Relationship::Customer => true,
        Relationship::Peer | Relationship::Transit => false,
    }
}

fn relationship(peering: &Intent<PeeringSpec>) -> &'static str {
    match peering.spec.relationship {
        Relationship::Customer => "customer",
        Relationship::Peer => "peer",
        Relationship::Transit => "transit",
    }
}

/// Returns the external routers to which packets to a prefix go from a device by learned routes, each with a way.
fn exits<'i>(
    intents: &'i IntentSet,
    fibs: &Fibs<'_>,
    column: &Column<'_>,
    from: usize,
) -> Vec<(Vec<usize>, &'i Intent<PeeringSpec>)> {
    let mut exits = Vec::new();
    let mut met: BTreeSet<usize> = [from].into();
    let mut waiting = vec![vec![from]];
    while let Some(way) = waiting.pop() {
        let Some(&device) = way.last() else { continue };
        if let Some(peering) = intents.peerings.get(fibs.name(device).as_str()).filter(|_| device != from) {
            exits.push((way, peering));
            continue;
        }
        let Some((_, route, beyond)) = column[device] else { continue };
        if route.protocol != RouteProtocol::Bgp && route.protocol != RouteProtocol::Ospf {
            continue;
        }
        for far in beyond.iter().filter_map(|(_, far)| *far) {
            if met.insert(far) {
                waiting.push(way.iter().copied().chain([far]).collect());
            }
        }
    }
    exits
}

/// A Steering intent about exits, for one prefix that its ways offer.
struct Order<'a> {
    intent: &'a Intent<SteeringSpec>,
    prefix: IpNet,
    address: IpAddr,
    /// The nodes whose traffic it is about.
    nodes: Vec<NodeName>,
}

/// The exits of the Steering intents of a network.
pub(crate) struct Orders<'a> {
    orders: Vec<Order<'a>>,
}

impl<'a> Orders<'a> {
    /// Returns the outbound lists of exits, without those that look at what a neighbor sends beside prefixes, which nobody knows
    /// beforehand. Of several for one prefix the first by name has the last say.
    pub(crate) fn new(checked: Checked<'a>, network: &Network) -> Self {
        let mut orders = Vec::new();
        let mut known: BTreeSet<(IpNet, &NodeName)> = BTreeSet::new();
        for intent in checked.intents.steerings.values() {
            let spec = &intent.spec;
            let exits = spec.prefer.iter().all(|way| way.peering.is_some());
            if spec.direction != Direction::Outbound || !exits {
                continue;
            }
            let offered: BTreeSet<IpNet> = spec.prefer.iter().flat_map(|way| offered(checked, way)).collect();
            let meant =
                |prefix: &IpNet| spec.prefixes.is_empty() || spec.prefixes.iter().any(|own| own.trunc() == *prefix);
            for prefix in offered.into_iter().filter(meant) {
                let nodes = spec.from.pick(network).into_iter().map(|node| &node.name);
                let nodes: Vec<NodeName> = nodes.filter(|node| known.insert((prefix, *node))).cloned().collect();
                // One that is for some routes only comes before others without being checked.
                if spec.community.is_none() {
                    let address = prefix.hosts().next().unwrap_or(prefix.addr());
                    orders.push(Order { intent, prefix, address, nodes });
                }
            }
        }
        Self { orders }
    }

    /// Returns the addresses that are asked for.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = IpAddr> {
        self.orders.iter().map(|order| order.address)
    }

    /// Returns a finding for each list whose order traffic does not follow. An exit that is drained, or that a node reaches only over
    /// what is, may be used and need not be.
    pub(crate) fn check(
        &self,
        checked: Checked<'_>,
        drained: &Drained<'_>,
        states: &BTreeMap<NodeName, DeviceState>,
        scenarios: &Scenarios<'_>,
    ) -> Vec<Diagnostic> {
        let mut findings: BTreeMap<_, Diagnostic> = BTreeMap::new();
        for order in &self.orders {
            let spec = &order.intent.spec;
            let there: Vec<(usize, BTreeSet<TerminationPoint>)> = spec
                .prefer
                .iter()
                .enumerate()
                .filter(|(_, way)| offered(checked, way).contains(&order.prefix))
                .map(|(index, way)| (index, up(checked.intents, way, states)))
                .filter(|(_, ports)| !ports.is_empty())
                .collect();
            let mut failed = Failed::default();
            for place in 0..there.len() {
                let scenario = scenarios.fail(&failed);
                if let Some(finding) = order.follows(checked, drained, &scenario, &there[..=place]) {
                    findings.entry(&order.intent.reference).or_insert(finding);
                    break;
                }
                failed.links.extend(there[place].1.iter().cloned());
            }
        }
        findings.into_values().collect()
    }
}

impl Order<'_> {
    /// Returns a finding when traffic leaves by another exit than the last of `ways`, those of the list up to a place with our ports.
    /// The others have failed.
    fn follows(
        &self,
        checked: Checked<'_>,
        drained: &Drained<'_>,
        scenario: &Scenario<'_, '_>,
        ways: &[(usize, BTreeSet<TerminationPoint>)],
    ) -> Option<Diagnostic> {
        let (document, spec) = (&self.intent.document, &self.intent.spec);
        let ((index, ports), before) = ways.split_last()?;
        let states = scenario.states(&[self.address].into());
        let forwarding = Forwarding::new(&states, checked.cables);
        let external = |node: &NodeName| checked.intents.peerings.contains_key(node.as_str());
        for node in self.nodes.iter().filter(|node| !drained.cuts_off(node, ports)) {
            let Some(from) = forwarding.number(node) else { continue };
            let ways = forwarding.ways(self.address, None, [from]);
            for (device, port, far) in ways.hops(from) {
                let (Some(near), Some(far_name)) = (forwarding.name(device), forwarding.name(far)) else { continue };
                let end = TerminationPoint { node: near.clone(), interface: port.clone() };
                if !external(far_name) || external(near) || ports.contains(&end) {
                    continue;
                }
                let way = ways.way_to(from, &[device].into())?;
                let wanted = spec.prefer[*index].peering.as_ref().map(|peering| peering.name.to_string());
                let gone = if before.is_empty() { "" } else { " after the ways before it are gone" };
                let message = format!(
                    "traffic of `{node}` to {} leaves by {end} to {far_name}, not by {}{gone}",
                    self.prefix,
                    wanted.unwrap_or_default()
                );
                let mut hops = forwarding.hops(&[way, vec![far]].concat(), self.address, None);
                if let Some(last) = hops.last_mut() {
                    (last.interface, last.route) = (None, None);
                }
                let span = document.span(&format!("/spec/prefer/{index}"));
                return Some(Diagnostic::error(codes::WRONG_EXIT, message).at(span).path(steps(&hops)));
            }
        }
        None
    }
}

/// Returns the prefixes that a way offers.
fn offered(checked: Checked<'_>, way: &Way) -> BTreeSet<IpNet> {
    let router = way.peering.as_ref().and_then(|peering| checked.configs.get(peering.name.as_str()));
    router.and_then(|router| router.bgp.as_ref()).into_iter().flat_map(|bgp| bgp.networks.keys().copied()).collect()
}

/// Returns our ports of the sessions of a way that are predicted to be up.
fn up(intents: &IntentSet, way: &Way, states: &BTreeMap<NodeName, DeviceState>) -> BTreeSet<TerminationPoint> {
    let peering = way.peering.as_ref().and_then(|peering| intents.peerings.get(&peering.name));
    let sessions = peering.into_iter().flat_map(|peering| &peering.spec.sessions);
    let of_way = sessions.filter(|session| way.at.is_empty() || way.at.contains(&session.port.node));
    let up = of_way.filter(|session| {
        let neighbors = states.get(&session.port.node).and_then(|state| state.neighbors.as_ref());
        let neighbor = neighbors.and_then(|neighbors| neighbors.get(&NeighborTarget::Address(session.neighbor)));
        neighbor.is_some_and(|neighbor| neighbor.session_state == SessionState::Established)
    });
    up.map(|session| TerminationPoint { node: session.port.node.clone(), interface: session.port.interface.clone() })
        .collect()
}
