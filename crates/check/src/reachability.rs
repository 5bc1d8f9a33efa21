//! Checks Reachability intents on the predicted data plane, in the steady state and after failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rayon::prelude::*;
use weft_compile::{Allocations, ExternalRouters, Family, Host, flow_protocol, hosts};
use weft_device::config::{DeviceConfig, IpProtocol};
use weft_diagnostics::{Code, Diagnostic, SourceSpan};
use weft_intent::{
    Intent, IntentSet,
    spec::{Expectation, FlowEnd, ReachabilitySpec},
};
use weft_model::{IntentKind, IntentRef, InterfaceName, Name, Network, NodeName};
use weft_simulate::{Cable, Filters, Forwarding, Hop, Outcome, Packet, Scenario, Scenarios, Trace, Walk};

use crate::{
    codes,
    fleet::{error, place},
};

/// One flow of a Reachability intent that breaks its promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The intent.
    pub intent: IntentRef,
    /// What is broken: a code of [`codes`].
    pub code: Code,
    /// The device where the packets of the flow start.
    pub from: NodeName,
    /// The source address of the flow.
    pub source: IpAddr,
    /// The destination address of the flow.
    pub destination: IpAddr,
    /// The protocol of the packet, where access lists tell it from others.
    pub protocol: Option<IpProtocol>,
    /// The destination port of the packet, where access lists tell it from others.
    pub port: Option<u16>,
    /// The cable that is cut; `None` in the steady state.
    pub failure: Option<Cable>,
    /// Whether the path is that of the answer, from the destination back to the source.
    pub answer: bool,
    /// How the packet ends; `None` where packets arrive over too few paths.
    pub outcome: Option<Outcome>,
    /// The devices that the packet passes, in order.
    pub path: Vec<Hop>,
    /// The equal-cost ways out of the first device.
    pub first_hops: usize,
}

/// Returns what the Reachability intents promise and the predicted network does not keep, one finding for each intent and
/// kind of breach with the first flow as its example, and every single breach for programs.
///
/// Every source place is traced to every destination place, and back where packets are to arrive: a segment is the
/// gateway addresses of its ports, a node its loopback, a peering its external router. With `survive: {links: 1}` the same
/// is asked after each single cut of a cable, those to external routers included; a flow is asked again only where a device
/// that it passes, there or back, takes other ways after the cut.
///
/// Packets pass the access lists on their way; their answers belong to a connection that was let through, and pass. A promise
/// for some ports is asked for all of them. One that is for any protocol is about packets that no rule for a protocol matches;
/// where none are to arrive, it is about all packets.
///
/// The routes that cover the addresses of flows are computed once, and mended for each cable. Whole states are made only for
/// flows that break their promise.
pub fn check_predicted(
    intents: &IntentSet,
    network: &Network,
    allocations: &Allocations,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    external: &ExternalRouters,
) -> (Vec<Diagnostic>, Vec<Violation>) {
    let mut all = external.configs.clone();
    all.extend(configs.clone());
    let mut cables: Vec<Cable> = network.links().map(|link| link.ends.clone()).chain(external.cables.clone()).collect();
    cables.sort();
    let places = Places::new(hosts(intents, network, allocations), allocations, external);
    let mut diagnostics = Vec::new();
    let mut flows = Vec::new();
    for intent in intents.reachabilities.values() {
        let before = flows.len();
        flows.extend(places.flows(intent));
        if flows.len() == before {
            let message = format!("nothing goes from {} to {}", intent.spec.from, intent.spec.to);
            diagnostics.push(Diagnostic::warning(codes::NO_FLOW, message).at(intent.document.span("/spec")));
        }
    }

    let filters = Filters::of(&all);
    let scenarios = Scenarios::new(&all, &cables, &destinations(&flows));
    diagnostics.extend(unstable(&scenarios.unstable(), codes::UNSTABLE_ROUTES, "never settle", configs));
    let more = "settle in more than one way";
    diagnostics.extend(unstable(&scenarios.ambiguous(), codes::AMBIGUOUS_ROUTES, more, configs));
    let asked: Vec<&Flow<'_>> = flows.iter().collect();
    let mut violations = breaches(&asked, &scenarios.steady(), (&all, &filters), &cables, None);
    let broken: BTreeSet<(&IntentRef, &NodeName, IpAddr, IpAddr)> =
        violations.iter().map(|v| (&v.intent, &v.from, v.source, v.destination)).collect();
    let sound: Vec<&Flow<'_>> = flows
        .iter()
        .filter(|flow| flow.intent.spec.survive.links > 0)
        .filter(|flow| !broken.contains(&(&flow.intent.reference, &flow.from.node, flow.from.address, flow.to.address)))
        .collect();
    let after_failures = survive(&sound, &scenarios, (&all, &filters), &cables);
    violations.extend(after_failures);
    diagnostics.extend(findings(intents, &all, &violations));
    diagnostics.sort();
    (diagnostics, violations)
}

