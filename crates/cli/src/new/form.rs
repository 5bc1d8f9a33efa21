//! A form: the flags of a kind, and what is written with their values.

use std::{collections::BTreeMap, sync::LazyLock};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig};
use serde::Deserialize;
use weft_intent::{
    document::flow,
    reference::{self, Field, Takes},
};
use weft_model::IntentKind;
use weft_pipeline::report::wrap;

/// Most columns of a comment.
const COLUMNS: usize = 100;
/// What stands above the `spec` of every kind: the flags that all kinds have, and the template of their values.
const HEAD: &str = include_str!("head.yaml");

/// The form of a kind.
#[derive(Debug)]
pub(crate) struct Form {
    /// The kind.
    pub(crate) kind: IntentKind,
    /// Its flags, those of every kind first.
    pub(crate) flags: Vec<Flag>,
    template: String,
}

/// A flag, as a form declares it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flag {
    /// Its name.
    pub(crate) flag: String,
    /// The key that its value is for, `spec.KEY` or `TYPE.KEY`: help, choices and numbers come from its schema.
    #[serde(default)]
    field: String,
    /// What it is, where the key's description does not say it.
    #[serde(default)]
    says: String,
    /// What stands for its value in the help.
    #[serde(default)]
    value: String,
    /// Whether it must be given.
    #[serde(default)]
    pub(crate) required: bool,
    /// The flag in whose place it can be given: one of the two must.
    #[serde(default)]
    pub(crate) unless: Option<String>,
    /// Whether it can be given several times.
    #[serde(default)]
    list: bool,
    /// The names of the parts that commas separate in its value; those that end in `?` need not be there, and the last one
    /// takes all that is left.
    #[serde(default)]
    pub(crate) parts: Vec<String>,
    /// What the schema says of the key.
    #[serde(skip)]
    of: Option<Field>,
}

/// Returns the form of every kind.
pub(crate) fn forms() -> &'static BTreeMap<IntentKind, Form> {
    static FORMS: LazyLock<BTreeMap<IntentKind, Form>> =
        LazyLock::new(|| IntentKind::ALL.into_iter().map(|kind| (kind, form(kind))).collect());
    &FORMS
}

const fn text(kind: IntentKind) -> &'static str {
    match kind {
        IntentKind::Fabric => include_str!("fabric.yaml"),
        IntentKind::Topology => include_str!("topology.yaml"),
        IntentKind::Pools => include_str!("pools.yaml"),
        IntentKind::Underlay => include_str!("underlay.yaml"),
        IntentKind::Segment => include_str!("segment.yaml"),
        IntentKind::Tenant => include_str!("tenant.yaml"),
        IntentKind::Peering => include_str!("peering.yaml"),
        IntentKind::Steering => include_str!("steering.yaml"),
        IntentKind::Reachability => include_str!("reachability.yaml"),
        IntentKind::Access => include_str!("access.yaml"),
        IntentKind::Maintenance => include_str!("maintenance.yaml"),
        IntentKind::Baseline => include_str!("baseline.yaml"),
        IntentKind::Capacity => include_str!("capacity.yaml"),
    }
}

#[expect(clippy::expect_used, reason = "the forms are part of the program, and a test reads them all")]
fn form(kind: IntentKind) -> Form {
    let mut flags: Vec<Flag> = Vec::new();
    let mut template = String::new();
    for text in [HEAD, text(kind)] {
        let (declared, rest) = text.split_once("---\n").expect("a form has flags and a template");
        flags.extend(serde_yaml::from_str::<Vec<Flag>>(declared).expect("flags are declared as such"));
        template.push_str(rest);
    }
    for flag in flags.iter_mut().filter(|flag| !flag.field.is_empty()) {
        flag.of = Some(field(kind, &flag.field).expect("a flag is for a key of the kind"));
    }
    Form { kind, flags, template }
}

