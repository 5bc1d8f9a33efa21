//! Traffic: which packets go other ways from one predicted network to another, and whether somebody allowed that.

use std::collections::BTreeMap;

use weft_check::traffic::{Move, Moves, Place, PlaceClass, Predicted, moves, places};
use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{NodeName, TrafficWhat};
use weft_plan::{BeforeAfter, Traffic, TrafficChange};
use weft_simulate::{Cable, Failed, Prediction, simulate};

use super::{Compiled, Project};
use crate::{codes, definition::AllowedChange, report::counted};

/// A predicted network, and the places between which it carries traffic.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// The configuration of every device, external routers included.
    pub configs: BTreeMap<NodeName, DeviceConfig>,
    /// The external routers.
    pub external: BTreeMap<NodeName, DeviceConfig>,
    /// Every cable, those to external routers included, in order.
    pub cables: Vec<Cable>,
    /// What every device does.
    pub prediction: Prediction,
    /// Where packets start and go.
    pub places: Vec<Place>,
}

impl Carried {
    /// Predicts the network of a project while some of it has failed. Places at nodes that are off are no places.
    pub fn of(project: &Project, compiled: &Compiled, failed: &Failed) -> Self {
        let links = project.network.links().map(|link| link.ends.clone());
        let mut cables: Vec<Cable> = links.chain(compiled.external.cables.iter().cloned()).collect();
        cables.sort();
        let mut configs = compiled.external.configs.clone();
        configs.extend(compiled.configs.clone());
        let mut places = places(&project.intents, &project.network, &compiled.allocations, &compiled.external);
        places.retain(|place| place.node.as_ref().is_none_or(|node| !failed.nodes.contains(node)));
        let prediction = simulate(&configs, &cables, failed);
        Self { configs, external: compiled.external.configs.clone(), cables, prediction, places }
    }

    /// Returns the network as packets see it.
    pub fn predicted(&self) -> Predicted<'_> {
        Predicted {
            configs: &self.configs,
            external: &self.external,
            cables: &self.cables,
            states: &self.prediction.states,
        }
    }
}

/// Returns what of the traffic changes from one network to another. Without a list of what is allowed, everything is.
pub fn traffic(old: &Carried, new: &Carried, allowed: Option<&[AllowedChange]>) -> (Traffic, Moves) {
    let allows = |from: &Place, to: &Place, what: TrafficWhat| {
        allowed.is_none_or(|allowed| allowed.iter().any(|change| change.allows(from, to, what)))
    };
    let moves = moves((old.predicted(), &old.places), (new.predicted(), &new.places), &allows);
    let traffic = Traffic {
        base: None,
        notes: Vec::new(),
        compared: moves.compared,
        same: moves.same,
        changes: moves.changes.iter().map(change).collect(),
    };
    (traffic, moves)
}

/// Returns an error for each pair of classes whose traffic changes in a way that nobody allowed, at the place of the list.
pub fn moved_findings(moves: &Moves, list: Option<&SourceSpan>) -> Vec<Diagnostic> {
    let mut classes: BTreeMap<(TrafficWhat, &PlaceClass, &PlaceClass), Vec<&Move>> = BTreeMap::new();
    for change in moves.changes.iter().filter(|change| !change.allowed) {
        classes.entry((change.what, &change.from, &change.to)).or_default().push(change);
    }
    classes.into_iter().map(|(class, changes)| moved(class, &changes, list)).collect()
}

fn moved(
    (what, from, to): (TrafficWhat, &PlaceClass, &PlaceClass),
    changes: &[&Move],
    list: Option<&SourceSpan>,
) -> Diagnostic {
    let first = changes[0];
    let pairs: usize = changes.iter().map(|change| change.pairs).sum();
    // A pair counts once for each kind of packets that changes.
    let pairs = counted(pairs.min(first.of), "pair");
    let packets = first.packets.as_ref().map(|packets| format!(" ({packets})")).unwrap_or_default();
    let ends = match (&first.before, &first.after) {
        (Some(before), Some(after)) if before != after => format!(": {before} -> {after}"),
        (Some(_), Some(_)) => String::new(),
        (Some(only), None) | (None, Some(only)) => format!(": {only}"),
        (None, None) => String::new(),
    };
    let (source, destination) = &first.example;
    let message = format!(
        "the traffic from {from} to {to} {}: {pairs} of {}, such as {source} to {destination}{packets}{ends}",
        becomes(what),
        first.of
    );
    let word = what.as_str();
    let mut finding = Diagnostic::error(codes::TRAFFIC_MOVES, message)
        .help(format!("if that is meant, allow it: `{{ from: {from}, to: {to}, what: [{word}] }}`"));
    if let Some(list) = list {
        finding = finding.at(list.clone());
    }
    match changes.iter().find_map(|change| change.rule.as_ref()) {
        Some(rule) => finding.label(SourceSpan::point(rule.file.clone(), rule.line, 1), "this drops it"),
        None => finding,
    }
}

/// Returns a change in words, behind `the traffic from a to b`.
fn becomes(what: TrafficWhat) -> &'static str {
    match what {
        TrafficWhat::Lost => "does not all arrive any more",
        TrafficWhat::Gained => "arrives that did not",
        TrafficWhat::Verdict => "ends in another way",
        TrafficWhat::Path => "takes another path",
        TrafficWhat::Narrower => "has fewer paths",
        TrafficWhat::Wider => "has more paths",
        TrafficWhat::Comes => "is new",
        TrafficWhat::Goes => "is gone",
    }
}

fn change(change: &Move) -> TrafficChange {
    let numbers = |[before, after]: [Option<(usize, usize)>; 2]| {
        let both = |range: Option<(usize, usize)>| range.map(|(least, most)| [least as u64, most as u64]);
        BeforeAfter { before: both(before), after: both(after) }
    };
    let (from, to) = &change.example;
    TrafficChange {
        what: change.what,
        from: change.from.to_string(),
        to: change.to.to_string(),
        packets: change.packets.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        because: change.rule.as_ref().map(ToString::to_string),
        pairs: change.pairs,
        of: change.of,
        sources: change.sources.clone(),
        width: numbers(change.width),
        paths: BeforeAfter {
            before: change.paths[0].map(|(least, most)| [least, most]),
            after: change.paths[1].map(|(least, most)| [least, most]),
        },
        hops: numbers(change.hops),
        leaves: change.leaves.clone(),
        joins: change.joins.clone(),
        example: [from.to_string(), to.to_string()],
        allowed: change.allowed,
    }
}
