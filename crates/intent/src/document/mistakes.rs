//! Turns the errors of a JSON Schema into findings with places, each mistake once.

use std::collections::BTreeSet;

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;
use weft_diagnostics::Diagnostic;
use weft_model::{InterfaceName, Name};

use super::{Document, place::escape};
use crate::{
    codes, formats,
    suggest::{Suggester, list},
};

/// Returns the findings for what the schema says about a document.
pub(super) fn findings<'e>(
    document: &Document,
    schema: &Value,
    errors: impl Iterator<Item = ValidationError<'e>>,
) -> Vec<Diagnostic> {
    let mut mistakes =
        Mistakes { document, schema, suggester: Suggester::default(), findings: Vec::new(), meant: BTreeSet::new() };
    let mut required = Vec::new();
    for error in errors {
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                required.push((error.instance_path().to_string(), property.as_str().unwrap_or_default().to_owned()));
            }
            _ => mistakes.add(&error),
        }
    }
    for (pointer, key) in required {
        mistakes.missing(&pointer, &key);
    }
    mistakes.findings
}

/// Returns the JSON pointer of a path that serde took.
pub(super) fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => break,
        }
    }
    pointer
}

struct Mistakes<'d> {
    document: &'d Document,
    schema: &'d Value,
    suggester: Suggester,
    findings: Vec<Diagnostic>,
    /// Missing keys that an unknown key was meant to be, as JSON pointers: one mistake, not two.
    meant: BTreeSet<String>,
}

