//! What can be said of a kind of intent without an intent: what it is for, its keys, an example.
//!
//! All of it comes from the JSON Schemas and the pages in `docs/intents/`, so that it is said in one place.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use weft_model::IntentKind;

use crate::schema;

/// The keys of a kind's `spec`, or of a type in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// `spec`, or the type's name, such as `Tier`.
    pub of: String,
    /// The keys, in order.
    pub fields: Vec<Field>,
}

/// A key and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The key.
    pub key: String,
    /// What it takes, in words.
    #[serde(rename = "type")]
    pub takes: Takes,
    /// Whether it must be there.
    pub required: bool,
    /// What it is.
    pub description: String,
}

/// What a key takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// A value of a type that has a table of its own.
    Type(String),
    /// A list.
    List(Box<Takes>),
    /// One of several.
    OneOf(Vec<Takes>),
    /// This word, or text of this form.
    Literal(String),
    /// Anything else, such as `number, 1 to 512`.
    Words(String),
}

impl Takes {
    /// Returns it in words; `type_name` and `literal` dress the parts that are not prose.
    fn words(&self, type_name: &dyn Fn(&str) -> String, literal: &dyn Fn(&str) -> String) -> String {
        match self {
            Self::Type(name) => type_name(name),
            Self::List(item) => format!("list of {}", item.words(type_name, literal)),
            Self::OneOf(choices) => {
                choices.iter().map(|choice| choice.words(type_name, literal)).collect::<Vec<_>>().join(" or ")
            }
            Self::Literal(text) => literal(text),
            Self::Words(words) => words.clone(),
        }
    }
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.words(&str::to_owned, &str::to_owned))
    }
}

impl Serialize for Takes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns what a kind is, as its schema says it.
pub fn description(kind: IntentKind) -> String {
    schema::of_kind(kind)["description"].as_str().unwrap_or_default().replace('\n', " ")
}

/// Returns the keys of a kind's `spec`, then those of each type in it.
pub fn tables(kind: IntentKind) -> Vec<Table> {
    let schema = schema::of_kind(kind);
    let mut queue = vec![format!("{}Spec", kind.title())];
    let mut done: Vec<String> = Vec::new();
    let mut tables = Vec::new();
    while let Some(name) = queue.pop() {
        if done.contains(&name) {
            continue;
        }
        let definition = &schema["$defs"][&name];
        let Some(properties) = definition["properties"].as_object() else { continue };
        let required: Vec<&str> =
            definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut inner = Vec::new();
        let fields = properties
            .iter()
            .map(|(key, property)| Field {
                key: key.clone(),
                takes: takes(property, &schema, &mut inner),
                required: required.contains(&key.as_str()),
                description: property["description"].as_str().unwrap_or_default().replace('\n', " "),
            })
            .collect();
        tables.push(Table { of: if done.is_empty() { "spec".to_owned() } else { name.clone() }, fields });
        done.push(name);
        inner.reverse();
        queue.extend(inner);
    }
    tables
}

/// Returns the tables of a kind as they stand in its page.
pub fn markdown(kind: IntentKind) -> String {
    let mut out = String::new();
    for table in tables(kind) {
        let title = match table.of.as_str() {
            "spec" => "`spec`".to_owned(),
            name => format!("<a id=\"{0}\"></a>{0}", name.to_lowercase()),
        };
        // Writing into a String cannot fail.
        let _ = writeln!(out, "\n### {title}\n\n| key | value | what it is |\n|---|---|---|");
        for field in table.fields {
            let star = if field.required { " *" } else { "" };
            let value = field
                .takes
                .words(&|name| format!("[{name}](#{})", name.to_lowercase()), &|literal| format!("`{literal}`"));
            let _ = writeln!(out, "| `{}`{star} | {value} | {} |", field.key, field.description.replace('|', "\\|"));
        }
    }
    out.push_str("\nKeys with * are required.\n\n");
    out
}

/// Returns the example of a kind's page: one or more documents of YAML.
pub fn example(kind: IntentKind) -> String {
    let page = page(kind);
    page.split_once("```yaml\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(example, _)| example.to_owned())
        .unwrap_or_default()
}

/// Returns the page of a kind, `docs/intents/KIND.md`.
pub const fn page(kind: IntentKind) -> &'static str {
    macro_rules! page {
        ($name:literal) => {
            include_str!(concat!("../../../docs/intents/", $name, ".md"))
        };
    }
    match kind {
        IntentKind::Fabric => page!("fabric"),
        IntentKind::Topology => page!("topology"),
        IntentKind::Pools => page!("pools"),
        IntentKind::Underlay => page!("underlay"),
        IntentKind::Segment => page!("segment"),
        IntentKind::Tenant => page!("tenant"),
        IntentKind::Peering => page!("peering"),
        IntentKind::Steering => page!("steering"),
        IntentKind::Reachability => page!("reachability"),
        IntentKind::Access => page!("access"),
        IntentKind::Maintenance => page!("maintenance"),
        IntentKind::Baseline => page!("baseline"),
        IntentKind::Capacity => page!("capacity"),
    }
}

/// Returns what a key takes, and notes the types that have tables of their own.
fn takes(property: &Value, schema: &Value, inner: &mut Vec<String>) -> Takes {
    let words = |text: &str| Takes::Words(text.to_owned());
    let literal = |text: &str| Takes::Literal(text.to_owned());
    if let Some(name) = property["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        let definition = &schema["$defs"][name];
        if definition["properties"].is_object() {
            inner.push(name.to_owned());
            return Takes::Type(name.to_owned());
        }
        return takes(definition, schema, inner);
    }
    if let Some(word) = property["const"].as_str() {
        return literal(word);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = property[choice].as_array() {
            let choices = choices.iter().filter(|choice| choice["type"] != "null");
            let mut taken: Vec<Takes> = choices.map(|choice| takes(choice, schema, inner)).collect();
            return if taken.len() == 1 { taken.remove(0) } else { Takes::OneOf(taken) };
        }
    }
    if let Some(choices) = property["enum"].as_array() {
        return Takes::OneOf(choices.iter().map(|word| literal(word.as_str().unwrap_or_default())).collect());
    }
    let kind = property["type"].as_str().or_else(|| property["type"][0].as_str()).unwrap_or("anything");
    match kind {
        "array" => Takes::List(Box::new(takes(&property["items"], schema, inner))),
        "object" => words("mapping of text"),
        "integer" => Takes::Words(match (&property["minimum"], &property["maximum"]) {
            (Value::Null, Value::Null) => "number".to_owned(),
            (least, Value::Null) => format!("number from {least}"),
            (Value::Null, most) => format!("number to {most}"),
            (least, most) => format!("number, {least} to {most}"),
        }),
        "string" => match property["format"].as_str() {
            Some("ip") => words("address"),
            Some("prefix") => words("prefix"),
            Some("interface-address") => words("address/length"),
            Some("endpoint") => literal("NODE:INTERFACE"),
            Some("asn-range") => literal("FIRST-LAST"),
            Some("secret") => words("secret"),
            Some("flow-end") => words("end of a flow"),
            Some("ssh-public-key") => words("public key"),
            _ if property["pattern"].is_string() => words("name"),
            _ => words("text"),
        },
        other => words(other),
    }
}
