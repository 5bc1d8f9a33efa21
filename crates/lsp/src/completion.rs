//! What may be written at the cursor: keys, words and names.

use lsp_types::{CompletionItem, CompletionItemKind, MarkupContent, MarkupKind, TextEdit};
use weft_intent::shape::{Key, Shape, Step};
use weft_model::IntentKind;

use crate::{
    hover::{about, of_shape},
    outline::Place,
    reference::{Reference, Wanted},
    view::View,
};

/// Returns what may be written at an octet, the most likely first.
pub(crate) fn completion(view: &View<'_>, offset: usize) -> Vec<CompletionItem> {
    let Some(place) = view.place(offset) else { return Vec::new() };
    let mut list = List { view, offset, written: offset..offset, quoted: false, lead: "", items: Vec::new() };
    match place {
        Place::Key { parent, entry, written } => {
            list.written = written;
            let document = view.outline.document_at(offset);
            list.keys(document, parent, entry);
        }
        Place::Value { entry, written } => {
            list.written = written;
            list.quoted = view.outline.entries[entry].quoted;
            list.value(entry);
        }
        Place::Item { list: parent, written } => {
            list.written = written;
            list.item(parent);
        }
    }
    list.items
}

struct List<'v, 'a> {
    view: &'v View<'a>,
    offset: usize,
    /// What is there and is replaced.
    written: std::ops::Range<usize>,
    quoted: bool,
    /// What comes before all that is offered: the dash of an item.
    lead: &'static str,
    items: Vec<CompletionItem>,
}

impl List<'_, '_> {
    /// Returns what is written before the cursor.
    fn prefix(&self) -> &str {
        &self.view.text[self.written.start..self.offset.min(self.written.end)]
    }