/// Returns the addresses to which packets of flows and their answers go.
fn destinations<'f>(flows: impl IntoIterator<Item = &'f Flow<'f>>) -> BTreeSet<IpAddr> {
    flows.into_iter().flat_map(|flow| [flow.to.address, flow.from.address]).collect()
}

/// Returns the breaches of flows in one scenario, in the order of the flows.
fn breaches(
    flows: &[&Flow<'_>],
    scenario: &Scenario<'_, '_>,
    (configs, filters): (&BTreeMap<NodeName, DeviceConfig>, &Filters),
    cables: &[Cable],
    failure: Option<&Cable>,
) -> Vec<Violation> {
    let doubtful = flows.par_iter().filter(|flow| !flow.keeps(scenario, filters, failure));
    let doubtful: Vec<&Flow<'_>> = doubtful.copied().collect();
    if doubtful.is_empty() {
        return Vec::new();
    }
    let states = scenario.states(&destinations(doubtful.iter().copied()));
    let forwarding = Forwarding::new(&states, cables).with_access_lists(configs);
    doubtful.par_iter().flat_map_iter(|flow| flow.breaches(&forwarding, filters, failure)).collect()
}

/// Returns the breaches after each single cut.
fn survive(
    flows: &[&Flow<'_>],
    scenarios: &Scenarios<'_>,
    (configs, filters): (&BTreeMap<NodeName, DeviceConfig>, &Filters),
    cables: &[Cable],
) -> Vec<Violation> {
    let steady = scenarios.steady();
    let passed: Vec<Option<BTreeSet<(IpAddr, usize)>>> =
        flows.par_iter().map(|flow| flow.passed(&steady, filters)).collect();
    let mut passing: BTreeMap<IpAddr, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
    let mut everywhere = Vec::new();
    for (flow, passed) in passed.into_iter().enumerate() {
        match passed {
            None => everywhere.push(flow),
            Some(passed) => {
                for (destination, device) in passed {
                    passing.entry(destination).or_default().entry(device).or_default().push(flow);
                }
            }
        }
    }
    let after = |cable| {
        let scenario = scenarios.cut(cable);
        let mut concerned: BTreeSet<usize> = everywhere.iter().copied().collect();
        for (destination, passing) in &passing {
            match scenario.changed(*destination) {
                None => concerned.extend(passing.values().flatten()),
                Some(changed) => {
                    concerned.extend(changed.iter().filter_map(|device| passing.get(device)).flatten());
                }
            }
        }
        let concerned: Vec<&Flow<'_>> = concerned.into_iter().map(|flow| flows[flow]).collect();
        breaches(&concerned, &scenario, (configs, filters), cables, Some(cable))
    };
    cables.par_iter().flat_map_iter(after).collect()
}

/// One place of `from` and one of `to`.
struct Flow<'a> {
    intent: &'a Intent<ReachabilitySpec>,
    from: Place,
    to: Place,
}

/// Where packets start or go.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    /// The device that has the address; none for an address of the internet, which several external routers may have.
    node: NodeName,
    address: IpAddr,
    /// Whether the device is known beforehand.
    known: bool,
    /// Whether packets to the address can be expected to find it.
    answers: bool,
}

