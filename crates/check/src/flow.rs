//! One flow of a promise: its packets, and whether it keeps the promise in a data plane.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use rayon::prelude::*;
use weft_compile::flow_protocol;
use weft_diagnostics::Code;
use weft_intent::{
    Intent,
    spec::{Expectation, ReachabilitySpec},
};
use weft_model::NodeName;
use weft_simulate::{Bounds, Filters, Forwarding, Hop, Kind, Marks, Outcome, Packet, Scenario, Stray, Trace, Ways};

use crate::{Failure, Violation, codes, places::Place};

/// One place of `from` and one of `to`.
pub(crate) struct Flow<'a> {
    pub(crate) intent: &'a Intent<ReachabilitySpec>,
    pub(crate) from: Place,
    pub(crate) to: Place,
    /// The device where it ends, where that is one and the same whatever fails.
    pub(crate) end: Option<NodeName>,
    /// Of a promise that something arrives, what access lists let through.
    pub(crate) some: Option<Kind>,
}

/// A destination, and the packet that access lists are asked about.
type Towards = (IpAddr, Option<Packet>);

/// A flow by its number, and the device where its packets start.
type Start = (usize, usize);

/// A data plane that is asked for all ways to a destination at once.
pub(crate) trait Plane: Sync {
    /// Returns the number by which it knows a device.
    fn number(&self, node: &NodeName) -> Option<usize>;
    /// Returns all ways from some devices; `None` where it cannot tell.
    fn ways(&self, destination: IpAddr, packet: Option<&Packet>, from: &[usize]) -> Option<Ways<'_>>;
}

impl Plane for Scenario<'_, '_> {
    fn number(&self, node: &NodeName) -> Option<usize> {
        Scenario::number(self, node)
    }

    fn ways(&self, destination: IpAddr, packet: Option<&Packet>, from: &[usize]) -> Option<Ways<'_>> {
        Scenario::ways(self, destination, packet, from.iter().copied())
    }
}

impl Plane for Forwarding<'_> {
    fn number(&self, node: &NodeName) -> Option<usize> {
        Forwarding::number(self, node)
    }

    fn ways(&self, destination: IpAddr, packet: Option<&Packet>, from: &[usize]) -> Option<Ways<'_>> {
        Some(Forwarding::ways(self, destination, packet, from.iter().copied()))
    }
}

/// The ways to one destination, with what is asked of them for many flows.
pub(crate) struct Seen<'w, 'a> {
    pub(crate) ways: &'w Ways<'a>,
    fail: OnceCell<Marks<'w, 'a>>,
    may_arrive: OnceCell<Marks<'w, 'a>>,
    /// Of the intent that asked first: from where packets miss its `via`, and from where they meet what it avoids.
    bound: OnceCell<(*const ReachabilitySpec, Marks<'w, 'a>, Marks<'w, 'a>)>,
}

impl<'w, 'a> Seen<'w, 'a> {
    fn new(ways: &'w Ways<'a>) -> Self {
        Self { ways, fail: OnceCell::new(), may_arrive: OnceCell::new(), bound: OnceCell::new() }
    }

    fn fails(&self, from: usize) -> bool {
        self.fail.get_or_init(|| self.ways.fail()).has(from)
    }

    fn may_arrive(&self, from: usize) -> bool {
        self.may_arrive.get_or_init(|| self.ways.may_arrive()).has(from)
    }

    /// Tells whether some packets of a flow take a way that the intent does not allow.
    fn strays(&self, spec: &ReachabilitySpec, from: usize, plane: &impl Plane) -> bool {
        if spec.max_hops.is_some_and(|most| self.ways.longest(from).is_none_or(|hops| hops > usize::from(most))) {
            return true;
        }
        if spec.via.is_empty() && spec.avoid.is_empty() {
            return false;
        }
        let marks = || {
            let miss = self.ways.miss(&numbers(&spec.via, plane));
            (std::ptr::from_ref(spec), miss, self.ways.meet(&numbers(&spec.avoid, plane)))
        };
        let (of, miss, meet) = self.bound.get_or_init(marks);
        let strays =
            |miss: &Marks<'_, '_>, meet: &Marks<'_, '_>| (!spec.via.is_empty() && miss.has(from)) || meet.has(from);
        if std::ptr::eq(*of, spec) {
            strays(miss, meet)
        } else {
            let (_, miss, meet) = marks();
            strays(&miss, &meet)
        }
    }
}

