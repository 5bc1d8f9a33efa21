//! Selectors: which nodes they pick, and words in them that no node has.

use std::collections::{BTreeMap, BTreeSet};

use weft_diagnostics::Diagnostic;
use weft_model::{Network, Node};

use super::{Validation, unknown, unknown_node};
use crate::{Document, codes, document::escape, spec::Selector, suggest::first_of};

/// The words by which nodes can be selected.
pub(super) struct Words<'a> {
    fabrics: BTreeSet<&'a str>,
    roles: BTreeSet<&'a str>,
    sites: BTreeSet<&'a str>,
    labels: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Words<'a> {
    pub(super) fn of(network: &'a Network) -> Self {
        let mut words =
            Self { fabrics: BTreeSet::new(), roles: BTreeSet::new(), sites: BTreeSet::new(), labels: BTreeMap::new() };
        for node in network.nodes() {
            words.roles.insert(node.role.as_str());
            words.fabrics.extend(node.fabric.as_ref().map(|fabric| fabric.as_str()));
            words.sites.extend(node.site.as_ref().map(|site| site.as_str()));
            for (key, value) in &node.labels {
                words.labels.entry(key).or_default().insert(value);
            }
        }
        words
    }

    /// Returns the part of a selector in which `name` would be known.
    fn part_of(&self, name: &str, network: &Network) -> Option<&'static str> {
        let known = [("fabrics", &self.fabrics), ("roles", &self.roles), ("sites", &self.sites)];
        let part = known.into_iter().find(|(_, words)| words.contains(name)).map(|(part, _)| part);
        part.or_else(|| network.node(name).map(|_| "names"))
    }
}

/// Returns the nodes that a selector picks, in the order of their names, and reports what it names in vain.
pub(super) fn select<'a>(
    validation: &mut Validation<'a>,
    selector: &Selector,
    document: &Document,
    pointer: &str,
) -> Vec<&'a Node> {
    let picked = selector.pick(validation.network);
    if !validation.whole {
        return picked;
    }
    let before = validation.findings.len();
    let Validation { words, suggester, findings, network, .. } = validation;
    let mut vain = |what: &str, part: &str, index: usize, name: &str, known: &BTreeSet<&str>| {
        if !known.contains(name) {
            let mut finding = unknown(suggester, codes::SELECTOR_UNKNOWN, what, name, known.iter().copied());
            // A word in the wrong part is no slip of the fingers.
            if let Some(other) = words.part_of(name, network) {
                finding.help = Some(format!("`{name}` is one of the {other}: write `{other}: [{name}]`"));
            }
            findings.push(finding.at(document.span(&format!("{pointer}/{part}/{index}"))));
        }
    };
    for (index, fabric) in selector.fabrics.iter().enumerate() {
        vain("fabric", "fabrics", index, fabric.as_str(), &words.fabrics);
    }
    for (index, role) in selector.roles.iter().enumerate() {
        vain("role", "roles", index, role.as_str(), &words.roles);
    }
    for (index, site) in selector.sites.iter().enumerate() {
        vain("site", "sites", index, site.as_str(), &words.sites);
    }
    for (index, name) in selector.names.iter().enumerate() {
        if network.node(name.as_str()).is_none() {
            let finding = unknown_node(suggester, name, network);
            findings.push(finding.at(document.span(&format!("{pointer}/names/{index}"))));
        }
    }
    for (key, value) in &selector.labels {
        let place = format!("{pointer}/labels/{}", escape(key));
        match words.labels.get(key.as_str()) {
            None => {
                let keys = words.labels.keys().copied();
                let finding = unknown(suggester, codes::SELECTOR_UNKNOWN, "label", key, keys);
                findings.push(finding.at(document.key_span(&place)));
            }
            Some(values) if !values.contains(value.as_str()) => {
                let message = format!("no node has the label `{key}: {}`", value.escape_debug());
                let help = suggester.help(value, values.iter().copied(), "values").unwrap_or_default();
                findings.push(Diagnostic::error(codes::SELECTOR_UNKNOWN, message).at(document.span(&place)).help(help));
            }
            Some(_) => {}
        }
    }
    if picked.is_empty() && findings.len() == before && network.nodes().len() > 0 {
        let finding = Diagnostic::error(codes::SELECTS_NOTHING, "the selector matches no node");
        findings.push(finding.at(document.key_span(pointer)).help(emptied(selector, network)));
    }
    picked
}

/// Returns which parts of a selector leave nothing of what the others pick.
fn emptied(selector: &Selector, network: &Network) -> String {
    let mut without: Vec<(String, Selector)> = Vec::new();
    let mut part = |name: String, change: &dyn Fn(&mut Selector)| {
        let mut rest = selector.clone();
        change(&mut rest);
        if rest != *selector {
            without.push((name, rest));
        }
    };
    part("fabrics".to_owned(), &|rest| rest.fabrics.clear());
    part("roles".to_owned(), &|rest| rest.roles.clear());
    part("sites".to_owned(), &|rest| rest.sites.clear());
    for key in selector.labels.keys() {
        part(format!("labels: {key}"), &|rest| drop(rest.labels.remove(key)));
    }
    part("names".to_owned(), &|rest| rest.names.clear());
    for (name, rest) in without {
        let others = rest.pick(network);
        if let Some(first) = others.first() {
            let others = first_of(first.name.as_str(), others.len());
            return format!("a node must match all parts: without `{name}` it would match {others}");
        }
    }
    "a node must match all parts: each part alone matches some, but no node matches all".to_owned()
}
