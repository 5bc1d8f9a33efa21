//! Where things are written: definitions, references, and what a file holds.

use std::{collections::BTreeMap, sync::Arc};

use lsp_types::{DocumentSymbol, Location, SymbolKind};
use weft_diagnostics::SourceSpan;

use crate::{
    documents::{OpenFiles, Root},
    outline::{Outline, Place},
    positions::Lines,
    reference::Reference,
    view::View,
};

/// The texts of the project as they are now.
pub(crate) struct Files<'a> {
    pub(crate) root: &'a Root,
    pub(crate) open: &'a OpenFiles,
    pub(crate) texts: &'a BTreeMap<String, Arc<str>>,
}

impl Files<'_> {
    /// Returns the text of a file: as it is in the editor, else as it was when the project was examined.
    pub(crate) fn text(&self, path: &str) -> Option<Arc<str>> {
        self.open.get(path).map(|open| open.text.clone()).or_else(|| self.texts.get(path).cloned())
    }

    fn location(&self, span: &SourceSpan) -> Location {
        let uri = self.open.get(&*span.file).map_or_else(|| self.root.uri(&span.file), |open| open.uri.clone());
        let text = self.text(&span.file).unwrap_or_default();
        Location { uri, range: Lines::of(&text).span(&text, span) }
    }
}

/// Returns what the value at an octet refers to.
pub(crate) fn reference(view: &View<'_>, offset: usize) -> Option<Reference> {
    match view.place(offset)? {
        Place::Value { entry, .. } => view.reference(entry),
        Place::Key { .. } | Place::Item { .. } => None,
    }
}

/// Returns where what the value at an octet refers to is defined.
pub(crate) fn definition(view: &View<'_>, offset: usize, files: &Files<'_>) -> Option<Location> {
    let span = match reference(view, offset)? {
        Reference::Item(at) => {
            let (line, start) = (view.lines.line_of(at), view.text[..at].rfind('\n').map_or(0, |end| end + 1));
            let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
            SourceSpan::point(view.path, count(line), count(view.text[start..at].chars().count()))
        }
        Reference::Node(name) | Reference::Port(name, _) => view.index.nodes.get(&name)?.place.clone(),
        Reference::Intent(reference) => view.index.intents.get(&reference)?.place.clone(),
        Reference::Pack(name) if view.index.catalogue.contains_key(&*name) => {
            SourceSpan::point(format!("{}/{name}/manifest.yaml", weft_pipeline::source::PACKS), 1, 1)
        }
        Reference::Pack(_) | Reference::Platform(_) | Reference::Role(_) | Reference::Site(_) => return None,
    };
    Some(files.location(&span))
}

/// Returns every value of the project that refers to what the value at an octet does.
pub(crate) fn references(view: &View<'_>, offset: usize, files: &Files<'_>) -> Vec<Location> {
    let Some(wanted) = reference(view, offset).map(without_port) else { return Vec::new() };
    let here = matches!(wanted, Reference::Item(_));
    let mut found = Vec::new();
    // Items are of their document.
    for path in files.texts.keys().filter(|path| !here || *path == view.path) {
        let Some(text) = files.text(path) else { continue };
        let other = View::new(path, &text, view.schemas, view.index);
        for (at, entry) in other.outline.entries.iter().enumerate() {
            let Some(value) = &entry.value else { continue };
            if other.reference(at).map(without_port).as_ref() == Some(&wanted) {
                let uri = files.open.get(path).map_or_else(|| files.root.uri(path), |open| open.uri.clone());
                found.push(Location { uri, range: other.range(value) });
            }
        }
    }
    found
}

/// A port is of its node.
fn without_port(reference: Reference) -> Reference {
    match reference {
        Reference::Port(node, _) => Reference::Node(node),
        other => other,
    }
}

/// Returns the documents of a text: `kind/name`, or what there is of it.
pub(crate) fn symbols(text: &str) -> Vec<DocumentSymbol> {
    let (outline, lines) = (Outline::of(text), Lines::of(text));
    let mut symbols = Vec::new();
    for document in 0..outline.documents() {
        let Some(kind) = outline.value(text, document, None, "kind") else { continue };
        let metadata = outline
            .inside(document, None)
            .find(|(_, entry)| entry.key.clone().is_some_and(|key| &text[key] == "metadata"));
        let name = metadata.and_then(|(at, _)| {
            let mut inside = outline.inside(document, Some(at));
            let (_, entry) = inside.find(|(_, entry)| entry.key.clone().is_some_and(|key| &text[key] == "name"))?;
            entry.value.clone()
        });
        let whole = outline.document(document, text);
        let lead = text[whole.clone()].len() - text[whole.clone()].trim_start().len();
        let start = whole.start + lead;
        let end = (whole.start + text[whole].trim_end_matches('-').trim_end().len()).max(start);
        let first = name.clone().unwrap_or(start..start);
        #[allow(deprecated, reason = "the protocol's older field has to be given")]
        symbols.push(DocumentSymbol {
            name: match name {
                Some(name) => format!("{}/{}", kind.to_lowercase(), &text[name]),
                None => kind.to_lowercase(),
            },
            detail: Some(kind.to_owned()),
            kind: SymbolKind::Object,
            tags: None,
            deprecated: None,
            range: lines.range(text, &(start.min(first.start)..end.max(first.end))),
            selection_range: lines.range(text, &first),
            children: None,
        });
    }
    symbols
}
