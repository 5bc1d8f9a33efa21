//! Underlay intents: which nodes and links each has, and whether the nodes can do it.

use std::collections::{BTreeMap, HashMap, HashSet};

use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{Link, Node, NodeName, PackName};

use super::{Validation, selector, timers};
use crate::{
    Intent, codes,
    spec::{Addressing, UnderlaySpec},
    suggest::first_of,
};

/// An underlay with the nodes it selects and the links between them.
pub(super) struct UnderlayScope<'a> {
    pub(super) intent: &'a Intent<UnderlaySpec>,
    pub(super) nodes: Vec<&'a Node>,
    pub(super) links: Vec<&'a Link>,
}

pub(super) fn check<'a>(validation: &mut Validation<'a>) -> Vec<UnderlayScope<'a>> {
    let mut scopes = Vec::new();
    for intent in validation.set.underlays.values() {
        let nodes = selector::select(validation, &intent.spec.select, &intent.document, "/spec/select");
        scopes.push(UnderlayScope { intent, nodes, links: Vec::new() });
    }
    links(validation, &mut scopes);
    for scope in &scopes {
        let (spec, document) = (&scope.intent.spec, &*scope.intent.document);
        timers(validation, spec.timers.as_ref(), document);
        validation.feature(scope.nodes.iter().copied(), "bgp", document, "/spec/protocol");
        let ends: HashSet<&NodeName> = scope.links.iter().flat_map(|link| &link.ends).map(|end| &end.node).collect();
        let with_session: Vec<&Node> = scope.nodes.iter().copied().filter(|node| ends.contains(&node.name)).collect();
        let mut need = |wanted: bool, feature, pointer| {
            if wanted {
                validation.feature(with_session.iter().copied(), feature, document, pointer);
            }
        };
        need(matches!(spec.addressing, Addressing::Unnumbered), "bgp.unnumbered", "/spec/addressing");
        need(spec.bfd.is_some(), "bfd", "/spec/bfd");
        need(spec.authentication.is_some(), "bgp.md5", "/spec/authentication/tcp_md5");
        if matches!(spec.addressing, Addressing::Unnumbered) {
            both_passive(validation, scope);
        }
    }
    scopes
}

/// The feature of a pack whose routers wait on an unnumbered link until the other end opens the session.
const PASSIVE: &str = "bgp.unnumbered.passive";

/// Reports unnumbered links whose two ends both wait for the other, once for each pair of packs.
fn both_passive(validation: &mut Validation<'_>, scope: &UnderlayScope<'_>) {
    let pack_of = |link: &Link, end: usize| {
        let pack = &validation.network.node(link.ends[end].node.as_str())?.pack;
        validation.catalogue.get(pack)?.features.contains(PASSIVE).then_some(pack)
    };
    let mut silent: BTreeMap<[&PackName; 2], (usize, &Link)> = BTreeMap::new();
    for link in &scope.links {
        if let (Some(a), Some(b)) = (pack_of(link, 0), pack_of(link, 1)) {
            let pair = if a <= b { [a, b] } else { [b, a] };
            silent.entry(pair).or_insert((0, link)).0 += 1;
        }
    }
    let document = &scope.intent.document;
    for ([a, b], (count, link)) in silent {
        let packs = if a == b { format!("`{a}`") } else { format!("`{a}` and `{b}`") };
        let links = first_of(&link.to_string(), count);
        let message = format!("no session on {links}: on unnumbered links {packs} wait until the other end opens it");
        let source = SourceSpan::point(link.source.file.clone(), link.source.line, 1);
        validation.findings.push(
            Diagnostic::error(codes::BOTH_PASSIVE, message)
                .at(document.span("/spec/addressing"))
                .label(source, "the link comes from here")
                .help("write `addressing: numbered`, or run another pack on one end of each of these links"),
        );
    }
}

/// Gives each link to the underlay that selects both of its ends, and reports those that two underlays do.
fn links<'a>(validation: &mut Validation<'a>, scopes: &mut [UnderlayScope<'a>]) {
    let mut of_node: HashMap<&NodeName, Vec<usize>> = HashMap::new();
    for (index, scope) in scopes.iter().enumerate() {
        for node in &scope.nodes {
            of_node.entry(&node.name).or_default().push(index);
        }
    }
    let none = Vec::new();
    let mut shared: BTreeMap<(usize, usize), (usize, &Link)> = BTreeMap::new();
    for link in validation.network.links() {
        let [a, b] = [&link.ends[0], &link.ends[1]].map(|end| of_node.get(&end.node).unwrap_or(&none));
        let mut first = None;
        for index in a.iter().copied().filter(|index| b.contains(index)) {
            match first {
                None => {
                    first = Some(index);
                    scopes[index].links.push(link);
                }
                Some(first) => shared.entry((first, index)).or_insert((0, link)).0 += 1,
            }
        }
    }
    for ((first, second), (count, link)) in shared {
        let (first, second) = (scopes[first].intent, scopes[second].intent);
        let message = format!(
            "the underlays `{}` and `{}` both select both ends of {}",
            first.reference.name,
            second.reference.name,
            first_of(&link.to_string(), count)
        );
        validation.report(
            Diagnostic::error(codes::TWO_UNDERLAYS, message)
                .at(second.document.key_span("/spec/select"))
                .label(first.document.key_span("/spec/select"), "the other selection")
                .help("narrow one of the selections: a link belongs to one underlay"),
        );
    }
}
