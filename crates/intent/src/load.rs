//! Reads files of intents.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{IntentKind, IntentRef, Name};

use crate::{
    Document, Intent, IntentSet, SourceFile, codes,
    document::{self, Reader},
    kinds::each_kind,
    schema::{self, API_VERSION, Envelope},
    secret, spec,
    suggest::Suggester,
};

/// Reads the intents of some files, and returns them with what is wrong in their text, sorted by place.
///
/// An intent with a mistake is left out of the set, which [`IntentSet::lacks`] remembers.
pub fn load(files: &[SourceFile]) -> (IntentSet, Vec<Diagnostic>) {
    let mut loader = Loader::default();
    for file in files {
        let (documents, findings) = document::parse(file);
        loader.set.rejected.unreadable |= !findings.is_empty();
        loader.findings.extend(findings);
        for (document, value) in documents {
            loader.document(Arc::new(document), &value);
        }
    }
    loader.findings.sort();
    if !loader.findings.is_empty() {
        secret::conceal(files, &mut loader.findings);
    }
    (loader.set, loader.findings)
}

#[derive(Default)]
struct Loader {
    set: IntentSet,
    findings: Vec<Diagnostic>,
    /// Where each intent's name stands, also those with mistakes.
    names: BTreeMap<IntentRef, SourceSpan>,
    readers: Readers,
    suggester: Suggester,
}

impl Loader {
    fn document(&mut self, document: Arc<Document>, value: &Value) {
        let Some(kind) = self.kind(&document, value) else {
            self.set.rejected.unreadable = true;
            return;
        };
        let repeated = value
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .and_then(|name| name.parse::<Name>().ok())
            .and_then(|name| {
                let span = document.span("/metadata/name");
                let reference = IntentRef { kind, name };
                let first = self.names.get(&reference).cloned();
                let finding = first.map(|first| {
                    Diagnostic::error(codes::DUPLICATE_INTENT, format!("there are two intents `{reference}`"))
                        .at(span.clone())
                        .label(first, "the first one is here")
                        .help("give one of them another name, or join them")
                });
                self.names.entry(reference).or_insert(span);
                finding
            });
        let before = self.findings.len();
        let Self { set, findings, readers, .. } = self;
        let keep = repeated.is_none();
        macro_rules! read {
            ($($kind:ident, $spec:ident, $field:ident;)*) => {
                match kind {
                    $(IntentKind::$kind => {
                        take(&mut readers.$field, kind, &document, value, keep.then_some(&mut set.$field), findings);
                    })*
                }
            };
        }
        each_kind!(read);
        self.findings.extend(repeated);
        if self.findings.len() > before {
            self.set.rejected.kinds.insert(kind);
        }
    }

    /// Returns the kind of a document, or reports why it has none.
    fn kind(&mut self, document: &Document, value: &Value) -> Option<IntentKind> {
        if !value.is_object() {
            let finding = Diagnostic::error(codes::WRONG_TYPE, "an intent must be a mapping").at(document.span(""));
            self.findings.push(finding.help("begin with `apiVersion: weft/v1`"));
            return None;
        }
        if let Some(version) = value.get("apiVersion").and_then(Value::as_str).filter(|version| *version != API_VERSION)
        {
            let message =
                format!("the version `{}` is not known", version.chars().take(60).collect::<String>().escape_debug());
            let finding = Diagnostic::error(codes::UNKNOWN_VERSION, message).at(document.span("/apiVersion"));
            self.findings.push(finding.help(format!("write `apiVersion: {API_VERSION}`")));
            return None;
        }
        let titles = IntentKind::ALL.map(IntentKind::title);
        match value.get("kind") {
            Some(Value::String(kind)) => {
                let known = IntentKind::ALL.into_iter().find(|known| known.title() == kind);
                if known.is_none() {
                    let message = format!(
                        "there is no kind of intent `{}`",
                        kind.chars().take(60).collect::<String>().escape_debug()
                    );
                    let help = self.suggester.help(kind, titles.iter().copied(), "kinds").unwrap_or_default();
                    self.findings
                        .push(Diagnostic::error(codes::UNKNOWN_KIND, message).at(document.span("/kind")).help(help));
                }
                known
            }
            Some(_) => {
                let finding = Diagnostic::error(codes::WRONG_TYPE, "`kind` must be text").at(document.span("/kind"));
                self.findings.push(finding.help(format!("the kinds are {}", crate::suggest::list(&titles))));
                None
            }
            None => {
                let finding =
                    Diagnostic::error(codes::MISSING_KEY, "the document has no `kind`").at(document.start.clone());
                self.findings
                    .push(finding.help(format!("add `kind: ...`; the kinds are {}", crate::suggest::list(&titles))));
                None
            }
        }
    }
}