impl Flow<'_> {
    /// Returns the packets that the promise is about, as far as access lists tell them apart.
    fn packets(&self, filters: &Filters) -> Vec<Packet> {
        let spec = &self.intent.spec;
        let (source, destination) = (self.from.address, self.to.address);
        let packet = |(protocol, port)| Packet { source, destination, protocol, port };
        filters
            .kinds(flow_protocol(spec.protocol), &spec.ports, spec.expect == Expectation::Isolated)
            .into_iter()
            .map(packet)
            .collect()
    }

    /// Returns how the flow breaks its promise, if it does: the first packet that does.
    fn breaches(&self, forwarding: &Forwarding<'_>, filters: &Filters, failure: Option<&Cable>) -> Option<Violation> {
        let packets = self.packets(filters);
        packets.iter().find_map(|packet| self.breach(forwarding, packet, failure))
    }

    fn breach(&self, forwarding: &Forwarding<'_>, packet: &Packet, failure: Option<&Cable>) -> Option<Violation> {
        let there = forwarding.trace_packet(&self.from.node, packet);
        let violation = |code, answer, outcome, path, first_hops| {
            Some(self.violation(code, packet, failure, answer, outcome, path, first_hops))
        };
        match self.intent.spec.expect {
            Expectation::Isolated => {
                let (outcome, path) = there.outcomes.iter().find(|(outcome, _)| !is_stopped(outcome))?;
                let code = if failure.is_some() { codes::DOES_NOT_SURVIVE } else { codes::NOT_ISOLATED };
                violation(code, false, Some(outcome.clone()), path.clone(), there.first_hops)
            }
            Expectation::Reachable => {
                let code = if failure.is_some() { codes::DOES_NOT_SURVIVE } else { codes::NOT_REACHABLE };
                if let Some((outcome, path)) = lost(&there) {
                    return violation(code, false, Some(outcome), path, there.first_hops);
                }
                for back in self.answers(forwarding, &there) {
                    if let Some((outcome, path)) = lost(&back) {
                        return violation(code, true, Some(outcome), path, back.first_hops);
                    }
                }
                // A destination on the device itself needs no path; after a failure fewer are left, as is to be expected.
                let fewer = there.first_hops < usize::from(self.intent.spec.min_paths);
                if failure.is_none() && fewer && there.first_hops > 0 {
                    let path = there.outcomes.values().next().cloned().unwrap_or_default();
                    return violation(codes::TOO_FEW_PATHS, false, None, path, there.first_hops);
                }
                None
            }
        }
    }

    /// Returns the traces of the answers, from every device where packets arrive.
    fn answers(&self, forwarding: &Forwarding<'_>, there: &Trace) -> Vec<Trace> {
        if !self.from.answers {
            return Vec::new();
        }
        let answer = |node: &NodeName| forwarding.trace(node, self.to.address, self.from.address);
        if self.to.known { vec![answer(&self.to.node)] } else { there.delivered_at().into_iter().map(answer).collect() }
    }

    /// Returns where packets and answers come in a scenario; `None` where only whole states tell.
    fn walks(&self, scenario: &Scenario<'_, '_>, filters: &Filters) -> Option<(Vec<Walk>, Vec<Walk>)> {
        let there: Option<Vec<Walk>> = if filters.any() {
            self.packets(filters).iter().map(|packet| scenario.walk_packet(&self.from.node, packet)).collect()
        } else {
            scenario.walk(&self.from.node, self.to.address).map(|walk| vec![walk])
        };
        let there = there?;
        let asked = self.intent.spec.expect == Expectation::Reachable && self.from.answers;
        let answering: BTreeSet<&NodeName> = match (asked, self.to.known) {
            (false, _) => BTreeSet::new(),
            (true, true) => [&self.to.node].into(),
            (true, false) => there.iter().flat_map(|walk| &walk.delivered_at).collect(),
        };
        let back: Option<Vec<Walk>> =
            answering.into_iter().map(|node| scenario.walk(node, self.from.address)).collect();
        Some((there, back?))
    }

    /// Tells whether the flow certainly keeps its promise.
    fn keeps(&self, scenario: &Scenario<'_, '_>, filters: &Filters, failure: Option<&Cable>) -> bool {
        let Some((there, back)) = self.walks(scenario, filters) else { return false };
        match self.intent.spec.expect {
            Expectation::Isolated => there.iter().all(|walk| walk.delivered_at.is_empty()),
            Expectation::Reachable => {
                let enough =
                    |walk: &Walk| walk.first_hops == 0 || walk.first_hops >= usize::from(self.intent.spec.min_paths);
                there.iter().chain(&back).all(|walk| !walk.stopped) && (failure.is_some() || there.iter().all(enough))
            }
        }
    }

    /// Returns the devices that packets and answers pass, each with the destination; `None` where only whole states tell.
    fn passed(&self, scenario: &Scenario<'_, '_>, filters: &Filters) -> Option<BTreeSet<(IpAddr, usize)>> {
        let (there, back) = self.walks(scenario, filters)?;
        let passed = |walks: &[Walk], to: IpAddr| -> Vec<_> {
            walks.iter().flat_map(|walk| walk.passed.iter().map(|device| (to, *device))).collect()
        };
        Some(passed(&there, self.to.address).into_iter().chain(passed(&back, self.from.address)).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of what it returns")]
    fn violation(
        &self,
        code: Code,
        packet: &Packet,
        failure: Option<&Cable>,
        answer: bool,
        outcome: Option<Outcome>,
        path: Vec<Hop>,
        first_hops: usize,
    ) -> Violation {
        Violation {
            intent: self.intent.reference.clone(),
            code,
            from: self.from.node.clone(),
            source: self.from.address,
            destination: self.to.address,
            protocol: packet.protocol,
            port: packet.port,
            failure: failure.cloned(),
            answer,
            outcome,
            path,
            first_hops,
        }
    }
}

/// Tells whether a packet with this end certainly arrives nowhere.
fn is_stopped(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Delivered { .. } | Outcome::Left { .. } | Outcome::Unknown { .. } => false,
        Outcome::Discarded { .. }
        | Outcome::NoRoute { .. }
        | Outcome::Lost { .. }
        | Outcome::Denied { .. }
        | Outcome::Looped { .. } => true,
    }
}

