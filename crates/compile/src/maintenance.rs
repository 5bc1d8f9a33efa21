//! What Maintenance intents drain at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use weft_device::config::Transformations;
use weft_diagnostics::Diagnostic;
use weft_intent::IntentSet;
use weft_model::{Community, Link, Network, NodeName, Provenance, TerminationPoint};

use crate::codes;

/// The local preference of routes that are not to be used: that of RFC 8326 4.
pub(crate) const DRAINED_PREFERENCE: u32 = 0;

/// The nodes and links that are drained, with what says so.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    nodes: BTreeMap<NodeName, Provenance>,
    /// By the smaller end.
    links: BTreeMap<TerminationPoint, Provenance>,
}

impl Drained {
    /// Returns what is drained at the time `now`, and a note for each intent that is outside of its window.
    pub(crate) fn new(intents: &IntentSet, network: &Network, now: Timestamp) -> (Self, Vec<Diagnostic>) {
        let (mut drained, mut notes) = (Self::default(), Vec::new());
        for (name, maintenance) in &intents.maintenances {
            let spec = &maintenance.spec;
            if let Some(window) = spec.window.filter(|window| !window.contains(now)) {
                let message = match now < window.from {
                    true => format!("maintenance `{name}` drains nothing before {}", window.from),
                    false => {
                        format!("maintenance `{name}` drains nothing any more: its window ended at {}", window.until)
                    }
                };
                notes.push(
                    Diagnostic::note(codes::OUTSIDE_WINDOW, message)
                        .at(maintenance.document.span("/spec/window"))
                        .help("run the pipeline within the window; remove the intent when the work is done"),
                );
                continue;
            }
            for (index, node) in spec.drain.nodes.iter().enumerate() {
                let source = maintenance.source_at(&format!("/spec/drain/nodes/{index}"));
                drained.nodes.entry(node.clone()).or_default().sources.insert(source);
            }
            for (index, end) in spec.drain.links.iter().enumerate() {
                let source = maintenance.source_at(&format!("/spec/drain/links/{index}"));
                let end = TerminationPoint { node: end.node.clone(), interface: end.interface.clone() };
                if let Some(link) = network.link_at(&end) {
                    drained.links.entry(link.ends[0].clone()).or_default().sources.insert(source);
                }
            }
        }
        (drained, notes)
    }

    /// Returns what drains a node.
    pub(crate) fn node(&self, node: &NodeName) -> Option<&Provenance> {
        self.nodes.get(node)
    }

    /// Returns what drains a link at its end on `node`: the link itself is drained, or that node.
    pub(crate) fn link(&self, node: &NodeName, link: &Link) -> Option<Provenance> {
        let sources: Vec<_> = (self.nodes.get(node).into_iter().chain(self.links.get(&link.ends[0])))
            .flat_map(|provenance| provenance.sources.iter().cloned())
            .collect();
        (!sources.is_empty()).then(|| Provenance { sources: sources.into_iter().collect(), ..Provenance::default() })
    }
}

/// Returns the change of a route that asks the neighbor to use another one (RFC 8326).
pub(crate) fn to_avoid() -> Transformations {
    Transformations { add_communities: vec![Community::GRACEFUL_SHUTDOWN], ..Transformations::default() }
}

/// Returns the change of a route that is taken and not used while there is another.
pub(crate) fn avoided() -> Transformations {
    Transformations { local_preference: Some(DRAINED_PREFERENCE), ..Transformations::default() }
}
