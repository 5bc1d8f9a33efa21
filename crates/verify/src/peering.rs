//! Peering intents: nothing is announced beyond what the relationship allows, nothing accepted beyond what is asked for, and
//! all is announced that is to be.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::{
    config::{Action, DeviceConfig, NeighborTarget, Statement},
    state::{RouteProtocol, SessionState},
};
use weft_intent::{
    Intent,
    spec::{PeeringSession, PeeringSpec},
};
use weft_model::NodeName;

use crate::{
    Compliance, Evidence, Intended, Observed, Part,
    ledger::{Ledger, Topic},
};

/// Keeps what was observed at every session of every peering.
pub(crate) fn assess(intended: &Intended<'_>, observed: &BTreeMap<NodeName, Observed>, ledger: &mut Ledger) {
    for peering in intended.intents.peerings.values() {
        for session in &peering.spec.sessions {
            let seen = observed.get(&session.port.node);
            let mut at = Border { peering, session, ledger };
            at.announced(intended, seen);
            if let Some(seen) = seen {
                at.accepted(intended, seen);
            }
        }
    }
}

/// One session of a peering.
struct Border<'a> {
    peering: &'a Intent<PeeringSpec>,
    session: &'a PeeringSession,
    ledger: &'a mut Ledger,
}

impl Border<'_> {
    fn violated(&mut self, subject: String, expected: String, observed: String) {
        let device = Some(self.session.port.node.clone());
        let evidence = Evidence { compliance: Compliance::Violated, device, subject, expected, observed };
        self.ledger.fails(&self.peering.reference, Topic::Announcement, evidence);
    }

    /// Compares what the device announces with what it was predicted to announce: what it is to keep to itself and what it is
    /// to tell.
    fn announced(&mut self, intended: &Intended<'_>, seen: Option<&Observed>) {
        let (device, target) = (&self.session.port.node, NeighborTarget::Address(self.session.neighbor));
        let Some(advertised) = seen.and_then(|seen| seen.state.advertised.as_ref()) else {
            self.ledger.unread(&self.peering.reference, device, seen, Part::Advertised);
            return;
        };
        let none = BTreeSet::new();
        let found = advertised.get(&target).unwrap_or(&none);
        let predicted = intended.predicted.states.get(device).and_then(|state| state.advertised.as_ref());
        let predicted = predicted.and_then(|advertised| advertised.get(&target)).unwrap_or(&none);
        // What is on the list may be announced although nobody predicted it: it is no secret.
        let listed = self.peering.spec.announce.prefixes.iter().map(IpNet::trunc);
        let allowed: BTreeSet<IpNet> = listed.chain(predicted.iter().copied()).collect();
        let beyond = found.difference(&allowed).filter(|prefix| !self.is_its_own(seen, prefix));
        let beyond: Vec<String> = beyond.map(ToString::to_string).collect();
        let to = format!("announced to {} ({})", self.peering.reference.name, self.session.neighbor);
        self.ledger.holds(&self.peering.reference, Topic::Announcement, found.intersection(&allowed).count());
        if !beyond.is_empty() {
            let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            self.violated(format!("prefixes {to}"), format!("only {}", few(&list)), format!("also {}", few(&beyond)));
        }
        // A session that is down announces nothing: that is said once, of the session.
        let established = seen
            .and_then(|seen| seen.state.neighbors.as_ref())
            .and_then(|neighbors| neighbors.get(&target))
            .is_none_or(|neighbor| neighbor.session_state == SessionState::Established);
        if established {
            let missing: Vec<String> = predicted.difference(found).map(ToString::to_string).collect();
            if !missing.is_empty() {
                self.violated(format!("prefixes {to}"), few(&missing), "not announced".to_owned());
            }
        }
    }

    /// Tells whether a route is the neighbor's own: many routers send it back, and the neighbor finds itself in its AS path.
    fn is_its_own(&self, seen: Option<&Observed>, prefix: &IpNet) -> bool {
        let accept = &self.peering.spec.accept;
        let listed = accept.prefixes.iter().any(|own| match accept.more_specific {
            Some(_) => own.contains(prefix),
            None => own.trunc() == *prefix,
        });
        let rib = seen.and_then(|seen| seen.state.rib.as_ref());
        let route = rib.and_then(|rib| rib.get(prefix));
        let comes_from_it = route.is_some_and(|route| route.interfaces().contains(&self.session.port.interface));
        (listed && prefix.prefix_len() > 0) || comes_from_it
    }

    /// Looks for routes from the neighbor that the import policy does not take.
    fn accepted(&mut self, intended: &Intended<'_>, seen: &Observed) {
        let Some(config) = intended.configs.get(&self.session.port.node) else { return };
        let target = NeighborTarget::Address(self.session.neighbor);
        let from = format!("accepted from {} ({})", self.peering.reference.name, self.session.neighbor);
        if let Some(rib) = &seen.state.rib {
            let beyond: Vec<String> = rib
                .iter()
                .filter(|(prefix, route)| {
                    route.protocol == RouteProtocol::Bgp
                        && route.interfaces().contains(&self.session.port.interface)
                        && !takes(config, &target, prefix)
                })
                .map(|(prefix, _)| prefix.to_string())
                .collect();
            if !beyond.is_empty() {
                self.violated(format!("routes {from}"), self.acceptable(), format!("also {}", few(&beyond)));
                return;
            }
        }
        // Routes that were accepted and lost against better ones are in no table, but they are counted. Of a neighbor from which
        // more than a list is taken nobody knows how many there are.
        let accept = &self.peering.spec.accept;
        if accept.everything || accept.more_specific.is_some() {
            return;
        }
        let listed: BTreeSet<IpNet> = accept.prefixes.iter().map(IpNet::trunc).collect();
        let neighbors = seen.state.neighbors.as_ref();
        let received =
            neighbors.and_then(|neighbors| neighbors.get(&target)).and_then(|neighbor| neighbor.prefixes_received);
        if let Some(received) = received.filter(|&received| received as usize > listed.len()) {
            let expected = format!("at most {}", listed.len());
            self.violated(format!("number of prefixes {from}"), expected, received.to_string());
        }
    }

    /// Says what is taken from the neighbor.
    fn acceptable(&self) -> String {
        let accept = &self.peering.spec.accept;
        let mut parts: Vec<String> = accept.prefixes.iter().map(|prefix| prefix.trunc().to_string()).collect();
        if accept.more_specific.is_some() {
            parts.push("longer prefixes within them".to_owned());
        }
        if accept.everything {
            parts.push("prefixes that are fit for the internet".to_owned());
        }
        format!("only {}", parts.join(", "))
    }
}

/// Tells whether the import policy of a neighbor takes some route to `prefix`, whatever communities it has.
fn takes(config: &DeviceConfig, target: &NeighborTarget, prefix: &IpNet) -> bool {
    let neighbor = config.bgp.as_ref().and_then(|bgp| bgp.neighbors.get(target));
    let Some(policy) = neighbor.and_then(|neighbor| neighbor.import_policy.as_ref()) else { return false };
    let policies = &config.routing_policy;
    let matches = |statement: &&Statement| {
        let conditions = &statement.conditions;
        let set = conditions.prefix_set.as_ref();
        statement.action != Action::Next
            && !(statement.action == Action::Reject && conditions.community_set.is_some())
            && set.is_none_or(|set| policies.prefix_sets.get(set).is_some_and(|set| set.contains(prefix)))
    };
    let statements = policies.policy_definitions.get(policy).into_iter().flat_map(|policy| &policy.statements);
    statements.into_iter().find(matches).is_some_and(|statement| statement.action == Action::Accept)
}

/// Lists the first of many.
pub(crate) fn few(all: &[String]) -> String {
    const MOST: usize = 5;
    match all.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{} and {more} more", all[..MOST].join(", ")),
        _ => all.join(", "),
    }
}