/// Returns the first path that does not arrive.
fn lost(trace: &Trace) -> Option<(Outcome, Vec<Hop>)> {
    let lost = |outcome: &Outcome| !matches!(outcome, Outcome::Delivered { .. });
    trace.outcomes.iter().find(|(outcome, _)| lost(outcome)).map(|(outcome, path)| (outcome.clone(), path.clone()))
}

/// The places that the ends of a flow stand for.
struct Places<'a> {
    segments: BTreeMap<Name, Vec<Place>>,
    allocations: &'a Allocations,
    external: &'a ExternalRouters,
}

impl<'a> Places<'a> {
    fn new(hosts: Vec<Host>, allocations: &'a Allocations, external: &'a ExternalRouters) -> Self {
        let mut segments: BTreeMap<Name, Vec<Place>> = BTreeMap::new();
        for host in hosts {
            let gateways = [Some(host.gateway), host.ipv6.map(|ipv6| ipv6.gateway)];
            let place = |address| Place { node: host.port.node.clone(), address, known: true, answers: true };
            segments.entry(host.segment).or_default().extend(gateways.into_iter().flatten().map(place));
        }
        Self { segments, allocations, external }
    }

    fn flows<'i>(&self, intent: &'i Intent<ReachabilitySpec>) -> Vec<Flow<'i>> {
        let (sources, destinations) = (self.of(&intent.spec.from), self.of(&intent.spec.to));
        let mut flows = Vec::new();
        for from in sources.iter().filter(|place| place.known) {
            let same_family = |to: &&Place| to.address.is_ipv4() == from.address.is_ipv4();
            // A port of both families has an address of each; no packet goes from one to the other.
            for to in destinations.iter().filter(|to| *to != from).filter(same_family) {
                flows.push(Flow { intent, from: from.clone(), to: to.clone() });
            }
        }
        flows
    }

    fn of(&self, end: &FlowEnd) -> Vec<Place> {
        match end {
            FlowEnd::Node(node) => {
                let loopbacks = Family::ALL.into_iter().filter_map(|family| self.allocations.loopback(node, family));
                let place = |address| Place { node: node.clone(), address, known: true, answers: true };
                loopbacks.map(place).collect()
            }
            FlowEnd::Address(address) => {
                // Any device may have it; the trace tells which.
                let anywhere = self.external.configs.keys().next().cloned();
                let anywhere = anywhere.or_else(|| self.allocations.loopbacks.keys().next().cloned());
                let place = |node| Place { node, address: *address, known: false, answers: true };
                anywhere.map(place).into_iter().collect()
            }
            FlowEnd::Intent(intent) => match intent.kind {
                IntentKind::Segment => self.segments.get(&intent.name).cloned().unwrap_or_default(),
                IntentKind::Peering => self.external_router(&intent.name).into_iter().collect(),
                IntentKind::Fabric
                | IntentKind::Topology
                | IntentKind::Pools
                | IntentKind::Underlay
                | IntentKind::Tenant
                | IntentKind::Steering
                | IntentKind::Reachability
                | IntentKind::Access
                | IntentKind::Maintenance
                | IntentKind::Baseline
                | IntentKind::Capacity => Vec::new(),
            },
        }
    }

    /// Returns the external router of a peering, with an address of the internet where it has one. Only to such an address
    /// do answers find a way: peering subnets are not announced.
    fn external_router(&self, peering: &Name) -> Option<Place> {
        let (node, config) = self.external.configs.get_key_value(peering.as_str())?;
        let address_of = |name: &InterfaceName| config.interfaces.get(name)?.addresses.first();
        let internet = address_of(&InterfaceName::loopback());
        let address = internet.or_else(|| config.interfaces.values().find_map(|i| i.addresses.first()))?;
        Some(Place { node: node.clone(), address: address.prefix.addr(), known: true, answers: internet.is_some() })
    }
}

