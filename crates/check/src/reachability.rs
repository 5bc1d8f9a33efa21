//! Checks Reachability intents on the predicted data plane, in the steady state and after failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rayon::prelude::*;
use weft_compile::flow_protocol;
use weft_device::config::{DeviceConfig, InterfaceKind, IpProtocol};
use weft_diagnostics::{Code, Diagnostic, SourceSpan};
use weft_intent::{
    Intent, IntentSet,
    spec::{Expectation, FlowEnd, ReachabilitySpec},
};
use weft_model::{IntentKind, IntentRef, NodeName};
use weft_simulate::{Cable, Failed, Filters, Forwarding, Hop, Outcome, PacketEnd, Scenario, Scenarios};

use crate::{
    codes,
    cuts::Cuts,
    failures::{Element, Elements, Failure, Kind, Search, Searched},
    fleet::place,
    flow::{Flow, Seen, doubtful, follow},
    places::{Place, Places},
    steps,
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
    /// What has failed; `None` in the steady state.
    pub failure: Option<Failure>,
    /// Whether the path is that of the answer, from the destination back to the source.
    pub answer: bool,
    /// How the packet ends; `None` where packets arrive, over too few paths or a path that is not allowed.
    pub outcome: Option<Outcome>,
    /// The devices that the packet passes, in order.
    pub path: Vec<Hop>,
    /// The equal-cost ways out of the first device.
    pub first_hops: usize,
}

/// A network whose promises are checked.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'a> {
    pub(crate) intents: &'a IntentSet,
    /// Every device, external routers included.
    pub(crate) configs: &'a BTreeMap<NodeName, DeviceConfig>,
    pub(crate) cables: &'a [Cable],
    pub(crate) places: &'a Places<'a>,
    /// Those of all devices.
    pub(crate) filters: &'a Filters,
    pub(crate) elements: &'a Elements,
    /// See [`crate::monotone`].
    pub(crate) monotone: bool,
}

/// Returns the flows of the Reachability intents, with a finding for each intent that has none or asks for nothing.
pub(crate) fn flows<'a>(checked: Checked<'a>) -> (Vec<Flow<'a>>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut flows = Vec::new();
    for intent in checked.intents.reachabilities.values() {
        let spec = &intent.spec;
        let before = flows.len();
        let pairs = checked.places.pairs(&spec.from, &spec.to).into_iter();
        flows.extend(pairs.flat_map(|pair| apart(checked, spec, pair)).map(|(from, to)| {
            let end = if to.known { Some(&to.node) } else { only_owner(checked.configs, to.address) };
            let any = spec.expect == Expectation::Reachable && flow_protocol(spec.protocol).is_none();
            let config = end.filter(|_| any && checked.filters.any()).and_then(|end| checked.configs.get(end));
            let some = config.and_then(|config| checked.filters.let_in(config, from.address, to.address));
            Flow { end: end.cloned(), some, intent, from, to }
        }));
        if flows.len() == before {
            let message = format!("nothing goes from {} to {}", spec.from, spec.to);
            findings.push(Diagnostic::warning(codes::NO_FLOW, message).at(intent.document.span("/spec")));
        }
        if spec.expect == Expectation::Isolated {
            let asks = [
                ("via", !spec.via.is_empty()),
                ("avoid", !spec.avoid.is_empty()),
                ("max_hops", spec.max_hops.is_some()),
                ("min_paths", spec.min_paths > 1),
            ];
            for (key, _) in asks.iter().filter(|(_, asked)| *asked) {
                let message = format!("`{key}` asks for nothing where no packet is to arrive");
                let finding = Diagnostic::warning(codes::ASKS_FOR_NOTHING, message);
                let finding = finding.at(intent.document.key_span(&format!("/spec/{key}")));
                findings.push(finding.help(format!("remove `{key}`, or `expect: isolated`")));
            }
        }
        findings.extend(nothing_to_fail(checked.elements, spec.survive.groups, &intent.document));
    }
    (flows, findings)
}