/// Returns the numbers of devices; those that are not there are passed by nobody.
fn numbers(nodes: &[NodeName], plane: &impl Plane) -> BTreeSet<usize> {
    nodes.iter().filter_map(|node| plane.number(node)).collect()
}

/// Follows packets of flows, and their answers, in a data plane: the ways to each destination are found once for all flows to it.
///
/// `visit` gets the flow, the ways, the device where the packets start, and whether they are answers; no ways where the plane cannot
/// tell. Its results are returned with the numbers of the flows, several for each.
pub(crate) fn follow<T: Send, P: Plane>(
    flows: &[&Flow<'_>],
    plane: &P,
    filters: &Filters,
    visit: impl Fn(&Flow<'_>, Option<&Seen<'_, '_>>, usize, bool) -> T + Sync,
) -> Vec<(usize, T)> {
    let mut there: BTreeMap<Towards, Vec<Start>> = BTreeMap::new();
    let mut results = Vec::new();
    for (index, flow) in flows.iter().enumerate() {
        let Some(from) = plane.number(&flow.from.node) else {
            results.push((index, visit(flow, None, 0, false)));
            continue;
        };
        let packets = if filters.any() { flow.packets(filters).into_iter().map(Some).collect() } else { vec![None] };
        for packet in packets {
            there.entry((flow.to.address, packet)).or_default().push((index, from));
        }
    }
    let of_group = |((destination, packet), group): (Towards, Vec<Start>)| {
        let from: Vec<usize> = group.iter().map(|(_, from)| *from).collect();
        let ways = plane.ways(destination, packet.as_ref(), &from);
        let seen = ways.as_ref().map(Seen::new);
        let of_flow = |(index, from): (usize, usize)| {
            let flow = flows[index];
            let answering = match (flow.is_answered(), flow.to.known, &ways) {
                (false, ..) => Vec::new(),
                (true, true, _) => plane.number(&flow.to.node).into_iter().collect(),
                (true, false, Some(ways)) => ways.delivered_at(from).into_iter().collect(),
                (true, false, None) => Vec::new(),
            };
            (index, visit(flow, seen.as_ref(), from, false), answering)
        };
        group.into_iter().map(of_flow).collect::<Vec<_>>()
    };
    let followed: Vec<_> = there.into_par_iter().map(of_group).collect();
    let mut back: BTreeMap<IpAddr, BTreeSet<(usize, usize)>> = BTreeMap::new();
    for (index, result, answering) in followed.into_iter().flatten() {
        results.push((index, result));
        let answering = answering.into_iter().map(|device| (index, device));
        back.entry(flows[index].from.address).or_default().extend(answering);
    }
    let of_group = |(destination, group): (IpAddr, BTreeSet<(usize, usize)>)| {
        let from: Vec<usize> = group.iter().map(|(_, from)| *from).collect();
        let ways = plane.ways(destination, None, &from);
        let seen = ways.as_ref().map(Seen::new);
        group
            .into_iter()
            .map(|(index, from)| (index, visit(flows[index], seen.as_ref(), from, true)))
            .collect::<Vec<_>>()
    };
    results.extend(back.into_par_iter().flat_map_iter(of_group).collect::<Vec<_>>());
    results
}

/// Returns the numbers of the flows that may break their promise in a data plane, in order.
pub(crate) fn doubtful(flows: &[&Flow<'_>], plane: &impl Plane, filters: &Filters, steady: bool) -> Vec<usize> {
    let visit = |flow: &Flow<'_>, seen: Option<&Seen<'_, '_>>, from: usize, answer: bool| {
        let Some(seen) = seen else { return true };
        let spec = &flow.intent.spec;
        match spec.expect {
            Expectation::Isolated => seen.may_arrive(from),
            Expectation::Reachable if answer => seen.fails(from),
            Expectation::Reachable => {
                let ways = seen.ways.first_hops(from);
                // A destination on the device itself needs no path; after a failure fewer are left, as is to be expected.
                let fewer = steady && ways > 0 && ways < usize::from(spec.min_paths);
                fewer || seen.fails(from) || seen.strays(spec, from, plane)
            }
        }
    };
    let doubtful = follow(flows, plane, filters, visit).into_iter().filter(|(_, breaks)| *breaks);
    let doubtful: BTreeSet<usize> = doubtful.map(|(flow, _)| flow).collect();
    doubtful.into_iter().collect()
}

impl Flow<'_> {
    /// Tells whether a failure takes an end of the flow: that is not to be survived.
    pub(crate) fn loses_end(&self, failure: &Failure) -> bool {
        failure.takes(&self.from.node) || self.end.as_ref().is_some_and(|end| failure.takes(end))
    }

    /// Tells whether the flow starts or ends at a device.
    pub(crate) fn ends_at(&self, device: &NodeName) -> bool {
        self.from.node == *device || self.end.as_ref() == Some(device)
    }

    /// Tells whether answers are to find their way back.
    pub(crate) fn is_answered(&self) -> bool {
        self.intent.spec.expect == Expectation::Reachable && self.from.answers
    }

    /// Returns the packets that the promise is about, as far as access lists tell them apart.
    pub(crate) fn packets(&self, filters: &Filters) -> Vec<Packet> {
        let spec = &self.intent.spec;
        let (source, destination) = (self.from.address, self.to.address);
        let packet = |(protocol, port)| Packet { source, destination, protocol, port };
        if let Some(some) = self.some {
            return vec![packet(some)];
        }
        let protocol = flow_protocol(spec.protocol);
        // All packets of a protocol that is named are to arrive.
        let all = spec.expect == Expectation::Isolated || protocol.is_some();
        filters.kinds(protocol, &spec.ports, all).into_iter().map(packet).collect()
    }

    /// Returns how the flow breaks its promise, if it does: the first packet that does.
    pub(crate) fn breaches(
        &self,
        forwarding: &Forwarding<'_>,
        filters: &Filters,
        failure: Option<&Failure>,
    ) -> Option<Violation> {
        let packets = self.packets(filters);
        packets.iter().find_map(|packet| self.breach(forwarding, packet, failure))
    }

    fn breach(&self, forwarding: &Forwarding<'_>, packet: &Packet, failure: Option<&Failure>) -> Option<Violation> {
        let there = forwarding.trace_packet(&self.from.node, packet);
        let violation = |code, answer, outcome, path| Violation {
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
            first_hops: there.first_hops,
        };
        let survives = |code| if failure.is_some() { codes::DOES_NOT_SURVIVE } else { code };
        match self.intent.spec.expect {
            Expectation::Isolated => {
                let (outcome, path) = there.outcomes.iter().find(|(outcome, _)| !is_stopped(outcome))?;
                Some(violation(survives(codes::NOT_ISOLATED), false, Some(outcome.clone()), path.clone()))
            }
            Expectation::Reachable => {
                let code = survives(codes::NOT_REACHABLE);
                if let Some((outcome, path)) = lost(&there) {
                    return Some(violation(code, false, Some(outcome), path));
                }
                for back in self.answers(forwarding, &there) {
                    if let Some((outcome, path)) = lost(&back) {
                        return Some(violation(code, true, Some(outcome), path));
                    }
                }
                let fewer = there.first_hops < usize::from(self.intent.spec.min_paths);
                if failure.is_none() && fewer && there.first_hops > 0 {
                    let path = there.outcomes.values().next().cloned().unwrap_or_default();
                    return Some(violation(codes::TOO_FEW_PATHS, false, None, path));
                }
                let (code, path) = self.stray(forwarding, packet)?;
                Some(violation(code, false, None, path))
            }
        }
    }

    /// Returns a way that the intent does not allow, and why not.
    fn stray(&self, forwarding: &Forwarding<'_>, packet: &Packet) -> Option<(Code, Vec<Hop>)> {
        let (spec, from) = (&self.intent.spec, forwarding.number(&self.from.node)?);
        let bounds = Bounds {
            via: (!spec.via.is_empty()).then(|| numbers(&spec.via, forwarding)),
            avoid: numbers(&spec.avoid, forwarding),
            max_hops: spec.max_hops.map(usize::from),
        };
        let (stray, way) = forwarding.ways(packet.destination, Some(packet), [from]).stray(from, &bounds)?;
        let code = match stray {
            Stray::Misses => codes::NOT_VIA,
            Stray::Meets => codes::NOT_AVOIDED,
            Stray::TooLong => codes::TOO_MANY_HOPS,
        };
        Some((code, forwarding.hops(&way, packet.destination, Some(packet))))
    }

    /// Returns the traces of the answers, from every device where packets arrive.
    fn answers(&self, forwarding: &Forwarding<'_>, there: &Trace) -> Vec<Trace> {
        if !self.is_answered() {
            return Vec::new();
        }
        let answer = |node: &NodeName| forwarding.trace(node, self.to.address, self.from.address);
        if self.to.known { vec![answer(&self.to.node)] } else { there.delivered_at().into_iter().map(answer).collect() }
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