/// Returns one finding for each intent and kind of breach, with the first breach as the example.
fn findings(
    intents: &IntentSet,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    violations: &[Violation],
) -> Vec<Diagnostic> {
    let mut groups: BTreeMap<(&IntentRef, Code), Vec<&Violation>> = BTreeMap::new();
    for violation in violations {
        groups.entry((&violation.intent, violation.code)).or_default().push(violation);
    }
    let mut findings = Vec::new();
    for ((reference, code), group) in groups {
        let Some(intent) = intents.reachabilities.get(reference.name.as_str()) else { continue };
        let mut message = words(intent, group[0]);
        let flows: BTreeSet<_> = group.iter().map(|v| (&v.from, v.source, v.destination)).collect();
        let failures: BTreeSet<_> = group.iter().filter_map(|v| v.failure.as_ref()).collect();
        if group.len() > 1 {
            message += &format!(" (one of {} flows", flows.len());
            if !failures.is_empty() {
                message += &format!(", one of {} failures", failures.len());
            }
            message += ")";
        }
        let finding = Diagnostic::error(code, message).at(span(intent, code));
        findings.push(match group[0].outcome.as_ref().and_then(|outcome| dropped_by(outcome, configs)) {
            Some(rule) => finding.label(rule, "this drops them"),
            None => finding,
        });
    }
    findings
}

/// Returns the place of the rule that drops packets with this end.
fn dropped_by(outcome: &Outcome, configs: &BTreeMap<NodeName, DeviceConfig>) -> Option<SourceSpan> {
    let Outcome::Denied { node, acl, entry, .. } = outcome else { return None };
    let set = configs.get(node)?.acl_sets.get(acl)?;
    match set.entries.iter().find(|known| Some(&known.name) == entry.as_ref()) {
        Some(entry) => place(&entry.provenance.sources),
        None => place(set.provenance.of("default_action")),
    }
}

/// Returns the place of the promise that is broken.
fn span(intent: &Intent<ReachabilitySpec>, code: Code) -> SourceSpan {
    let pointer = if code == codes::DOES_NOT_SURVIVE {
        "/spec/survive/links"
    } else if code == codes::TOO_FEW_PATHS {
        "/spec/min_paths"
    } else if code == codes::NOT_ISOLATED {
        "/spec/expect"
    } else {
        "/spec/to"
    };
    intent.document.span(pointer)
}

fn words(intent: &Intent<ReachabilitySpec>, violation: &Violation) -> String {
    let Violation { from, source, destination, .. } = violation;
    let path: Vec<String> = violation.path.iter().map(ToString::to_string).collect();
    let path = path.join(" -> ");
    let what = match (&violation.outcome, intent.spec.expect) {
        (None, _) => {
            return format!(
                "`{from}` has {} ways to {destination}, fewer than {}: {path}",
                violation.first_hops, intent.spec.min_paths
            );
        }
        (Some(_), Expectation::Isolated) => "arrive",
        (Some(_), Expectation::Reachable) if violation.answer => "are not all answered",
        (Some(_), Expectation::Reachable) => "do not all arrive",
    };
    let failure = match &violation.failure {
        Some([a, b]) => format!(" while {a} -- {b} is down"),
        None => String::new(),
    };
    let end = violation.outcome.as_ref().map(|outcome| format!(": {outcome}")).unwrap_or_default();
    let packets = match (violation.protocol, violation.port) {
        (None, _) => "packets".to_owned(),
        (Some(protocol), None) => format!("{} packets", protocol_name(protocol)),
        (Some(protocol), Some(port)) => format!("{} packets for port {port}", protocol_name(protocol)),
    };
    format!("{packets} from {source} at `{from}` to {destination} {what}{failure}: {path}{end}")
}

fn protocol_name(protocol: IpProtocol) -> &'static str {
    match protocol {
        IpProtocol::Tcp => "TCP",
        IpProtocol::Udp => "UDP",
        IpProtocol::Icmp => "ICMP",
    }
}

/// Returns an error for each prefix whose routes do not settle as they should.
fn unstable(
    prefixes: &BTreeSet<ipnet::IpNet>,
    code: Code,
    what: &str,
    configs: &BTreeMap<NodeName, DeviceConfig>,
) -> Vec<Diagnostic> {
    let finding = |prefix: &ipnet::IpNet| {
        let origin = configs.values().find_map(|config| config.bgp.as_ref()?.networks.get(prefix));
        let message = format!("the routes to {prefix} {what}");
        match origin {
            Some(network) => error(code, message, &network.provenance.sources),
            None => Diagnostic::error(code, message),
        }
    };
    prefixes.iter().map(finding).collect()
}
