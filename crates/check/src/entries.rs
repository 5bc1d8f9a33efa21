//! Checks Steering intents about ways in on the predicted network: a neighbor with several sessions sends its traffic over the first
//! way of a list that is there, also when those before it are gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::{config::NeighborTarget, state::DeviceState};
use weft_diagnostics::Diagnostic;
use weft_intent::{
    Intent,
    spec::{Direction, PeeringSession, PeeringSpec, SteeringSpec},
};
use weft_model::{IntentRef, NodeName, TerminationPoint};
use weft_simulate::{Failed, Forwarding, Scenario, Scenarios};

use crate::{codes, drained::Drained, reachability::Checked, steps};

/// An order of ways in, for one neighbor with several sessions and one prefix of ours.
struct Entry<'a> {
    intent: &'a Intent<SteeringSpec>,
    peering: &'a Intent<PeeringSpec>,
    prefix: IpNet,
    address: IpAddr,
}

/// The ways in of the Steering intents of a network.
pub(crate) struct Entries<'a> {
    entries: Vec<Entry<'a>>,
}

impl<'a> Entries<'a> {
    /// Returns the inbound lists, for each neighbor by itself: how several neighbors choose among them is decided by networks that
    /// nobody here knows. Of several for one prefix the first by name has the last say.
    pub(crate) fn new(checked: Checked<'a>) -> Self {
        let mut entries = Vec::new();
        let mut known: BTreeSet<(&IntentRef, IpNet)> = BTreeSet::new();
        let inbound = checked.intents.steerings.values().filter(|intent| intent.spec.direction == Direction::Inbound);
        for intent in inbound {
            for reference in intent.spec.prefer.iter().filter_map(|way| way.peering.as_ref()) {
                let Some(peering) = checked.intents.peerings.get(&reference.name) else { continue };
                let meant = |prefix: &&IpNet| {
                    intent.spec.prefixes.is_empty() || intent.spec.prefixes.iter().any(|own| own.trunc() == **prefix)
                };
                for &prefix in peering.spec.announce.prefixes.iter().filter(meant) {
                    if known.insert((reference, prefix)) {
                        let address = prefix.hosts().next().unwrap_or(prefix.addr());
                        entries.push(Entry { intent, peering, prefix, address });
                    }
                }
            }
        }
        Self { entries }
    }

    /// Returns the addresses that are asked for.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = IpAddr> {
        self.entries.iter().map(|entry| entry.address)
    }

    /// Returns a finding for each list whose order a neighbor does not follow. A way whose ends are all drained may be used and need
    /// not be.
    pub(crate) fn check(
        &self,
        checked: Checked<'_>,
        drained: &Drained<'_>,
        states: &BTreeMap<NodeName, DeviceState>,
        scenarios: &Scenarios<'_>,
    ) -> Vec<Diagnostic> {
        let mut findings: BTreeMap<_, Diagnostic> = BTreeMap::new();
        for entry in &self.entries {
            let mut failed = Failed::default();
            for (index, ports) in entry.ways(states) {
                let scenario = scenarios.fail(&failed);
                let before = !failed.links.is_empty();
                if let Some(finding) = entry.follows(checked, &scenario, (index, &ports), before)
                    && !drained.holds(&ports)
                {
                    findings.entry(&entry.intent.reference).or_insert(finding);
                    break;
                }
                failed.links.extend(ports);
            }
        }
        findings.into_values().collect()
    }
}

impl Entry<'_> {
    /// Returns the places of the list at which the neighbor hears of the prefix, with our ports there.
    fn ways(&self, states: &BTreeMap<NodeName, DeviceState>) -> Vec<(usize, BTreeSet<TerminationPoint>)> {
        let heard = |session: &&PeeringSession| {
            let advertised = states.get(&session.port.node).and_then(|state| state.advertised.as_ref());
            let told = advertised.and_then(|told| told.get(&NeighborTarget::Address(session.neighbor)));
            told.is_some_and(|prefixes| prefixes.contains(&self.prefix))
        };
        let mut met = BTreeSet::new();
        let ways = self.intent.spec.prefer.iter().enumerate().map(|(index, way)| {
            let of_way = |session: &&PeeringSession| {
                way.peering.as_ref().is_some_and(|peering| peering.name == self.peering.reference.name)
                    && (way.at.is_empty() || way.at.contains(&session.port.node))
            };
            let ends = self.peering.spec.sessions.iter().filter(of_way).filter(heard).map(|session| TerminationPoint {
                node: session.port.node.clone(),
                interface: session.port.interface.clone(),
            });
            (index, ends.filter(|end| met.insert(end.clone())).collect::<BTreeSet<_>>())
        });
        ways.filter(|(_, ports)| !ports.is_empty()).collect()
    }

    /// Returns a finding when the neighbor sends packets over another way than the one at a place of the list.
    fn follows(
        &self,
        checked: Checked<'_>,
        scenario: &Scenario<'_, '_>,
        (index, ports): (usize, &BTreeSet<TerminationPoint>),
        after_failure: bool,
    ) -> Option<Diagnostic> {
        let router = &self.peering.reference.name;
        let states = scenario.states(&[self.address].into());
        let forwarding = Forwarding::new(&states, checked.cables);
        let from = forwarding.number(&NodeName::from(router.clone()))?;
        let ways = forwarding.ways(self.address, None, [from]);
        for (device, port, far) in ways.hops(from).into_iter().filter(|(device, _, _)| *device == from) {
            let near = TerminationPoint { node: forwarding.name(device)?.clone(), interface: port.clone() };
            let cable = checked.cables.iter().find(|cable| cable.contains(&near))?;
            let entered = cable.iter().find(|end| **end != near)?;
            if ports.contains(entered) {
                continue;
            }
            let at: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let gone = if after_failure { " after the ways before it are gone" } else { "" };
            let message = format!(
                "traffic of `{router}` to {} comes in by {entered}, not by {}{gone}",
                self.prefix,
                at.join(", ")
            );
            let hops = forwarding.hops(&[from, far], self.address, None);
            let span = self.intent.document.span(&format!("/spec/prefer/{index}"));
            return Some(Diagnostic::error(codes::WRONG_ENTRY, message).at(span).path(steps(&hops)));
        }
        None
    }
}