/// Returns the pairs of addresses that a promise asks of two places: of all that access lists tell apart. That everything arrives from a
/// segment was asked of them without the network, and a neighbor that is to reach something is itself alone.
fn apart(checked: Checked<'_>, spec: &ReachabilitySpec, (from, to): (Place, Place)) -> Vec<(Place, Place)> {
    let of_segment = matches!(&spec.from, FlowEnd::Intent(intent) if intent.kind == IntentKind::Segment);
    let reachable = spec.expect == Expectation::Reachable;
    if !checked.filters.any() || reachable && of_segment {
        return vec![(from, to)];
    }
    let sources = match reachable {
        true => vec![from],
        false => checked.places.parts(&from, PacketEnd::Source, checked.filters),
    };
    let destinations = checked.places.parts(&to, PacketEnd::Destination, checked.filters);
    sources.iter().flat_map(|from| destinations.iter().map(|to| (from.clone(), to.clone()))).collect()
}

/// Returns a finding where the failure of shared-risk groups is to be survived and there are none.
pub(crate) fn nothing_to_fail(elements: &Elements, groups: u8, document: &weft_intent::Document) -> Option<Diagnostic> {
    if groups == 0 || !elements.of(Kind::Group).is_empty() {
        return None;
    }
    let message = "no link of the network shares a risk with another";
    let finding = Diagnostic::warning(codes::NO_GROUP, message).at(document.span("/spec/survive/groups"));
    Some(finding.help("name what links of a Topology share in their `shared_risks`, or remove `groups`"))
}