impl Mistakes<'_> {
    fn add(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().to_string();
        let at_value = |finding: Diagnostic| finding.at(self.document.span(&pointer));
        let named = self.name(&pointer);
        let found = error.instance();
        let finding = match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                self.unknown_keys(&pointer, unexpected, &self.beside(error));
                return;
            }
            ValidationErrorKind::Type { kind } => {
                // `range: 64601` is a range that lacks its end rather than a number that lacks its quotes.
                let format = self.beside(error).get("format").and_then(Value::as_str).map(str::to_owned);
                if let (Some(format), Value::Number(number)) = (format, &**found)
                    && let Err(mistake) = formats::check(&format, &number.to_string())
                    && !number.is_f64()
                {
                    let finding = Diagnostic::error(mistake.code, mistake.message);
                    self.findings.push(at_value(match mistake.help {
                        Some(help) => finding.help(help),
                        None => finding,
                    }));
                    return;
                }
                let finding = Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!("{named} must be {}, not {}", expected(kind), self.shown_unless_secret(error)),
                );
                at_value(match (kind, &**found) {
                    (
                        TypeKind::Single(jsonschema::JsonType::String) | TypeKind::Multiple(_),
                        Value::Number(_) | Value::Bool(_),
                    ) if expected(kind) == "text" => finding.help("put it in quotes if it is meant as text"),
                    (TypeKind::Single(jsonschema::JsonType::Array), Value::String(_) | Value::Number(_)) => {
                        finding.help("write a list: `[a, b]`")
                    }
                    (TypeKind::Single(jsonschema::JsonType::Integer), Value::String(text))
                        if text.parse::<i64>().is_ok() =>
                    {
                        finding.help("write it without quotes and without leading zeros")
                    }
                    _ => finding.help(format!("write {} here", expected(kind))),
                })
            }
            ValidationErrorKind::Enum { options } => {
                let words = options
                    .as_array()
                    .map(|words| words.iter().filter_map(Value::as_str).collect())
                    .unwrap_or_default();
                at_value(self.unknown_word(&named, found, words))
            }
            ValidationErrorKind::Constant { expected_value } => {
                at_value(self.unknown_word(&named, found, expected_value.as_str().into_iter().collect()))
            }
            ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
                // An enumeration whose words have descriptions is a choice of constants.
                let choices = self.at(error).and_then(Value::as_array);
                let words: Option<Vec<&str>> =
                    choices.and_then(|choices| choices.iter().map(|c| c.get("const")?.as_str()).collect());
                if let Some(words) = words {
                    at_value(self.unknown_word(&named, found, words))
                } else {
                    self.alternatives(error, context);
                    return;
                }
            }
            ValidationErrorKind::Minimum { limit } | ValidationErrorKind::ExclusiveMinimum { limit } => at_value(
                Diagnostic::error(codes::OUT_OF_RANGE, format!("{named} is {found}, less than the least, {limit}"))
                    .help(self.range(error)),
            ),
            ValidationErrorKind::Maximum { limit } | ValidationErrorKind::ExclusiveMaximum { limit } => at_value(
                Diagnostic::error(codes::OUT_OF_RANGE, format!("{named} is {found}, more than the most, {limit}"))
                    .help(self.range(error)),
            ),
            ValidationErrorKind::MinItems { limit } => at_value(
                Diagnostic::error(
                    codes::TOO_FEW,
                    format!("{named} has {} items; it needs {limit} or more", found.as_array().map_or(0, Vec::len)),
                )
                .help("add what is missing"),
            ),
            ValidationErrorKind::Pattern { pattern } => at_value(self.name_mistake(&named, pattern, found)),
            ValidationErrorKind::Format { format } => {
                let text = found.as_str().unwrap_or_default();
                match formats::check(format, text) {
                    Err(mistake) => {
                        let finding = Diagnostic::error(mistake.code, mistake.message);
                        at_value(match mistake.help {
                            Some(help) => finding.help(help),
                            None => finding,
                        })
                    }
                    Ok(()) => at_value(Diagnostic::error(
                        codes::INVALID_VALUE,
                        format!("{named} is not of the format {format}"),
                    )),
                }
            }
            ValidationErrorKind::PropertyNames { error } => {
                let key = error.instance().as_str().unwrap_or_default().to_owned();
                let span = self.document.key_span(&format!("{pointer}/{}", escape(&key)));
                Diagnostic::error(codes::INVALID_NAME, format!("`{}` cannot be a key here", key.escape_debug()))
                    .at(span)
            }
            // Masked: a value that is out of place could be a secret.
            _ => at_value(Diagnostic::error(codes::INVALID_VALUE, format!("{named}: {}", error.masked()))),
        };
        self.findings.push(finding);
    }

    /// Reports a value that fits none of several schemas: what is wrong with it by the one that was meant.
    fn alternatives(&mut self, error: &ValidationError<'_>, branches: &[Vec<ValidationError<'static>>]) {
        let pointer = error.instance_path().to_string();
        // Of an optional value, the schema that is not for its absence. Of several, the one whose tag is there.
        let another_type = |e: &ValidationError<'_>| {
            matches!(e.kind(), ValidationErrorKind::Type { .. }) && e.instance_path().as_str() == pointer
        };
        let depth = pointer.matches('/').count() + 1;
        let tag = |e: &ValidationError<'_>| match e.kind() {
            ValidationErrorKind::Constant { expected_value }
                if e.instance_path().as_str().matches('/').count() == depth =>
            {
                Some((e.instance_path().to_string(), expected_value.as_str()?.to_owned()))
            }
            _ => None,
        };
        let typed: Vec<_> = branches.iter().filter(|errors| !errors.iter().any(another_type)).collect();
        let null = |e: &ValidationError<'_>| {
            matches!(e.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(jsonschema::JsonType::Null) })
        };
        let mut meant: Vec<_> =
            typed.iter().copied().filter(|errors| !errors.iter().any(|e| tag(e).is_some())).collect();
        if typed.is_empty() {
            meant = branches.iter().filter(|errors| !errors.iter().any(null)).collect();
        }
        if let [branch] = meant.as_slice() {
            for error in branch.iter() {
                match error.kind() {
                    ValidationErrorKind::Required { property } => {
                        self.missing(&error.instance_path().to_string(), property.as_str().unwrap_or_default());
                    }
                    _ => self.add(error),
                }
            }
            return;
        }
        let tags: Vec<(String, String)> = typed.iter().filter_map(|errors| errors.iter().find_map(tag)).collect();
        let finding = match tags.first() {
            Some((at, _)) if meant.is_empty() && tags.iter().all(|(other, _)| other == at) => {
                let words = tags.iter().map(|(_, word)| word.as_str()).collect();
                let key = at.rsplit('/').next().unwrap_or_default();
                let found = error.instance().get(key).cloned().unwrap_or_default();
                self.unknown_word(&self.name(at), &found, words).at(self.document.span(at))
            }
            _ => {
                let message =
                    format!("{} fits none of its forms: {}", self.name(&pointer), self.shown_unless_secret(error));
                Diagnostic::error(codes::INVALID_VALUE, message).at(self.document.span(&pointer))
            }
        };
        self.findings.push(finding);
    }

    fn missing(&mut self, pointer: &str, key: &str) {
        if self.meant.contains(&format!("{pointer}/{}", escape(key))) {
            return;
        }
        let place = if pointer.is_empty() { "the document".to_owned() } else { self.name(pointer) };
        let span = if pointer.is_empty() { self.document.start.clone() } else { self.document.key_span(pointer) };
        let finding = Diagnostic::error(codes::MISSING_KEY, format!("{place} has no `{key}`"));
        self.findings.push(finding.at(span).help(format!("add `{key}: ...`")));
    }

    fn unknown_keys(&mut self, pointer: &str, unexpected: &[String], siblings: &Value) {
        let properties = siblings.get("properties").and_then(Value::as_object);
        let known: Vec<&str> = properties.map(|keys| keys.keys().map(String::as_str).collect()).unwrap_or_default();
        // A key that is there already is not what another one was meant to be.
        let free = |key: &&str| !self.document.has(&format!("{pointer}/{}", escape(key)));
        let required = siblings.get("required").and_then(Value::as_array);
        let lacking: Vec<&str> =
            required.map(|keys| keys.iter().filter_map(Value::as_str).filter(free).collect()).unwrap_or_default();
        for key in unexpected {
            let meant = self.suggester.nearest(key, known.iter().copied().filter(free));
            // One key that is unknown where one is missing: however they differ, one is meant to be the other.
            let meant = meant.or(match (unexpected, &lacking[..]) {
                ([_], [only]) => Some(*only),
                _ => None,
            });
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`? The keys here are {}", list(&known)),
                None if known.is_empty() => "no key is known here".to_owned(),
                None => format!("the keys here are {}", list(&known)),
            };
            if let Some(meant) = meant {
                self.meant.insert(format!("{pointer}/{}", escape(meant)));
            }
            let span = self.document.key_span(&format!("{pointer}/{}", escape(key)));
            let message = if names_secret(siblings) {
                // Not repeated: `{ hunter2 }` is a key without a value.
                "unknown key where a reference to a secret is".to_owned()
            } else {
                format!("unknown key `{}`", key.chars().take(80).collect::<String>().escape_debug())
            };
            self.findings.push(Diagnostic::error(codes::UNKNOWN_KEY, message).at(span).help(help));
        }
    }

    fn unknown_word(&self, named: &str, found: &Value, words: Vec<&str>) -> Diagnostic {
        let message = match &words[..] {
            [only] => format!("{named} must be `{only}`, not {}", shown(found)),
            _ => format!("{named} must be one of {}, not {}", list(&words), shown(found)),
        };
        let finding = Diagnostic::error(codes::UNKNOWN_WORD, message);
        match found.as_str().and_then(|word| self.suggester.nearest(word, words.iter().copied())) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => match &words[..] {
                [only] => finding.help(format!("write `{only}`")),
                _ => finding.help("write one of them"),
            },
        }
    }

    fn name_mistake(&self, named: &str, pattern: &str, found: &Value) -> Diagnostic {
        let text = found.as_str().unwrap_or_default();
        let reason = if pattern == Name::PATTERN {
            text.parse::<Name>().err().map(|error| error.to_string())
        } else if pattern == InterfaceName::PATTERN {
            text.parse::<InterfaceName>().err().map(|error| error.to_string())
        } else {
            None
        };
        let reason = reason.unwrap_or_else(|| format!("{named} is {}, which does not fit `{pattern}`", shown(found)));
        Diagnostic::error(codes::INVALID_NAME, reason)
            .help("names become host names and words of device configurations")
    }

    /// Returns the value as a message shows it; of a value in the place of a secret, or of what holds one, only its type.
    fn shown_unless_secret(&self, error: &ValidationError<'_>) -> String {
        match &**error.instance() {
            Value::String(_) if names_secret(&self.beside(error)) => "text".to_owned(),
            Value::Number(_) if names_secret(&self.beside(error)) => "a number".to_owned(),
            value => shown(value),
        }
    }

    /// Returns what the schema says at the error's keyword.
    fn at(&self, error: &ValidationError<'_>) -> Option<&Value> {
        self.schema.pointer(error.schema_path().as_str())
    }

    /// Returns the schema that holds the error's keyword.
    fn beside(&self, error: &ValidationError<'_>) -> Value {
        let path = error.schema_path().as_str();
        let parent = path.rfind('/').map_or("", |at| &path[..at]);
        self.schema.pointer(parent).cloned().unwrap_or_default()
    }

    fn range(&self, error: &ValidationError<'_>) -> String {
        let schema = self.beside(error);
        match (schema.get("minimum"), schema.get("maximum")) {
            (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
            (Some(least), None) => format!("write {least} or more"),
            (None, Some(most)) => format!("write {most} or less"),
            (None, None) => "write another number".to_owned(),
        }
    }

    /// Returns how a person would call the value at a pointer: `` `mtu` ``, or `` item 2 of `ports` ``.
    fn name(&self, pointer: &str) -> String {
        let mut tokens = pointer.rsplit('/').filter(|token| !token.is_empty());
        match tokens.next() {
            None => "the document".to_owned(),
            Some(last) => match last.parse::<usize>() {
                Ok(index) => match tokens.next() {
                    Some(list) => format!("item {} of `{list}`", index + 1),
                    None => format!("item {}", index + 1),
                },
                Err(_) => format!("`{}`", last.replace("~1", "/").replace("~0", "~").escape_debug()),
            },
        }
    }
}

/// Tells whether a schema is that of a secret, or of a mapping that holds one.
fn names_secret(schema: &Value) -> bool {
    let secret = |schema: &Value| schema.get("format").and_then(Value::as_str) == Some("secret");
    let properties = schema.get("properties").and_then(Value::as_object);
    secret(schema) || properties.is_some_and(|properties| properties.values().any(secret))
}

fn expected(kind: &TypeKind) -> String {
    let word = |kind: jsonschema::JsonType| match kind {
        jsonschema::JsonType::Array => "a list",
        jsonschema::JsonType::Boolean => "`true` or `false`",
        jsonschema::JsonType::Integer => "a whole number",
        jsonschema::JsonType::Null => "nothing",
        jsonschema::JsonType::Number => "a number",
        jsonschema::JsonType::Object => "a mapping",
        jsonschema::JsonType::String => "text",
    };
    match kind {
        TypeKind::Single(kind) => word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => {
            let words: Vec<&str> = kinds.iter().filter(|kind| *kind != jsonschema::JsonType::Null).map(word).collect();
            words.join(" or ")
        }
    }
}

/// Returns a value as a message shows it. Text is cut and without control characters.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        // A fraction may have been written otherwise; the source line shows how.
        Value::Number(number) if number.is_f64() => "a number with a fraction".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => {
            let cut: String = text.chars().take(60).collect();
            format!("`{}`", cut.escape_debug())
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
