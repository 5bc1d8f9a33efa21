//! Peering intents: nothing is announced beyond the list, nothing accepted beyond it, and all of it is announced.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::{
    config::NeighborTarget,
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
                at.accepted(seen);
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

    /// Compares what the device announces with the list, and with what it was predicted to announce.
    fn announced(&mut self, intended: &Intended<'_>, seen: Option<&Observed>) {
        let (device, target) = (&self.session.port.node, NeighborTarget::Address(self.session.neighbor));
        let Some(advertised) = seen.and_then(|seen| seen.state.advertised.as_ref()) else {
            self.ledger.unread(&self.peering.reference, device, seen, Part::Advertised);
            return;
        };
        let none = BTreeSet::new();
        let found = advertised.get(&target).unwrap_or(&none);
        let allowed: BTreeSet<IpNet> = self.peering.spec.announce.prefixes.iter().map(IpNet::trunc).collect();
        let beyond: Vec<String> = found.difference(&allowed).map(ToString::to_string).collect();
        let to = format!("announced to {} ({})", self.peering.reference.name, self.session.neighbor);
        self.ledger.holds(&self.peering.reference, Topic::Announcement, found.intersection(&allowed).count());
        if !beyond.is_empty() {
            let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            self.violated(
                format!("prefixes {to}"),
                format!("only {}", list.join(", ")),
                format!("also {}", few(&beyond)),
            );
        }
        // A session that is down announces nothing: that is said once, of the session.
        let established = seen
            .and_then(|seen| seen.state.neighbors.as_ref())
            .and_then(|neighbors| neighbors.get(&target))
            .is_none_or(|neighbor| neighbor.session_state == SessionState::Established);
        let predicted = intended.predicted.states.get(device).and_then(|state| state.advertised.as_ref());
        if let Some(predicted) = predicted.and_then(|advertised| advertised.get(&target)).filter(|_| established) {
            let missing: Vec<String> = predicted.difference(found).map(ToString::to_string).collect();
            if !missing.is_empty() {
                self.violated(format!("prefixes {to}"), few(&missing), "not announced".to_owned());
            }
        }
    }

    /// Looks for routes from the neighbor that the list does not have.
    fn accepted(&mut self, seen: &Observed) {
        let allowed: BTreeSet<IpNet> = self.peering.spec.accept.prefixes.iter().map(IpNet::trunc).collect();
        let from = format!("accepted from {} ({})", self.peering.reference.name, self.session.neighbor);
        let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        if let Some(rib) = &seen.state.rib {
            let beyond: Vec<String> = rib
                .iter()
                .filter(|(prefix, route)| {
                    route.protocol == RouteProtocol::Bgp
                        && !allowed.contains(*prefix)
                        && route.interfaces().contains(&self.session.port.interface)
                })
                .map(|(prefix, _)| prefix.to_string())
                .collect();
            if !beyond.is_empty() {
                let (expected, found) = (format!("only {}", list.join(", ")), format!("also {}", few(&beyond)));
                self.violated(format!("routes {from}"), expected, found);
                return;
            }
        }
        // Routes that were accepted and lost against better ones are in no table, but they are counted.
        let received = seen
            .state
            .neighbors
            .as_ref()
            .and_then(|neighbors| neighbors.get(&NeighborTarget::Address(self.session.neighbor)))
            .and_then(|neighbor| neighbor.prefixes_received);
        if let Some(received) = received.filter(|&received| received as usize > allowed.len()) {
            self.violated(
                format!("number of prefixes {from}"),
                format!("at most {}", allowed.len()),
                received.to_string(),
            );
        }
    }
}

/// Lists the first of many.
pub(crate) fn few(all: &[String]) -> String {
    const MOST: usize = 5;
    match all.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{} and {more} more", all[..MOST].join(", ")),
        _ => all.join(", "),
    }
}