/// Returns every breach of the flows, and how far searches got that are not exhausted.
pub(crate) fn violations(
    checked: Checked<'_>,
    flows: &[Flow<'_>],
    scenarios: &Scenarios<'_>,
) -> (Vec<Violation>, Vec<Diagnostic>) {
    let filters = checked.filters;
    let asked: Vec<&Flow<'_>> = flows.iter().collect();
    let steady = scenarios.steady();
    let mut violations: Vec<Violation> =
        breaches(checked, &asked, &steady, filters, None).into_iter().map(|(_, violation)| violation).collect();
    let broken: BTreeSet<(&IntentRef, &NodeName, IpAddr, IpAddr)> =
        violations.iter().map(|v| (&v.intent, &v.from, v.source, v.destination)).collect();
    let sound: Vec<&Flow<'_>> = flows
        .iter()
        .filter(|flow| Kind::ALL.iter().any(|kind| kind.most(&flow.intent.spec.survive) > 0))
        .filter(|flow| !broken.contains(&(&flow.intent.reference, &flow.from.node, flow.from.address, flow.to.address)))
        .collect();
    let survival = Survival { checked, scenarios, filters, starts: Starts::new(&sound, &steady, filters) };
    let mut after_failures = Vec::new();
    let mut findings = Vec::new();
    for kind in Kind::ALL {
        let mut by_most: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (index, flow) in sound.iter().enumerate() {
            by_most.entry(kind.most(&flow.intent.spec.survive)).or_default().insert(index);
        }
        for (most, subjects) in by_most.into_iter().filter(|(most, _)| *most > 0) {
            // Promises that all single failures show together are searched each by itself where several may fail.
            let mut groups: BTreeMap<&IntentRef, BTreeSet<usize>> = BTreeMap::new();
            for subject in subjects {
                let intent = if most == 1 { None } else { Some(&sound[subject].intent.reference) };
                groups.entry(intent.unwrap_or(&sound[0].intent.reference)).or_default().insert(subject);
            }
            for subjects in groups.into_values() {
                let Some(&first) = subjects.first() else { continue };
                let intent = sound[first].intent;
                let (found, searched) = survival.search(&sound, kind, most, subjects);
                after_failures.extend(found);
                if most > 1 && !searched.exhausted {
                    findings.push(not_exhausted(&searched, kind, most, intent.document.span(kind.pointer())));
                }
            }
        }
    }
    drop(survival);
    violations.extend(after_failures);
    (violations, findings)
}

/// Returns the finding that not every failure was tried that a promise is about.
pub(crate) fn not_exhausted(searched: &Searched, kind: Kind, most: usize, span: SourceSpan) -> Diagnostic {
    let Searched { tried, of, .. } = searched;
    let message = format!(
        "not exhausted: {tried} of {of} failures of up to {most} {} were tried, and what they break is told",
        kind.words()
    );
    Diagnostic::warning(codes::NOT_EXHAUSTED, message)
        .at(span)
        .help("a failure that was not tried may break it; a promise of less, or between fewer places, is tried whole")
}

/// Where packets of flows start.
pub(crate) struct Starts {
    /// For each destination and device the flows whose packets or answers start there while nothing is broken.
    of: BTreeMap<IpAddr, BTreeMap<usize, Vec<usize>>>,
    /// The flows of which only whole states tell.
    everywhere: BTreeSet<usize>,
}

impl Starts {
    pub(crate) fn new(flows: &[&Flow<'_>], steady: &Scenario<'_, '_>, filters: &Filters) -> Self {
        let visit = |flow: &Flow<'_>, seen: Option<&Seen<'_, '_>>, from: usize, answer: bool| {
            let to = if answer { flow.from.address } else { flow.to.address };
            seen.map(|_| (to, from))
        };
        let mut starts = Self { of: BTreeMap::new(), everywhere: BTreeSet::new() };
        for (flow, start) in follow(flows, steady, filters, visit) {
            match start {
                None => {
                    starts.everywhere.insert(flow);
                }
                Some((destination, device)) => {
                    starts.of.entry(destination).or_default().entry(device).or_default().push(flow);
                }
            }
        }
        starts
    }

    /// Returns for each failure those of some flows, which keep their promise while nothing is broken, that may break it then. All
    /// of the others take some of the ways that they took before.
    pub(crate) fn concerned(
        &self,
        scenarios: &Scenarios<'_>,
        failures: &[Failure],
        flows: &BTreeSet<usize>,
    ) -> Vec<BTreeSet<usize>> {
        let everywhere: BTreeSet<usize> = self.everywhere.intersection(flows).copied().collect();
        let mut concerned = vec![everywhere; failures.len()];
        if self.of.is_empty() {
            return concerned;
        }
        let failed: Vec<Failed> = failures.iter().map(Failure::failed).collect();
        let failed = scenarios.failures(&failed);
        let asked = |(destination, starts): (&IpAddr, &BTreeMap<usize, Vec<usize>>)| {
            let alive = starts.iter().filter(|(_, starting)| starting.iter().any(|flow| flows.contains(flow)));
            let from: BTreeSet<usize> = alive.map(|(device, _)| *device).collect();
            (*destination, if from.is_empty() { Some(BTreeMap::new()) } else { failed.exposed(*destination, &from) })
        };
        let exposed: Vec<_> = self.of.par_iter().map(asked).collect();
        for (destination, exposed) in exposed {
            let starts = &self.of[&destination];
            match exposed {
                None => {
                    let all: BTreeSet<usize> = starts.values().flatten().copied().collect();
                    concerned.iter_mut().for_each(|concerned| concerned.extend(all.intersection(flows)));
                }
                Some(exposed) => {
                    for (failure, devices) in exposed {
                        let starting = devices.iter().flat_map(|device| &starts[device]);
                        concerned[failure].extend(starting.filter(|flow| flows.contains(flow)));
                    }
                }
            }
        }
        concerned
    }
}

struct Survival<'s, 'a> {
    checked: Checked<'s>,
    scenarios: &'s Scenarios<'a>,
    filters: &'s Filters,
    starts: Starts,
}

impl Survival<'_, '_> {
    /// Searches the failures of a kind for some flows.
    fn search(
        &self,
        flows: &[&Flow<'_>],
        kind: Kind,
        most: usize,
        mut subjects: BTreeSet<usize>,
    ) -> (Vec<Violation>, Searched) {
        let Checked { configs, cables, elements, monotone, .. } = self.checked;
        let judge = |scenario: &Scenario<'_, '_>, failure: &Failure, concerned: &BTreeSet<usize>| {
            let kept = concerned.iter().copied().filter(|&flow| !flows[flow].loses_end(failure));
            let kept: Vec<usize> = kept.collect();
            let asked: Vec<&Flow<'_>> = kept.iter().map(|&flow| flows[flow]).collect();
            let broken = breaches(self.checked, &asked, scenario, self.filters, Some(failure));
            broken.into_iter().map(|(index, violation)| (kept[index], violation)).collect::<Vec<_>>()
        };
        let mut found = Vec::new();
        if most > 1 {
            // What so few elements hold together breaks when they fail: no search is needed for the counterexample.
            let reachable = |subject: &&usize| flows[**subject].intent.spec.expect == Expectation::Reachable;
            let asked: Vec<usize> =
                subjects.iter().filter(reachable).filter(|s| flows[**s].to.known).copied().collect();
            let ends = asked.iter().flat_map(|&subject| [&flows[subject].from.node, &flows[subject].to.node]);
            let cuts = Cuts::new(configs.keys(), cables, elements, (kind, most), &ends.collect());
            let mut known = BTreeMap::new();
            for subject in asked {
                let Flow { from, to, .. } = flows[subject];
                let cut = || cuts.as_ref()?.between(&from.node, &to.node);
                let set = known.entry((&from.node, &to.node)).or_insert_with(cut);
                let Some(failure) = set else { continue };
                let scenario = self.scenarios.fail(&failure.failed());
                found.extend(judge(&scenario, failure, &[subject].into()));
            }
            for (subject, _) in &found {
                subjects.remove(subject);
            }
        }
        let used = |scenario: &Scenario<'_, '_>, failure: &Failure, subject: usize| {
            let visit = |_: &Flow<'_>, seen: Option<&Seen<'_, '_>>, from: usize, _: bool| {
                let name = |device| scenario.name(device).cloned();
                seen.map(|seen| elements.used(kind, (seen.ways, from), name))
            };
            let used = follow(&[flows[subject]], scenario, self.filters, visit);
            let used: Option<BTreeSet<Element>> =
                used.into_iter().map(|(_, used)| used).try_fold(BTreeSet::new(), |all, used| Some(&all | &used?));
            let used = used.unwrap_or_else(|| self.used_of_states(flows[subject], scenario, kind));
            let kept = |element: &Element| !flows[subject].loses_end(&Failure([element.clone()].into()));
            used.into_iter().filter(kept).filter(|element| !failure.0.contains(element)).collect()
        };
        let search = Search { scenarios: self.scenarios, elements, kind, most, local: monotone };
        let concerned =
            |failures: &[Failure], alive: &BTreeSet<usize>| self.starts.concerned(self.scenarios, failures, alive);
        let (more, searched) = search.run(subjects, concerned, used, judge);
        found.extend(more);
        (found.into_iter().map(|(_, violation)| violation).collect(), searched)
    }

    /// Returns the elements that a flow uses, of whole states.
    fn used_of_states(&self, flow: &Flow<'_>, scenario: &Scenario<'_, '_>, kind: Kind) -> BTreeSet<Element> {
        let states = scenario.states(&destinations([flow]));
        let forwarding = Forwarding::new(&states, self.checked.cables).with_access_lists(self.checked.configs);
        let visit = |_: &Flow<'_>, seen: Option<&Seen<'_, '_>>, from: usize, _: bool| {
            let name = |device| forwarding.name(device).cloned();
            seen.map(|seen| self.checked.elements.used(kind, (seen.ways, from), name)).unwrap_or_default()
        };
        follow(&[flow], &forwarding, self.filters, visit).into_iter().flat_map(|(_, used)| used).collect()
    }
}