macro_rules! readers {
    ($($kind:ident, $spec:ident, $field:ident;)*) => {
        /// The compiled schemas, each built when its first document comes.
        #[derive(Default)]
        struct Readers {
            $($field: Option<Reader<Envelope<spec::$spec>>>,)*
        }
    };
}

each_kind!(readers);

/// Checks and converts one document, and puts it into `intents` when there are some to put it into.
fn take<S: JsonSchema + DeserializeOwned>(
    reader: &mut Option<Reader<Envelope<S>>>,
    kind: IntentKind,
    document: &Arc<Document>,
    value: &Value,
    intents: Option<&mut BTreeMap<Name, Intent<S>>>,
    findings: &mut Vec<Diagnostic>,
) {
    let reader = reader.get_or_insert_with(|| Reader::with_schema(schema::of_kind(kind)));
    let (envelope, mistakes) = reader.read(document, value);
    let before = findings.len();
    findings.extend(mistakes);
    let mut breaks = Vec::new();
    line_breaks(document, value, &mut String::new(), &mut breaks);
    breaks.retain(|found| findings[before..].iter().all(|known| known.span != found.span));
    findings.extend(breaks);
    let (Some(envelope), Some(intents)) = (envelope, intents) else { return };
    if findings.len() > before {
        return;
    }
    let name = envelope.metadata.name.clone();
    let reference = IntentRef { kind, name: name.clone() };
    let intent = Intent { reference, metadata: envelope.metadata, spec: envelope.spec, document: document.clone() };
    intents.insert(name, intent);
}

/// Reports texts with a line break or a tab. No text of an intent has one: it could become a line of a configuration.
fn line_breaks(document: &Document, value: &Value, pointer: &mut String, findings: &mut Vec<Diagnostic>) {
    let length = pointer.len();
    match value {
        Value::String(text) if text.contains(['\n', '\t']) => {
            let what = if text.contains('\n') { "a line break" } else { "a tab" };
            let finding = Diagnostic::error(codes::CONTROL_CHARACTER, format!("the value holds {what}"));
            let help = "write it on one line, or fold the lines with `>-`";
            findings.push(finding.at(document.span(pointer)).help(help));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if matches!(item, Value::String(_) | Value::Array(_) | Value::Object(_)) {
                    pointer.push('/');
                    pointer.push_str(&index.to_string());
                    line_breaks(document, item, pointer, findings);
                    pointer.truncate(length);
                }
            }
        }
        Value::Object(entries) => {
            for (key, item) in entries {
                if key.contains(['\n', '\t']) {
                    let span = document.key_span(&format!("{pointer}/{}", document::escape(key)));
                    let finding = Diagnostic::error(codes::CONTROL_CHARACTER, "the key holds a line break or a tab");
                    findings.push(finding.at(span).help("remove it"));
                }
                if matches!(item, Value::String(_) | Value::Array(_) | Value::Object(_)) {
                    pointer.push('/');
                    pointer.push_str(&document::escape(key));
                    line_breaks(document, item, pointer, findings);
                    pointer.truncate(length);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
