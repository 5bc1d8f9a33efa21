//! Segment intents: host ports are up and have the gateway's address. Their prefixes are compared with all other routes.

use std::collections::BTreeMap;

use weft_intent::{Intent, spec::SegmentSpec};
use weft_model::NodeName;

use crate::{
    Compliance, Evidence, Intended, Observed, Part,
    ledger::{Ledger, Topic},
    owners::Owners,
    view::{self, Seen},
};

/// Keeps what was observed of the ports of every segment.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    owners: &Owners,
    ledger: &mut Ledger,
) {
    for segment in intended.intents.segments.values() {
        assess_ports(intended, segment, observed, owners, ledger);
    }
}

fn assess_ports(
    intended: &Intended<'_>,
    segment: &Intent<SegmentSpec>,
    observed: &BTreeMap<NodeName, Observed>,
    owners: &Owners,
    ledger: &mut Ledger,
) {
    let intent = &segment.reference;
    for (port, _) in owners.segment_ports.get(intent).into_iter().flatten() {
        let seen = observed.get(&port.node);
        let mut violated = |topic, subject: String, expected: String, observed: String| {
            let (compliance, device) = (Compliance::Violated, Some(port.node.clone()));
            ledger.fails(intent, topic, Evidence { compliance, device, subject, expected, observed });
        };
        let state = match view::interface(seen, &port.interface) {
            Seen::Unread => {
                ledger.unread(intent, &port.node, seen, Part::Interfaces);
                continue;
            }
            Seen::Down(how) => {
                violated(Topic::Port, format!("host port {}", port.interface), "up".to_owned(), how.to_owned());
                continue;
            }
            Seen::Up(state) => state,
        };
        match state.mtu {
            Some(mtu) if mtu != u32::from(segment.spec.mtu.octets()) => {
                let expected = segment.spec.mtu.to_string();
                violated(Topic::Port, format!("MTU of host port {}", port.interface), expected, mtu.to_string());
            }
            Some(_) | None => ledger.holds(intent, Topic::Port, 1),
        }
        let config = intended.configs.get(&port.node).and_then(|config| config.interfaces.get(&port.interface));
        for address in config.iter().flat_map(|interface| &interface.addresses) {
            if state.addresses.contains(&address.prefix) {
                ledger.holds(intent, Topic::Address, 1);
            } else {
                let found: Vec<String> = state.addresses.iter().map(ToString::to_string).collect();
                let found = if found.is_empty() { "no address".to_owned() } else { found.join(", ") };
                let subject = format!("gateway on host port {}", port.interface);
                let evidence = Evidence {
                    compliance: Compliance::Violated,
                    device: Some(port.node.clone()),
                    subject,
                    expected: address.prefix.to_string(),
                    observed: found,
                };
                ledger.fails(intent, Topic::Address, evidence);
            }
        }
    }
}