/// Returns the device that has an address or the hosts that do, where no other one has.
fn only_owner(configs: &BTreeMap<NodeName, DeviceConfig>, address: IpAddr) -> Option<&NodeName> {
    let has = |config: &DeviceConfig| {
        config.interfaces.values().any(|interface| {
            let is_host = interface.kind == InterfaceKind::Host;
            let mut known = interface.addresses.iter();
            known.any(|known| known.prefix.addr() == address || is_host && known.prefix.contains(&address))
        })
    };
    let mut owners = configs.iter().filter(|(_, config)| has(config)).map(|(node, _)| node);
    owners.next().filter(|_| owners.next().is_none())
}

/// Returns the addresses to which packets of flows and their answers go.
pub(crate) fn destinations<'f>(flows: impl IntoIterator<Item = &'f Flow<'f>>) -> BTreeSet<IpAddr> {
    flows.into_iter().flat_map(|flow| [flow.to.address, flow.from.address]).collect()
}

/// Returns the breaches of flows in one scenario with the numbers of the flows, in their order.
pub(crate) fn breaches(
    checked: Checked<'_>,
    flows: &[&Flow<'_>],
    scenario: &Scenario<'_, '_>,
    filters: &Filters,
    failure: Option<&Failure>,
) -> Vec<(usize, Violation)> {
    let steady = failure.is_none();
    let suspects = doubtful(flows, scenario, filters, steady);
    if suspects.is_empty() {
        return Vec::new();
    }
    let states = scenario.states(&destinations(suspects.iter().map(|&flow| flows[flow])));
    let forwarding = Forwarding::new(&states, checked.cables).with_access_lists(checked.configs);
    let suspects: Vec<usize> = {
        let asked: Vec<&Flow<'_>> = suspects.iter().map(|&flow| flows[flow]).collect();
        doubtful(&asked, &forwarding, filters, steady).into_iter().map(|index| suspects[index]).collect()
    };
    let breach = |flow: &usize| Some((*flow, flows[*flow].breaches(&forwarding, filters, failure)?));
    suspects.par_iter().filter_map(breach).collect()
}

/// Returns one finding for each intent and kind of breach, with the first breach as the example.
pub(crate) fn findings(
    intents: &IntentSet,
    configs: &BTreeMap<NodeName, DeviceConfig>,
    violations: &[Violation],
) -> Vec<Diagnostic> {
    let mut groups: BTreeMap<(&IntentRef, Code), Vec<&Violation>> = BTreeMap::new();
    for violation in violations {
        groups.entry((&violation.intent, violation.code)).or_default().push(violation);
    }
    let mut findings = Vec::new();
    for ((reference, code), mut group) in groups {
        let Some(intent) = intents.reachabilities.get(reference.name.as_str()) else { continue };
        // The smallest failure tells most.
        group.sort_by_key(|violation| violation.failure.as_ref().map_or(0, |failure| failure.0.len()));
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
        let finding = Diagnostic::error(code, message).at(span(intent, group[0])).path(steps(&group[0].path));
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
fn span(intent: &Intent<ReachabilitySpec>, violation: &Violation) -> SourceSpan {
    let code = violation.code;
    let pointer = match &violation.failure {
        Some(failure) if code == codes::DOES_NOT_SURVIVE => Kind::of(failure).pointer(),
        _ if code == codes::TOO_FEW_PATHS => "/spec/min_paths",
        _ if code == codes::NOT_ISOLATED => "/spec/expect",
        _ if code == codes::NOT_VIA => "/spec/via",
        _ if code == codes::NOT_AVOIDED => "/spec/avoid",
        _ if code == codes::TOO_MANY_HOPS => "/spec/max_hops",
        _ => "/spec/to",
    };
    intent.document.span(pointer)
}

fn words(intent: &Intent<ReachabilitySpec>, violation: &Violation) -> String {
    let Violation { from, source, destination, code, path, .. } = violation;
    let spec = &intent.spec;
    let failure = match &violation.failure {
        Some(failure) => format!(" while {failure}"),
        None => String::new(),
    };
    if *code == codes::TOO_FEW_PATHS {
        let ways = violation.first_hops;
        return format!("`{from}` has {ways} ways to {destination}, fewer than {}", spec.min_paths);
    }
    let packets = match (violation.protocol, violation.port) {
        (None, _) => "packets".to_owned(),
        (Some(protocol), None) => format!("{} packets", protocol_name(protocol)),
        (Some(protocol), Some(port)) => format!("{} packets for port {port}", protocol_name(protocol)),
    };
    let names = |nodes: &[NodeName]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let what = match spec.expect {
        Expectation::Isolated => "arrive".to_owned(),
        Expectation::Reachable if *code == codes::NOT_VIA => format!("arrive without passing {}", names(&spec.via)),
        Expectation::Reachable if *code == codes::NOT_AVOIDED => {
            format!("pass {}", path.last().map(|hop| hop.node.to_string()).unwrap_or_default())
        }
        Expectation::Reachable if *code == codes::TOO_MANY_HOPS => {
            format!("pass {} devices, more than {}", path.len(), spec.max_hops.unwrap_or(u8::MAX))
        }
        Expectation::Reachable if violation.answer => "are not all answered".to_owned(),
        Expectation::Reachable => "do not all arrive".to_owned(),
    };
    let end = violation.outcome.as_ref().map(|outcome| format!(": {outcome}")).unwrap_or_default();
    format!("{packets} from {source} at `{from}` to {destination} {what}{failure}{end}")
}

fn protocol_name(protocol: IpProtocol) -> &'static str {
    match protocol {
        IpProtocol::Tcp => "TCP",
        IpProtocol::Udp => "UDP",
        IpProtocol::Icmp => "ICMP",
    }
}
