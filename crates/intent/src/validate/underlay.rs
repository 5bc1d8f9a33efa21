//! Underlay intents: which nodes and links each has, and whether the nodes can do it.

use std::collections::{BTreeMap, HashMap, HashSet};

use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{IntentKind, Link, Node, NodeName, PackName};

use super::{Validation, authentication, selector, timers};
use crate::{
    Intent, codes,
    spec::{Addressing, Protocol, UnderlaySpec},
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
        let before = validation.findings.len();
        let nodes = selector::select(validation, &intent.spec.select, &intent.document, "/spec/select");
        if validation.findings.len() > before {
            validation.vague.insert(IntentKind::Underlay);
        }
        scopes.push(UnderlayScope { intent, nodes, links: Vec::new() });
    }
    links(validation, &mut scopes);
    super::ibgp::alone(validation, &scopes);
    for scope in &scopes {
        let (spec, document) = (&scope.intent.spec, &*scope.intent.document);
        timers(validation, spec.timers.as_ref(), document);
        other_protocol(validation, scope);
        let base = match spec.protocol {
            Protocol::Ebgp => "bgp",
            Protocol::Ospf => "ospf",
        };
        validation.feature(scope.nodes.iter().copied(), base, document, "/spec/protocol");
        // What a pack cannot do at all needs no particulars.
        let able: Vec<&Node> = scope.nodes.iter().copied().filter(|node| validation.can(node, base)).collect();
        let ends: HashSet<&NodeName> = scope.links.iter().flat_map(|link| &link.ends).map(|end| &end.node).collect();
        let with_session: Vec<&Node> = able.iter().copied().filter(|node| ends.contains(&node.name)).collect();
        let unnumbered = matches!(spec.addressing, Addressing::Unnumbered);
        let mut need = |wanted: bool, nodes: &[&Node], feature: &str, pointer: &str| {
            if wanted {
                validation.feature(nodes.iter().copied(), feature, document, pointer);
            }
        };
        need(spec.families.ipv6(), &able, &format!("{base}.ipv6"), "/spec/families");
        need(unnumbered, &with_session, &format!("{base}.unnumbered"), "/spec/addressing");
        need(spec.bfd.is_some(), &with_session, "bfd", "/spec/bfd");
        match spec.protocol {
            Protocol::Ebgp => {
                authentication::check(validation, spec.authentication.as_ref(), &with_session, document);
                if unnumbered {
                    both_passive(validation, scope);
                }
            }
            Protocol::Ospf => {
                if let Some(ospf) = &spec.ospf {
                    super::ospf::check(validation, scope, ospf);
                }
                if let Some(ibgp) = &spec.ibgp {
                    super::ibgp::check(validation, scope, ibgp);
                }
            }
        }
    }
    scopes
}

/// Reports settings that belong to the protocol which the underlay does not use.
fn other_protocol(validation: &mut Validation<'_>, scope: &UnderlayScope<'_>) {
    let (spec, document) = (&scope.intent.spec, &*scope.intent.document);
    let mut refuse = |given: bool, key: &str, message: &str, help: &str| {
        if given {
            let finding = Diagnostic::error(codes::OTHER_PROTOCOL, message)
                .at(document.key_span(&format!("/spec/{key}")))
                .label(document.span("/spec/protocol"), "the protocol");
            validation.report(finding.help(help));
        }
    };
    match spec.protocol {
        Protocol::Ebgp => {
            let help = "remove it, or write `protocol: ospf`";
            refuse(spec.ospf.is_some(), "ospf", "`ospf` is given, and the protocol is eBGP", help);
            refuse(spec.ibgp.is_some(), "ibgp", "`ibgp` is given, and the protocol is eBGP", help);
        }
        Protocol::Ospf => {
            // The settings of BGP are those of the internal sessions, where there are some.
            let without = spec.ibgp.is_none();
            refuse(
                without && spec.timers.is_some(),
                "timers",
                "`timers` are those of BGP, and the protocol is OSPF",
                "write `hello_seconds` and `dead_seconds` under `ospf`",
            );
            refuse(
                without && spec.authentication.is_some(),
                "authentication",
                "`authentication` is for sessions of BGP, and the protocol is OSPF",
                "remove it, or write `protocol: ebgp`",
            );
        }
    }
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