    fn add(
        &mut self,
        label: &str,
        text: String,
        kind: CompletionItemKind,
        detail: String,
        documentation: Option<String>,
    ) {
        let edit = TextEdit { range: self.view.range(&self.written), new_text: format!("{}{text}", self.lead) };
        self.items.push(CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            detail: (!detail.is_empty()).then_some(detail),
            documentation: documentation.map(|value| MarkupContent { kind: MarkupKind::Markdown, value }.into()),
            // Editors sort by this and not by the order of the list.
            sort_text: Some(format!("{:05}", self.items.len())),
            text_edit: Some(edit.into()),
            ..CompletionItem::default()
        });
    }

    /// Offers a name or word as the value.
    fn name(&mut self, label: &str, kind: CompletionItemKind, detail: String, documentation: Option<String>) {
        // A colon within brackets is easily taken for that of a key.
        let text = if label.contains(':') && !self.quoted { format!("\"{label}\"") } else { label.to_owned() };
        self.add(label, text, kind, detail, documentation);
    }

    /// Offers the keys of a mapping that are not there yet.
    fn keys(&mut self, document: usize, parent: Option<usize>, entry: Option<usize>) {
        let Some(shape) = self.view.shape(document, parent) else { return };
        if let Some(list) = parent.filter(|_| shape.is_list() && entry.is_none()) {
            self.lead = "- ";
            return self.item(list);
        }
        let present: Vec<&str> = self
            .view
            .outline
            .inside(document, parent)
            .filter(|(at, _)| Some(*at) != entry)
            .filter_map(|(_, entry)| entry.key.clone().map(|key| &self.view.text[key]))
            .collect();
        // The colon of a key that is only renamed is there already.
        let finished = self.view.text[self.written.end..].trim_start_matches(['"', '\'']).starts_with(':');
        let keys = shape.keys();
        self.properties(keys.iter().filter(|key| !present.contains(&key.name)), finished);
        let of_labels = self.view.path_to(parent).last() == Some(&Step::Key("labels"));
        if keys.is_empty() && of_labels {
            for (label, values) in self.view.index.labels() {
                if !present.contains(&label) {
                    let detail = values.into_iter().collect::<Vec<_>>().join(", ");
                    let text = if finished { label.to_owned() } else { format!("{label}: ") };
                    self.add(label, text, CompletionItemKind::Property, detail, None);
                }
            }
        }
    }

    /// Offers keys with their colon, unless it is there already.
    fn properties<'k, 's: 'k>(&mut self, keys: impl Iterator<Item = &'k Key<'s>>, finished: bool) {
        for key in keys {
            let colon = match (finished, key.shape.is_list() || key.shape.is_mapping()) {
                (true, _) => "",
                (false, true) => ":",
                (false, false) => ": ",
            };
            let detail = if key.required { format!("{}, required", key.shape.takes()) } else { key.shape.takes() };
            let documentation = of_shape(key.name, &key.shape, key.required);
            let text = format!("{}{colon}", key.name);
            self.add(key.name, text, CompletionItemKind::Property, detail, Some(documentation));
        }
    }

    /// Offers what the value of an entry may be.
    fn value(&mut self, entry: usize) {
        let found = &self.view.outline.entries[entry];
        let Some(shape) = self.view.shape(found.document, Some(entry)) else { return };
        if found.key.is_none() && shape.is_mapping() {
            return self.keys(found.document, Some(entry), None);
        }
        self.words(&self.view.path_to(Some(entry)), &shape);
        if let Some(wanted) = self.view.wanted(entry) {
            self.wanted(wanted, Some(entry));
        }
    }

    /// Offers what an item of a list may be.
    fn item(&mut self, list: usize) {
        let found = &self.view.outline.entries[list];
        let Some(shape) = self.view.shape(found.document, Some(list)).and_then(|shape| shape.item()) else { return };
        // Within brackets an item that is a mapping begins with one of its own.
        if shape.is_mapping() && !self.lead.is_empty() {
            return self.properties(shape.keys().iter(), false);
        }
        let mut path = self.view.path_to(Some(list));
        path.push(Step::Item);
        self.words(&path, &shape);
        if let Some(wanted) = Wanted::of(&path, &shape) {
            self.wanted(wanted, None);
        }
    }

    fn words(&mut self, path: &[Step<'_>], shape: &Shape<'_>) {
        for word in shape.words() {
            let about = if path == [Step::Key("kind")] { self.view.schemas.about(word.word) } else { None };
            let documentation = about.or(word.description).map(str::to_owned);
            let detail = documentation.as_deref().and_then(|text| text.lines().next()).unwrap_or_default().to_owned();
            self.name(word.word, CompletionItemKind::EnumMember, detail, documentation);
        }
    }

    /// Offers names. `entry` is the one whose value they become, where there is one already.
    fn wanted(&mut self, wanted: Wanted<'_>, entry: Option<usize>) {
        let index = self.view.index;
        match wanted {
            Wanted::Node => {
                for (name, entry) in &index.nodes {
                    self.name(name, CompletionItemKind::Reference, entry.node.role.to_string(), None);
                }
            }
            Wanted::Port => self.ports(),
            Wanted::Interface => {
                let mut ports: Vec<&str> = Vec::new();
                for platform in index.catalogue.values().flat_map(|pack| pack.platforms.values()) {
                    ports.extend(
                        platform
                            .ports
                            .iter()
                            .map(|port| port.as_str())
                            .filter(|port| !ports.contains(port))
                            .collect::<Vec<_>>(),
                    );
                }
                ports.into_iter().for_each(|port| self.name(port, CompletionItemKind::Value, String::new(), None));
            }
            Wanted::Role => self.counted(index.words(|node| Some(node.role.as_str()))),
            Wanted::Site => self.counted(index.words(|node| node.site.as_ref().map(|site| site.as_str()))),
            Wanted::Pack => {
                for pack in index.catalogue.keys() {
                    let documentation = about(self.view, &Reference::Pack(pack.to_string()));
                    self.name(pack.as_str(), CompletionItemKind::Module, "pack".to_owned(), documentation);
                }
            }
            Wanted::Platform => {
                // Those of the pack beside it, where one is written.
                let pack = entry.and_then(|entry| self.view.sibling(entry, "pack"));
                let packs = index.catalogue.iter().filter(|(name, _)| pack.is_none_or(|pack| name.as_str() == pack));
                for (pack, description) in packs {
                    for (name, platform) in &description.platforms {
                        let detail =
                            format!("{} ports, {} uplinks, of {pack}", platform.ports.len(), platform.uplinks.len());
                        if self.items.iter().all(|item| item.label != name.as_str()) {
                            self.name(name.as_str(), CompletionItemKind::Module, detail, None);
                        }
                    }
                }
            }
            Wanted::Label(key) => {
                for value in index.labels().remove(key).into_iter().flatten() {
                    self.name(value, CompletionItemKind::Value, String::new(), None);
                }
            }
            Wanted::Named(key, kind) => {
                let document = self.view.outline.document_at(self.offset);
                let own: Vec<&str> = self.view.items(document, key).map(|name| &self.view.text[name]).collect();
                let intents =
                    index.intents.iter().filter(|(reference, _)| own.is_empty() && Some(reference.kind) == kind);
                own.iter().for_each(|name| self.name(name, CompletionItemKind::Reference, String::new(), None));
                for (reference, entry) in intents {
                    let detail = entry.description.clone().unwrap_or_default();
                    self.name(reference.name.as_str(), CompletionItemKind::Reference, detail, None);
                }
            }
            Wanted::Intent(kind) => self.intents(|of| kind.is_none_or(|kind| kind == of)),
            Wanted::AccessEnd => {
                self.name("any", CompletionItemKind::EnumMember, "everything".to_owned(), None);
                self.intents(|kind| kind == IntentKind::Segment);
            }
            Wanted::FlowEnd => {
                self.intents(|kind| matches!(kind, IntentKind::Segment | IntentKind::Peering));
                for (name, entry) in &index.nodes {
                    let detail = entry.node.role.to_string();
                    self.name(&format!("node/{name}"), CompletionItemKind::Reference, detail, None);
                }
            }
        }
    }

    fn intents(&mut self, fits: impl Fn(IntentKind) -> bool) {
        for (reference, entry) in self.view.index.intents.iter().filter(|(reference, _)| fits(reference.kind)) {
            let detail = entry.description.clone().unwrap_or_default();
            self.name(&reference.to_string(), CompletionItemKind::Reference, detail, None);
        }
    }

    fn counted(&mut self, words: std::collections::BTreeMap<&str, usize>) {
        for (word, count) in words {
            self.name(word, CompletionItemKind::Value, format!("{count} nodes"), None);
        }
    }

    /// Offers nodes, and once the node is written its ports: those without a link first.
    fn ports(&mut self) {
        let index = self.view.index;
        let Some((node, _)) = self.prefix().split_once(':') else {
            for (name, entry) in &index.nodes {
                let text = if self.quoted { format!("{name}:") } else { format!("\"{name}:") };
                let detail = format!("{}, {} links", entry.node.role, entry.links.len());
                self.add(&format!("{name}:"), text, CompletionItemKind::Reference, detail, None);
            }
            return;
        };
        let node = node.to_owned();
        let (Some(platform), Some(entry)) = (index.platform(&node), index.nodes.get(&node)) else { return };
        let (taken, free): (Vec<_>, Vec<_>) =
            platform.ports.iter().partition(|port| entry.links.contains_key(port.as_str()));
        for port in free.into_iter().chain(taken) {
            let detail =
                entry.links.get(port.as_str()).map_or_else(|| "free".to_owned(), |far| format!("linked to {far}"));
            self.name(&format!("{node}:{port}"), CompletionItemKind::Value, detail, None);
        }
    }
}
