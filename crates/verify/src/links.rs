//! Fabric and Topology intents: every planned link is up at both ends and carries packets of the intended size.

use std::collections::BTreeMap;

use petgraph::{unionfind::UnionFind, visit::NodeIndexable};
use weft_model::{Link, NodeName, TerminationPoint};

use crate::{
    Compliance, Evidence, Intended, Observed, Part,
    faults::Faults,
    ledger::{Ledger, Topic},
    view::{self, Seen},
};

/// Keeps what was observed of every link and every node.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    faults: &Faults,
    ledger: &mut Ledger,
) {
    let network = intended.network;
    for node in network.nodes() {
        match observed.get(&node.name) {
            Some(Observed { unreachable: None, .. }) => ledger.holds(&node.source.intent, Topic::Device, 1),
            seen => ledger.unread(&node.source.intent, &node.name, seen, Part::Interfaces),
        }
    }

    // The parts into which the links that are not down divide the network.
    let mut parts = UnionFind::new(network.graph().node_bound());
    let index = |node: &NodeName| network.index(node.as_str()).map(|index| index.index());
    let is_down = |link: &Link| link.ends.iter().any(|end| faults.ports.contains(end));
    for link in network.links().filter(|link| !is_down(link)) {
        if let (Some(a), Some(b)) = (index(&link.ends[0].node), index(&link.ends[1].node)) {
            parts.union(a, b);
        }
    }

    for link in network.links() {
        let joined = match (index(&link.ends[0].node), index(&link.ends[1].node)) {
            (Some(a), Some(b)) => parts.equiv(a, b),
            _ => false,
        };
        for (end, far) in [(&link.ends[0], &link.ends[1]), (&link.ends[1], &link.ends[0])] {
            assess_end(link, end, far, joined, observed, ledger);
        }
    }
}

/// Keeps what was observed at one end of a link; `joined` tells whether its two nodes reach each other over other links.
fn assess_end(
    link: &Link,
    end: &TerminationPoint,
    far: &TerminationPoint,
    joined: bool,
    observed: &BTreeMap<NodeName, Observed>,
    ledger: &mut Ledger,
) {
    let intent = &link.source.intent;
    let seen = observed.get(&end.node);
    let evidence = |compliance, what: &str, expected: String, observed: String| Evidence {
        compliance,
        device: Some(end.node.clone()),
        subject: format!("{what} of the link {} to {far}", end.interface),
        expected,
        observed,
    };
    match view::interface(seen, &end.interface) {
        Seen::Unread => ledger.unread(intent, &end.node, seen, Part::Interfaces),
        Seen::Down(how) if joined => {
            ledger.fails(intent, Topic::Link, evidence(Compliance::Degraded, "status", "up".into(), how.into()));
        }
        Seen::Down(how) => {
            let how = format!("{how}, and no other path joins {} and {}", end.node, far.node);
            ledger.fails(intent, Topic::Link, evidence(Compliance::Violated, "status", "up".into(), how));
        }
        Seen::Up(state) => match state.mtu {
            Some(mtu) if mtu != u32::from(link.mtu.octets()) => {
                let (expected, found) = (link.mtu.to_string(), mtu.to_string());
                ledger.fails(intent, Topic::Link, evidence(Compliance::Violated, "MTU", expected, found));
            }
            Some(_) | None => ledger.holds(intent, Topic::Link, 1),
        },
    }
}