/// Returns what the schema of a kind says of `spec.KEY` or `TYPE.KEY`.
fn field(kind: IntentKind, path: &str) -> Option<Field> {
    let (of, key) = path.split_once('.')?;
    let tables = reference::tables(kind);
    tables.into_iter().find(|table| table.of == of)?.fields.into_iter().find(|field| field.key == key)
}

impl Flag {
    /// Returns what stands for the value in the help.
    pub(crate) fn value_name(&self) -> String {
        match (self.value.is_empty(), self.parts.is_empty()) {
            (false, _) => self.value.clone(),
            (true, false) => {
                let part = |part: &String| match part.strip_suffix('?') {
                    Some(part) => format!("[,{part}]"),
                    None => format!(",{part}"),
                };
                self.parts.iter().map(part).collect::<String>().trim_start_matches(',').to_uppercase()
            }
            (true, true) if self.is_number() => "N".to_owned(),
            (true, true) => "TEXT".to_owned(),
        }
    }

    /// Returns what the flag is for.
    pub(crate) fn says(&self) -> &str {
        match &self.of {
            Some(field) if self.says.is_empty() => field.description.trim_end_matches('.'),
            _ => &self.says,
        }
    }

    /// Returns the help of the flag.
    pub(crate) fn help(&self) -> String {
        let mut help = self.says().to_owned();
        if self.list {
            help.push_str(if self.parts.is_empty() { "; several with commas" } else { "; can be given several times" });
        }
        match &self.unless {
            Some(other) => help.push_str(&format!(" (required without --{other})")),
            None if self.required => help.push_str(" (required)"),
            None => {}
        }
        help
    }

    /// Returns the words that it takes; none when it takes others.
    pub(crate) fn choices(&self) -> Vec<String> {
        match self.of.as_ref().map(|field| &field.takes) {
            Some(takes) => choices(takes),
            None => Vec::new(),
        }
    }

    /// Tells whether it takes a number.
    pub(crate) fn is_number(&self) -> bool {
        self.of.as_ref().is_some_and(|field| is_number(&field.takes))
    }

    /// Tells whether it must be given and is not.
    pub(crate) fn is_missing(&self, given: &BTreeMap<&'static str, Vec<String>>) -> bool {
        let instead = self.unless.as_ref().is_some_and(|other| given.contains_key(other.as_str()));
        (self.required || self.unless.is_some()) && !instead && !given.contains_key(self.flag.as_str())
    }

    /// Tells whether it takes several values.
    pub(crate) fn is_list(&self) -> bool {
        self.list
    }

    /// Returns the value for the template of what was given; `None` when a value has not all its parts.
    fn value(&self, given: &[String]) -> Option<Value> {
        let numbers = match self.of.as_ref().map(|field| &field.takes) {
            Some(Takes::List(item)) => is_number(item),
            Some(takes) => is_number(takes),
            None => false,
        };
        let one = |text: &String| {
            if self.parts.is_empty() {
                return Some(if numbers { number_or_text(text) } else { Value::from(text.as_str()) });
            }
            let mut given = text.splitn(self.parts.len(), ',').map(str::trim);
            let part = |name: &String| match (name.strip_suffix('?'), given.next().filter(|text| !text.is_empty())) {
                (name_of_optional, Some(text)) => {
                    Some((name_of_optional.unwrap_or(name).to_owned(), Value::from(text)))
                }
                (Some(name), None) => Some((name.to_owned(), Value::from(()))),
                (None, None) => None,
            };
            self.parts.iter().map(part).collect::<Option<Vec<_>>>().map(Value::from_pairs)
        };
        let values: Option<Vec<Value>> = given.iter().map(one).collect();
        match values {
            Some(values) if self.list => Some(Value::from(values)),
            Some(mut values) => values.pop(),
            None => None,
        }
    }
}

fn is_number(takes: &Takes) -> bool {
    matches!(takes, Takes::Words(words) if words.starts_with("number"))
}

