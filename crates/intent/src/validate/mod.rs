//! What intents say together, against the topology graph and the packs.

mod access;
mod address_family;
mod authentication;
mod baseline;
mod capacity;
mod exchange;
mod flow;
mod ibgp;
mod maintenance;
mod martian;
mod network;
mod ospf;
mod own;
mod packets;
mod peering;
mod pools;
mod ports;
mod prefixes;
mod reachability;
mod reference;
mod routing;
mod segment;
mod selector;
mod steering;
mod tenant;
mod tenant_numbers;
mod underlay;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use weft_diagnostics::{Code, Diagnostic};
use weft_model::{Catalogue, IntentKind, Network, Node, NodeName, PackName};

use crate::{Document, IntentSet, codes, suggest::Suggester};
use own::Own;
use packets::Packets;
use ports::Ports;
use routing::Routing;
use selector::Words;

/// Builds the topology graph and checks what the intents say together.
///
/// Returns the graph of everything that could be made, and the findings, sorted by place. What an intent that [`load`]
/// rejected would have brought is not reported as missing.
///
/// [`load`]: crate::load
pub fn validate(set: &IntentSet, catalogue: &Catalogue) -> (Network, Vec<Diagnostic>) {
    let suggester = Suggester::default();
    let network::Built { network, ports, whole, linked, findings } = network::build(set, catalogue, &suggester);
    let words = Words::of(&network);
    let mut validation = Validation {
        set,
        catalogue,
        network: &network,
        ports,
        words,
        suggester: &suggester,
        whole,
        linked,
        vague: BTreeSet::new(),
        findings,
    };
    let underlays = underlay::check(&mut validation);
    pools::check(&mut validation, &underlays);
    segment::check(&mut validation);
    tenant::check(&mut validation, &underlays);
    let routing = Routing::of(&validation, &underlays);
    peering::check(&mut validation, &routing);
    prefixes::check(&mut validation);
    address_family::check(&mut validation, &underlays);
    let verdicts = access::check(&mut validation);
    reachability::check(&mut validation, &routing, &verdicts);
    capacity::check(&mut validation, &routing);
    let drained = maintenance::check(&mut validation, &routing);
    steering::check(&mut validation, &routing, &drained);
    baseline::check(&mut validation);
    let mut findings = validation.findings;
    findings.sort();
    findings.dedup();
    for (_, _, document) in set.all() {
        document.without_repeated(&mut findings, |a, b| a.code == b.code && a.message == b.message);
    }
    (network, findings)
}

/// A value of a document, to be found when there is something to say about it.
#[derive(Debug, Clone)]
struct Spot<'a> {
    document: &'a Document,
    pointer: String,
}

impl<'a> Spot<'a> {
    fn new(document: &'a Document, pointer: impl Into<String>) -> Self {
        Self { document, pointer: pointer.into() }
    }

    fn span(&self) -> weft_diagnostics::SourceSpan {
        self.document.span(&self.pointer)
    }
}

/// What the checks share.
struct Validation<'a> {
    set: &'a IntentSet,
    catalogue: &'a Catalogue,
    network: &'a Network,
    ports: Ports<'a>,
    words: Words<'a>,
    suggester: &'a Suggester,
    /// Whether every node and link that the texts ask for is in the network.
    whole: bool,
    /// Whether every link that the texts ask for is in the network.
    linked: bool,
    /// Kinds with an intent that selects something in vain: what it was to select is not known.
    vague: BTreeSet<IntentKind>,
    findings: Vec<Diagnostic>,
}

impl<'a> Validation<'a> {
    fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// Returns the node, or reports that there is none.
    fn node(&mut self, name: &NodeName, document: &Document, pointer: &str) -> Option<&'a Node> {
        let node = self.network.node(name.as_str());
        if node.is_none() && self.whole {
            self.findings.push(unknown_node(self.suggester, name, self.network).at(document.span(pointer)));
        }
        node
    }

    /// Reports once for each pack that lacks `feature`, which the value at `pointer` needs on some of these nodes.
    fn feature<'n>(
        &mut self,
        nodes: impl IntoIterator<Item = &'n Node>,
        feature: &str,
        document: &Document,
        pointer: &str,
    ) {
        let mut lacking: BTreeMap<&'n PackName, (usize, &'n NodeName)> = BTreeMap::new();
        let mut known: HashMap<&'n PackName, bool> = HashMap::new();
        for node in nodes {
            let has = *known.entry(&node.pack).or_insert_with(|| {
                // A pack that is not there was reported where it is named.
                self.catalogue.get(&node.pack).is_none_or(|pack| pack.features.contains(feature))
            });
            if !has {
                lacking.entry(&node.pack).or_insert((0, &node.name)).0 += 1;
            }
        }
        for (pack, (count, first)) in lacking {
            let nodes = crate::suggest::first_of(first.as_str(), count);
            let message = format!("{nodes} cannot do this: the pack `{pack}` has no feature `{feature}`");
            let able: Vec<&str> = self
                .catalogue
                .iter()
                .filter(|(_, pack)| pack.features.contains(feature))
                .map(|(name, _)| name.as_str())
                .collect();
            let help = if able.is_empty() {
                "no pack has the feature: do without it".to_owned()
            } else {
                format!(
                    "select other nodes, or run another pack on them: the feature is in {}",
                    crate::suggest::list(&able)
                )
            };
            self.report(
                Diagnostic::error(codes::MISSING_FEATURE, message).at(document.setting_span(pointer)).help(help),
            );
        }
    }

    /// Tells whether the pack of a node has a feature; one that is not there was reported where it is named.
    fn can(&self, node: &Node, feature: &str) -> bool {
        self.catalogue.get(&node.pack).is_none_or(|pack| pack.features.contains(feature))
    }

    /// Tells whether intents of this kind are all in the set, and select what they were meant to.
    fn has_all(&self, kind: IntentKind) -> bool {
        !self.set.lacks(kind) && !self.vague.contains(&kind)
    }
}

/// Returns the finding that the network has no node of this name.
fn unknown_node(suggester: &Suggester, name: &NodeName, network: &Network) -> Diagnostic {
    let candidates: Vec<&str> = network.nodes().map(|node| node.name.as_str()).collect();
    unknown(suggester, codes::UNKNOWN_NODE, "node", name.as_str(), candidates)
}

/// Returns the finding that there is no `what` called `name`, with the nearest of the candidates.
fn unknown<'c>(
    suggester: &Suggester,
    code: Code,
    what: &str,
    name: &str,
    candidates: impl IntoIterator<Item = &'c str> + Clone,
) -> Diagnostic {
    let finding = Diagnostic::error(code, format!("there is no {what} `{}`", name.escape_debug()));
    match suggester.help(name, candidates, &format!("{what}s")) {
        Some(help) => finding.help(help),
        None => finding,
    }
}

/// Checks that a session is not lost before its first keepalive.
fn timers(validation: &mut Validation<'_>, timers: Option<&crate::spec::TimersSpec>, document: &Document) {
    if let Some(timers) = timers
        && timers.hold_seconds <= timers.keepalive_seconds
    {
        let message = format!(
            "the hold time of {} s is not above the keepalive interval of {} s",
            timers.hold_seconds, timers.keepalive_seconds
        );
        let third = timers.keepalive_seconds.saturating_mul(3);
        validation.report(
            Diagnostic::error(codes::TIMERS, message)
                .at(document.span("/spec/timers/hold_seconds"))
                .label(document.span("/spec/timers/keepalive_seconds"), "the keepalive interval")
                .help(format!("three times the keepalive interval is usual: {third}")),
        );
    }
}
