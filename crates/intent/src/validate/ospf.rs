//! OSPF underlays: their areas, and the way of each to the backbone.

use std::collections::{BTreeMap, HashMap, HashSet};

use petgraph::unionfind::UnionFind;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{AreaId, Link, NodeName};

use super::{Validation, selector, underlay::UnderlayScope};
use crate::{
    codes,
    spec::{AreaKind, OspfSpec},
    suggest::first_of,
};

pub(super) fn check<'a>(validation: &mut Validation<'a>, scope: &UnderlayScope<'a>, ospf: &OspfSpec) {
    let document = &*scope.intent.document;
    if ospf.dead_seconds <= ospf.hello_seconds {
        let message = format!(
            "the dead interval of {} s is not above the hello interval of {} s",
            ospf.dead_seconds, ospf.hello_seconds
        );
        validation.report(
            Diagnostic::error(codes::TIMERS, message)
                .at(document.span("/spec/ospf/dead_seconds"))
                .label(document.span("/spec/ospf/hello_seconds"), "the hello interval")
                .help(format!("four times the hello interval is usual: {}", ospf.hello_seconds.saturating_mul(4))),
        );
    }
    if ospf.areas.is_empty() {
        return;
    }
    let before = validation.findings.len();
    let areas = areas(validation, scope, ospf);
    // Where the areas are not as meant, what would be in which is not known.
    if validation.findings.len() > before || !validation.whole {
        return;
    }
    let Some(of_link) = links(validation, scope, &areas) else { return };
    ways_to_backbone(validation, scope, ospf, &of_link);
}

/// Returns the nodes of each area that are in the underlay, and reports mistakes of an area by itself.
fn areas<'a>(
    validation: &mut Validation<'a>,
    scope: &UnderlayScope<'a>,
    ospf: &OspfSpec,
) -> Vec<(AreaId, HashSet<&'a NodeName>)> {
    let document = &*scope.intent.document;
    let mut first: BTreeMap<AreaId, usize> = BTreeMap::new();
    let mut areas = Vec::new();
    for (index, area) in ospf.areas.iter().enumerate() {
        let at = format!("/spec/ospf/areas/{index}");
        if let Some(first) = first.get(&area.area) {
            let finding = Diagnostic::error(codes::AREA_TWICE, format!("the area {} is given twice", area.area))
                .at(document.span(&format!("{at}/area")))
                .label(document.span(&format!("/spec/ospf/areas/{first}/area")), "first given here");
            validation.report(finding.help("join the selections in one area, or give another number"));
        } else {
            first.insert(area.area, index);
        }
        if area.area == AreaId::BACKBONE && area.kind == AreaKind::Stub {
            let finding = Diagnostic::error(codes::STUB_BACKBONE, "the backbone cannot be a stub area");
            validation.report(
                finding
                    .at(document.span(&format!("{at}/kind")))
                    .help("remove the kind, or give the area another number"),
            );
        }
        let select_at = format!("{at}/select");
        let before = validation.findings.len();
        let picked: HashSet<&NodeName> =
            selector::select(validation, &area.select, document, &select_at).iter().map(|node| &node.name).collect();
        let nodes: HashSet<&'a NodeName> =
            scope.nodes.iter().map(|node| &node.name).filter(|name| picked.contains(name)).collect();
        if nodes.is_empty() && !picked.is_empty() && !scope.nodes.is_empty() && validation.findings.len() == before {
            let message = format!("the area {} has no node of the underlay", area.area);
            let finding = Diagnostic::error(codes::SELECTS_NOTHING, message).at(document.key_span(&select_at));
            validation.report(
                finding
                    .label(document.key_span("/spec/select"), "the nodes of the underlay")
                    .help("select nodes of the underlay, or remove the area"),
            );
        }
        areas.push((area.area, nodes));
    }
    areas
}

