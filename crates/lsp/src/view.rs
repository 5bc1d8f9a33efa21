//! What the features look at: a text with its outline, and the schemas and names around it.

use lsp_types::{Position, Range};
use weft_intent::shape::{Shape, Step};

use crate::{
    index::Index,
    outline::{Entry, Outline, Place},
    positions::Lines,
    reference::{Reference, Wanted},
    schemas::Schemas,
};

/// A text of the project.
pub(crate) struct View<'a> {
    /// Its path relative to the project.
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    pub(crate) lines: Lines,
    pub(crate) outline: Outline,
    pub(crate) schemas: &'a Schemas,
    pub(crate) index: &'a Index,
    /// The kind that each document says it is.
    kinds: Vec<Option<&'a str>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str, schemas: &'a Schemas, index: &'a Index) -> Self {
        let outline = Outline::of(text);
        let mut kinds = vec![None; outline.documents()];
        for entry in outline.entries.iter().filter(|entry| entry.parent.is_none()) {
            if entry.key.clone().is_some_and(|key| &text[key] == "kind") {
                kinds[entry.document] = kinds[entry.document].or(entry.value.clone().map(|value| &text[value]));
            }
        }
        Self { path, text, lines: Lines::of(text), outline, schemas, index, kinds }
    }

    /// Returns the octet at a position of the editor.
    pub(crate) fn offset(&self, position: Position) -> usize {
        self.lines.offset(self.text, position)
    }

    /// Returns what stands at an octet.
    pub(crate) fn place(&self, offset: usize) -> Option<Place> {
        self.outline.place(self.text, offset)
    }

    /// Returns a range of octets as the editor counts it.
    pub(crate) fn range(&self, range: &std::ops::Range<usize>) -> Range {
        self.lines.range(self.text, range)
    }

    /// Returns the kind that a document says it is.
    pub(crate) fn kind(&self, document: usize) -> Option<&'a str> {
        self.kinds.get(document).copied().flatten()
    }

    /// Returns the steps to an entry.
    pub(crate) fn path_to(&self, entry: Option<usize>) -> Vec<Step<'a>> {
        self.outline.path(self.text, entry)
    }

    /// Returns what the schema says about an entry; about the whole document without one.
    pub(crate) fn shape(&self, document: usize, entry: Option<usize>) -> Option<Shape<'a>> {
        let schema = self.schemas.of(self.path, self.kind(document))?;
        Shape::of(schema).find(self.path_to(entry))
    }

    /// Returns what may stand in the value of an entry, where that is a name of something.
    pub(crate) fn wanted(&self, entry: usize) -> Option<Wanted<'a>> {
        let document = self.outline.entries[entry].document;
        let shape = self.shape(document, Some(entry))?;
        Wanted::of(&self.path_to(Some(entry)), &shape)
    }

    /// Returns what the value of an entry refers to.
    pub(crate) fn reference(&self, entry: usize) -> Option<Reference> {
        let found = &self.outline.entries[entry];
        let written = &self.text[found.value.clone()?];
        if let Some(own) = self.names_itself(entry) {
            return Some(own);
        }
        let wanted = self.wanted(entry)?;
        if let Wanted::Named(key, _) = wanted
            && let Some(at) = self.items(found.document, key).find(|name| self.text[name.clone()] == *written)
        {
            return Some(Reference::Item(at.start));
        }
        wanted.reference(written)
    }

    /// Returns where the names of the items of a list of the document's `spec` stand.
    pub(crate) fn items(&self, document: usize, key: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
        let is = move |entry: &Entry, word: &str| entry.key.as_ref().is_some_and(|key| &self.text[key.clone()] == word);
        let find = move |parent: Option<usize>, word: &str| {
            self.outline.inside(document, parent).find(|(_, entry)| is(entry, word)).map(|(at, _)| at)
        };
        let list = find(None, "spec").and_then(|spec| find(Some(spec), key));
        let items = list.into_iter().flat_map(move |list| self.outline.inside(document, Some(list)));
        items.filter_map(move |(item, _)| self.outline.entries[find(Some(item), "name")?].value.clone())
    }

    /// Returns the intent whose name an entry is.
    fn names_itself(&self, entry: usize) -> Option<Reference> {
        let found = &self.outline.entries[entry];
        let is_name = self.path_to(Some(entry)) == [Step::Key("metadata"), Step::Key("name")];
        let kind = self.kind(found.document).filter(|_| is_name)?;
        let kind = weft_model::IntentKind::ALL.into_iter().find(|known| known.title() == kind)?;
        let name = self.text[found.value.clone()?].parse().ok()?;
        Some(Reference::Intent(weft_model::IntentRef { kind, name }))
    }

    /// Returns the value of another key of the mapping that an entry is in.
    pub(crate) fn sibling(&self, entry: usize, key: &str) -> Option<&'a str> {
        let found = &self.outline.entries[entry];
        self.outline.value(self.text, found.document, found.parent, key)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{completion::completion, definition::symbols, hover::hover};

    #[test]
    fn every_place_of_a_text_that_is_cut_off_has_an_answer() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let (schemas, index) = (Schemas::new(), Index::default());
        let mut offered = 0;
        for path in
            ["intents/fabrics.yaml", "intents/peerings.yaml", "policy/house-rules.yaml", "pipeline/default.yaml"]
        {
            let whole = fs::read_to_string(root.join(path)).unwrap();
            // Not only at the ends of words: seven is prime to everything.
            for cut in (0..=whole.len()).step_by(7).filter(|at| whole.is_char_boundary(*at)) {
                let text = &whole[..cut];
                let view = View::new(path, text, &schemas, &index);
                offered += completion(&view, cut).len();
                hover(&view, cut);
                symbols(text);
            }
        }
        assert!(offered > 500, "{offered}");
    }
}
