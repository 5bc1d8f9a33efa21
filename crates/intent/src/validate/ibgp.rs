//! Internal BGP of an underlay: its reflectors, and that its nodes are of one AS.

use std::collections::{BTreeMap, HashMap, HashSet};

use weft_diagnostics::Diagnostic;
use weft_model::{Node, NodeName};

use super::{Validation, authentication, selector, underlay::UnderlayScope};
use crate::{codes, spec::IbgpSpec, suggest::first_of};

/// What a pack must be able to do where its nodes have sessions between loopbacks.
const SESSIONS: &str = "bgp.ibgp";
/// What it must be able to do where they reflect routes.
const REFLECTION: &str = "bgp.route-reflector";

pub(super) fn check<'a>(validation: &mut Validation<'a>, scope: &UnderlayScope<'a>, ibgp: &IbgpSpec) {
    let document = &*scope.intent.document;
    validation.feature(scope.nodes.iter().copied(), SESSIONS, document, "/spec/ibgp");
    let able: Vec<&Node> = scope.nodes.iter().copied().filter(|node| validation.can(node, SESSIONS)).collect();
    authentication::check(validation, scope.intent.spec.authentication.as_ref(), &able, document);
    let Some(reflectors) = &ibgp.route_reflectors else { return };
    let at = "/spec/ibgp/route_reflectors";
    let before = validation.findings.len();
    let picked: HashSet<&NodeName> =
        selector::select(validation, reflectors, document, at).into_iter().map(|node| &node.name).collect();
    let reflecting: Vec<&Node> = able.iter().copied().filter(|node| picked.contains(&node.name)).collect();
    validation.feature(reflecting.iter().copied(), REFLECTION, document, at);
    let none = !scope.nodes.iter().any(|node| picked.contains(&node.name));
    if none && !picked.is_empty() && !scope.nodes.is_empty() && validation.findings.len() == before {
        let message = "no node of the underlay is a route reflector";
        let finding = Diagnostic::error(codes::SELECTS_NOTHING, message).at(document.key_span(at));
        validation.report(
            finding
                .label(document.key_span("/spec/select"), "the nodes of the underlay")
                .help("select nodes of the underlay, or remove `route_reflectors` for sessions between all of them"),
        );
    }
}

/// Reports nodes that are in an underlay with internal BGP and in another one: a node is of one AS, and what it learns goes to the
/// nodes of that one only.
pub(super) fn alone(validation: &mut Validation<'_>, scopes: &[UnderlayScope<'_>]) {
    let mut of_node: HashMap<&NodeName, Vec<usize>> = HashMap::new();
    for (index, scope) in scopes.iter().enumerate() {
        for node in &scope.nodes {
            of_node.entry(&node.name).or_default().push(index);
        }
    }
    let mut shared: BTreeMap<[usize; 2], (usize, &NodeName)> = BTreeMap::new();
    let mut nodes: Vec<(&NodeName, Vec<usize>)> = of_node.into_iter().collect();
    nodes.sort();
    for (node, underlays) in nodes {
        let internal = |index: &usize| scopes[*index].intent.spec.ibgp.is_some();
        if let (Some(&with), true) = (underlays.iter().find(|index| internal(index)), underlays.len() > 1) {
            let other = underlays.iter().copied().find(|index| *index != with).unwrap_or(with);
            shared.entry([with, other]).or_insert((0, node)).0 += 1;
        }
    }
    for ([with, other], (count, node)) in shared {
        let (with, other) = (scopes[with].intent, scopes[other].intent);
        let message = format!(
            "{} in the underlay `{}` with internal BGP and in `{}`",
            is_or_are(node, count),
            with.reference.name,
            other.reference.name
        );
        validation.report(
            Diagnostic::error(codes::IBGP_NOT_ALONE, message)
                .at(with.document.key_span("/spec/ibgp"))
                .label(other.document.key_span("/spec/select"), "the other selection")
                .help("let each of these nodes be in one of them only"),
        );
    }
}

fn is_or_are(node: &NodeName, count: usize) -> String {
    format!("{} {}", first_of(node.as_str(), count), if count > 1 { "are" } else { "is" })
}
