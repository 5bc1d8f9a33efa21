//! YAML text to documents whose every value has a place, and documents to types with a JSON Schema.

mod compose;
mod flow;
mod mistakes;
mod place;
mod scalar;

use std::{marker::PhantomData, sync::Arc};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use weft_diagnostics::{Diagnostic, SourceSpan};

use crate::{SourceFile, codes, formats, schema};

pub use flow::flow;
use place::Extent;
pub use place::escape;
pub(crate) use place::{Place, Token, pointer};

/// A YAML document: where each of its values stands.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file.
    pub file: Arc<str>,
    /// The place of the document's first key.
    pub start: SourceSpan,
    root: Place,
    /// Where aliases are, in the order of the text, and what each stands for.
    aliases: Vec<(Extent, Extent)>,
}

impl Document {
    /// Returns the place of the value at a JSON pointer (RFC 6901) such as `/spec/leaf/count`, or of the nearest value
    /// around it that is written out. The root is the empty pointer.
    pub fn span(&self, pointer: &str) -> SourceSpan {
        self.root.find(pointer).0.extent.span(&self.file)
    }

    /// Returns the place of the key whose value is at a JSON pointer; that of the value where it has no key, as the
    /// items of a list; that of the nearest key around it where it is not written out.
    pub fn key_span(&self, pointer: &str) -> SourceSpan {
        let place = self.root.find(pointer).0;
        place.key.unwrap_or(place.extent).span(&self.file)
    }

    /// Returns the place of the value at a JSON pointer when it is a single one, and that of its key when it is a list or a
    /// mapping.
    pub fn setting_span(&self, pointer: &str) -> SourceSpan {
        if self.root.find(pointer).0.is_single() { self.span(pointer) } else { self.key_span(pointer) }
    }

    /// Returns what an alias at this place stands for.
    fn anchor(&self, span: &SourceSpan) -> Option<Extent> {
        // They are in the order of the text.
        let at = self.aliases.binary_search_by_key(&(span.line, span.column), |(alias, _)| (alias.line, alias.column));
        at.ok().map(|at| self.aliases[at].1)
    }

    /// Removes the findings at aliases that were made where the text is written out: one mistake, not two.
    pub(crate) fn without_repeated(&self, findings: &mut Vec<Diagnostic>, same: fn(&Diagnostic, &Diagnostic) -> bool) {
        if self.aliases.is_empty() {
            return;
        }
        let repeated = |finding: &Diagnostic| {
            let Some(span) = finding.span.as_ref().filter(|span| span.file == self.file) else { return false };
            self.anchor(span).is_some_and(|anchor| {
                let (start, end) = ((anchor.line, anchor.column), (anchor.end_line, anchor.end_column));
                findings.iter().any(|other| {
                    let inside =
                        |at: &SourceSpan| at.file == self.file && (start..=end).contains(&(at.line, at.column));
                    same(finding, other) && other.span.as_ref().is_some_and(inside)
                })
            })
        };
        let keep: Vec<bool> = findings.iter().map(|finding| !repeated(finding)).collect();
        let mut keep = keep.into_iter();
        findings.retain(|_| keep.next().unwrap_or(true));
    }

    /// Tells whether the value at a JSON pointer is written out.
    pub fn has(&self, pointer: &str) -> bool {
        self.root.find(pointer).1
    }
}

/// Reads the documents of a file.
///
/// Returns each document that is well formed, with its value; empty documents are left out. A mistake in one document
/// does not hide the others. YAML 1.2 with the core schema, less what surprises: tags and merge keys are refused, numbers
/// with leading zeros are text.
pub fn parse(file: &SourceFile) -> (Vec<(Document, Value)>, Vec<Diagnostic>) {
    compose::documents(file)
}

/// Checks a document against the JSON Schema of `T` and converts it.
///
/// Returns `None` when there is a finding. To read many documents of one type, build a [`Reader`] once.
pub fn typed<T: JsonSchema + DeserializeOwned>(document: &Document, value: &Value) -> (Option<T>, Vec<Diagnostic>) {
    Reader::<T>::default().read(document, value)
}

/// The help for a mistake that says all there is to say.
const HELP: &str = "correct the value";

/// A compiled JSON Schema of `T`, to read documents with.
pub struct Reader<T> {
    schema: Value,
    validator: Option<jsonschema::Validator>,
    read: PhantomData<fn() -> T>,
}

impl<T: JsonSchema + DeserializeOwned> Default for Reader<T> {
    fn default() -> Self {
        Self::with_schema(schema::of::<T>())
    }
}

impl<T: DeserializeOwned> Reader<T> {
    pub(crate) fn with_schema(schema: Value) -> Self {
        let validator = formats::options().build(&schema);
        debug_assert!(validator.is_ok(), "the schema is generated: {:?}", validator.err());
        Self { schema, validator: validator.ok(), read: PhantomData }
    }

    /// Checks a document against the schema and converts it. Returns `None` when there is a finding.
    pub fn read(&self, document: &Document, value: &Value) -> (Option<T>, Vec<Diagnostic>) {
        let errors = self.validator.iter().flat_map(|validator| validator.iter_errors(value));
        let mut mistakes = mistakes::findings(document, &self.schema, errors);
        if !mistakes.is_empty() {
            for mistake in mistakes.iter_mut().filter(|mistake| mistake.help.is_none()) {
                mistake.help = Some(HELP.to_owned());
            }
            mistakes.sort();
            mistakes.dedup();
            document.without_repeated(&mut mistakes, |a, b| a.code == b.code);
            return (None, mistakes);
        }
        match T::deserialize(value) {
            Ok(typed) => (Some(typed), Vec::new()),
            // What the schema cannot say. Read it again, this time with the path, which costs more.
            Err(error) => {
                let (pointer, message) = match serde_path_to_error::deserialize::<_, T>(value) {
                    Err(traced) => (mistakes::pointer_of(traced.path()), traced.inner().to_string()),
                    Ok(_) => (String::new(), error.to_string()),
                };
                (None, vec![Diagnostic::error(codes::INVALID_VALUE, message).at(document.span(&pointer)).help(HELP)])
            }
        }
    }
}