/// Returns the area of each link, by its place in the list; reports nodes and links that are in none.
fn links<'a>(
    validation: &mut Validation<'a>,
    scope: &UnderlayScope<'a>,
    areas: &[(AreaId, HashSet<&'a NodeName>)],
) -> Option<Vec<(&'a Link, usize)>> {
    let document = &*scope.intent.document;
    let mut whole = true;
    let mut outside = scope.nodes.iter().filter(|node| !areas.iter().any(|(_, nodes)| nodes.contains(&node.name)));
    if let Some(first) = outside.next() {
        whole = false;
        let count = 1 + outside.count();
        let message = format!("no area selects {}", first_of(first.name.as_str(), count));
        validation.report(
            Diagnostic::error(codes::NO_AREA, message)
                .at(document.key_span("/spec/ospf/areas"))
                .help("add an area for the rest, select these nodes in one, or leave them out of the underlay"),
        );
    }
    let mut of_link = Vec::with_capacity(scope.links.len());
    let mut between: Vec<&Link> = Vec::new();
    for link in &scope.links {
        match areas.iter().position(|(_, nodes)| link.ends.iter().all(|end| nodes.contains(&end.node))) {
            Some(area) => of_link.push((*link, area)),
            // That a node is in no area is told of the node.
            None if link.ends.iter().all(|end| areas.iter().any(|(_, nodes)| nodes.contains(&end.node))) => {
                between.push(link);
            }
            None => {}
        }
    }
    if let Some(first) = between.first() {
        whole = false;
        let links = first_of(&first.to_string(), between.len());
        let source = SourceSpan::point(first.source.file.clone(), first.source.line, 1);
        validation.report(
            Diagnostic::error(codes::NO_AREA, format!("no area selects both ends of {links}"))
                .at(document.key_span("/spec/ospf/areas"))
                .label(source, "the link comes from here")
                .help("a node with links in two areas, their border, is selected by both"),
        );
    }
    whole.then_some(of_link)
}

/// Reports areas, and parts of areas, from which no border leads to the backbone.
fn ways_to_backbone<'a>(
    validation: &mut Validation<'a>,
    scope: &UnderlayScope<'a>,
    ospf: &OspfSpec,
    of_link: &[(&'a Link, usize)],
) {
    let document = &*scope.intent.document;
    let used: HashSet<usize> = of_link.iter().map(|(_, area)| *area).collect();
    // A single area needs no backbone.
    if used.len() < 2 {
        return;
    }
    let backbone = ospf.areas.iter().position(|area| area.area == AreaId::BACKBONE);
    let in_area = |area: Option<usize>| of_link.iter().filter(move |(_, of)| Some(*of) == area).map(|(link, _)| *link);
    let in_backbone: HashSet<&NodeName> = in_area(backbone).flat_map(|link| &link.ends).map(|end| &end.node).collect();
    for (index, area) in ospf.areas.iter().enumerate() {
        let at = document.span(&format!("/spec/ospf/areas/{index}/area"));
        if Some(index) == backbone {
            // Pieces that other areas join again; pieces of the network are told elsewhere.
            let network = pieces(scope.links.iter().copied());
            let mut of_piece: HashMap<usize, Vec<&NodeName>> = HashMap::new();
            for piece in by_piece(in_area(backbone)) {
                let first = piece[0];
                of_piece.entry(network[first]).or_default().push(first);
            }
            let parted: Vec<Vec<&NodeName>> = of_piece.into_values().filter(|pieces| pieces.len() > 1).collect();
            if let Some(firsts) = parted.iter().min() {
                let message = format!(
                    "the backbone is in {} pieces: none of its links lead from `{}` to `{}`",
                    firsts.len(),
                    firsts[0],
                    firsts[1]
                );
                let finding = Diagnostic::error(codes::AREA_CUT_OFF, message).at(at);
                validation.report(finding.help("select the nodes between the pieces in the backbone, too"));
            }
            continue;
        }
        let cut: Vec<&NodeName> = by_piece(in_area(Some(index)))
            .into_iter()
            .filter(|piece| !piece.iter().any(|node| in_backbone.contains(node)))
            .map(|piece| piece[0])
            .collect();
        if let Some(first) = cut.first() {
            let message = format!("no border leads from `{first}` in the area {} to the backbone", area.area);
            let help = if backbone.is_some() {
                "select a node of the area in the backbone, too, with a link to another one there"
            } else {
                "add the backbone, the area `0.0.0.0`, and select in it the nodes that join the areas"
            };
            validation.report(Diagnostic::error(codes::AREA_CUT_OFF, message).at(at).help(help));
        }
    }
}

/// Returns the piece of each node over some links.
fn pieces<'a>(links: impl Iterator<Item = &'a Link>) -> HashMap<&'a NodeName, usize> {
    let mut number: HashMap<&NodeName, usize> = HashMap::new();
    let mut joined = Vec::new();
    for link in links {
        let pair = [0, 1].map(|end| {
            let next = number.len();
            *number.entry(&link.ends[end].node).or_insert(next)
        });
        joined.push(pair);
    }
    let mut sets = UnionFind::<usize>::new(number.len());
    for [a, b] in joined {
        sets.union(a, b);
    }
    number.into_iter().map(|(node, number)| (node, sets.find(number))).collect()
}

/// Returns the nodes of each piece, sorted; none is empty.
fn by_piece<'a>(links: impl Iterator<Item = &'a Link>) -> Vec<Vec<&'a NodeName>> {
    let mut of: BTreeMap<usize, Vec<&NodeName>> = BTreeMap::new();
    for (node, piece) in pieces(links) {
        of.entry(piece).or_default().push(node);
    }
    let mut list: Vec<Vec<&NodeName>> = of.into_values().collect();
    list.iter_mut().for_each(|piece| piece.sort());
    list.sort();
    list
}
