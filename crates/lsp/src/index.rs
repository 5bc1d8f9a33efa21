//! What a project has that texts can refer to, and where it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use weft_diagnostics::SourceSpan;
use weft_intent::{Written, document::escape};
use weft_model::{Catalogue, IntentRef, Node, Platform};
use weft_pipeline::stages::Examined;

/// The names of a project.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    pub(crate) nodes: BTreeMap<String, NodeEntry>,
    pub(crate) intents: BTreeMap<IntentRef, IntentEntry>,
    pub(crate) catalogue: Catalogue,
}

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct NodeEntry {
    pub(crate) node: Node,
    /// Where it is asked for.
    pub(crate) place: SourceSpan,
    /// The far end of each of its ports that is linked.
    pub(crate) links: BTreeMap<String, String>,
}

/// An intent.
#[derive(Debug, Clone)]
pub(crate) struct IntentEntry {
    /// Where its name stands.
    pub(crate) place: SourceSpan,
    pub(crate) description: Option<String>,
    pub(crate) owner: Option<String>,
}

impl Index {
    /// Returns the names of a project as it was examined. What a file with mistakes had before is kept: while somebody types,
    /// the names are still meant to be there.
    pub(crate) fn of(examined: &Examined, catalogue: Catalogue, before: &Self, broken: &BTreeSet<String>) -> Self {
        let mut index = Self { catalogue, ..Self::default() };
        if index.catalogue.is_empty() {
            index.catalogue = before.catalogue.clone();
        }
        for (reference, written) in &examined.intents.written {
            let text = |key: &str| {
                written.value.pointer(&format!("/metadata/{key}")).and_then(Value::as_str).map(str::to_owned)
            };
            let entry = IntentEntry {
                place: written.document.span("/metadata/name"),
                description: text("description"),
                owner: text("owner"),
            };
            index.intents.insert(reference.clone(), entry);
        }
        let mut places: BTreeMap<&IntentRef, BTreeMap<&str, String>> = BTreeMap::new();
        for node in examined.network.nodes() {
            let place = match examined.intents.written.get(&node.source.intent) {
                Some(written) => {
                    let named = places.entry(&node.source.intent).or_insert_with(|| named(&written.value));
                    match named.get(node.name.as_str()) {
                        Some(pointer) => written.document.span(pointer),
                        None => tier(written, node),
                    }
                }
                None => SourceSpan::point(node.source.file.clone(), node.source.line, 1),
            };
            let links = examined
                .network
                .links_of(&node.name)
                .filter_map(|link| {
                    let far = link.far_end(&node.name)?.to_string();
                    Some((link.near_end(&node.name)?.interface.to_string(), far))
                })
                .collect();
            index.nodes.insert(node.name.to_string(), NodeEntry { node: node.clone(), place, links });
        }
        for (reference, entry) in &before.intents {
            if broken.contains(&*entry.place.file) && !index.intents.contains_key(reference) {
                index.intents.insert(reference.clone(), entry.clone());
            }
        }
        for (name, entry) in &before.nodes {
            // Without any node, a pack is broken and no topology was made.
            if (broken.contains(&*entry.place.file) || index.nodes.is_empty()) && !index.nodes.contains_key(name) {
                index.nodes.insert(name.clone(), entry.clone());
            }
        }
        index
    }

    /// Returns the hardware of a node.
    pub(crate) fn platform(&self, node: &str) -> Option<&Platform> {
        let node = &self.nodes.get(node)?.node;
        self.catalogue.get(&node.pack)?.platforms.get(&node.platform)
    }

    /// Returns words that nodes have, each with how many have it.
    pub(crate) fn words<'i>(&'i self, of: impl Fn(&'i Node) -> Option<&'i str>) -> BTreeMap<&'i str, usize> {
        let mut words = BTreeMap::new();
        for entry in self.nodes.values() {
            if let Some(word) = of(&entry.node) {
                *words.entry(word).or_default() += 1;
            }
        }
        words
    }

    /// Returns the labels of the nodes with their values.
    pub(crate) fn labels(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, value) in self.nodes.values().flat_map(|entry| &entry.node.labels) {
            labels.entry(key).or_default().insert(value);
        }
        labels
    }
}

/// Returns where the nodes that an intent names are named: under `name` or `node` of an item of a list of its spec.
fn named(value: &Value) -> BTreeMap<&str, String> {
    let mut places = BTreeMap::new();
    let lists = value.get("spec").and_then(Value::as_object).into_iter().flatten();
    for (key, list) in lists {
        for (index, item) in list.as_array().into_iter().flatten().enumerate() {
            for name in ["name", "node"] {
                if let Some(node) = item.get(name).and_then(Value::as_str) {
                    places.entry(node).or_insert_with(|| format!("/spec/{}/{index}/{name}", escape(key)));
                }
            }
        }
    }
    places
}

/// Returns the key of the tier of a fabric that makes a node; else the line that asks for it.
fn tier(written: &Written, node: &Node) -> SourceSpan {
    let pointer = format!("/spec/{}", node.role);
    if written.document.has(&pointer) {
        written.document.key_span(&pointer)
    } else {
        SourceSpan::point(node.source.file.clone(), node.source.line, 1)
    }
}