/// Returns the words of a choice, without the form of texts such as `NODE:INTERFACE`.
fn choices(takes: &Takes) -> Vec<String> {
    let literal = |choice: &Takes| match choice {
        Takes::Literal(word) if word.chars().all(|c| !c.is_ascii_uppercase()) => Some(word.clone()),
        _ => None,
    };
    match takes {
        Takes::OneOf(choices) => choices.iter().map(literal).collect::<Option<_>>().unwrap_or_default(),
        Takes::Literal(_) => literal(takes).into_iter().collect(),
        Takes::List(_) | Takes::Type(_) | Takes::Words(_) => Vec::new(),
    }
}

/// Why a form cannot be filled in.
#[derive(Debug)]
pub(crate) enum Unfilled {
    /// The value of a flag has not all its parts.
    Parts(&'static Flag),
    /// The template fails: the program's fault.
    Template(minijinja::Error),
}

impl Form {
    /// Returns the text of the intent, with the values that were given by flag.
    pub(crate) fn fill(&'static self, given: &BTreeMap<&'static str, Vec<String>>) -> Result<String, Unfilled> {
        let mut context: BTreeMap<String, Value> = BTreeMap::new();
        for flag in &self.flags {
            let value = match given.get(&*flag.flag) {
                Some(values) => flag.value(values).ok_or(Unfilled::Parts(flag))?,
                None => Value::from(()),
            };
            context.insert(flag.flag.replace('-', "_"), value);
        }
        context.insert("kind".to_owned(), Value::from_safe_string(self.kind.as_str().to_owned()));
        context.insert("purpose".to_owned(), Value::from_safe_string(self.kind.purpose().to_owned()));
        context.insert("title".to_owned(), Value::from_safe_string(self.kind.title().to_owned()));
        let rendered = environment(self.kind).render_str(&self.template, context).map_err(Unfilled::Template)?;
        Ok(rendered.trim_end().to_owned() + "\n")
    }
}

/// Returns the engine of the templates: what they print of values is YAML on one line, whatever the values are.
fn environment(kind: IntentKind) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment.set_formatter(|out, _, value| {
        let text = match value.as_str() {
            Some(text) if value.is_safe() => text.to_owned(),
            _ => yaml(value)?,
        };
        out.write_str(&text).map_err(|_| minijinja::Error::from(ErrorKind::WriteFailure))
    });
    // The comment that a key's description is, behind so many spaces.
    environment.add_function("about", move |path: &str, indent: usize| {
        let field = field(kind, path).ok_or_else(|| {
            minijinja::Error::new(ErrorKind::UndefinedError, format!("{} has no key {path}", kind.title()))
        })?;
        let words = choices(&field.takes);
        let choices = if words.len() > 1 { format!(" One of: {}.", words.join(", ")) } else { String::new() };
        Ok(Value::from_safe_string(comment(&format!("{}{choices}", field.description), indent)))
    });
    // A key with its value, or a mapping of one key to it; without a value, the key as a comment with what it could be.
    environment.add_function("maybe", |key: &str, value: &Value, example: &str, inner: Option<&str>| {
        let text = match inner {
            _ if value.is_none() => format!("# {key}: {example}"),
            Some(inner) => format!("{key}: {{ {inner}: {} }}", yaml(value)?),
            None => format!("{key}: {}", yaml(value)?),
        };
        Ok(Value::from_safe_string(text))
    });
    // The parts of a text that commas separate; what is a number is one.
    environment
        .add_filter("items", |text: &str| text.split(',').map(|item| number_or_text(item.trim())).collect::<Value>());
    environment
}

fn number_or_text(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
}

/// Returns a value as YAML on one line.
fn yaml(value: &Value) -> Result<String, minijinja::Error> {
    let value = serde_json::to_value(value);
    value
        .map(|value| flow(&value))
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Returns a text as a comment, its second line and those after it behind so many spaces.
fn comment(text: &str, indent: usize) -> String {
    let lines = wrap(text, COLUMNS - indent, 0);
    lines.iter().map(|line| format!("# {line}")).collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(indent)))
}
