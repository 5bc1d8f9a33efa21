//! What a JSON Schema says about one place of a document: keys, words, limits, defaults, descriptions.

use serde_json::Value;

/// The schema of a place. Optional values and choices have several forms.
#[derive(Debug, Clone)]
pub struct Shape<'s> {
    root: &'s Value,
    /// The schema at the place itself, whose description and default come before those of what it refers to.
    here: &'s Value,
    forms: Vec<&'s Value>,
}

/// A key that a mapping may have.
#[derive(Debug, Clone)]
pub struct Key<'s> {
    /// The key.
    pub name: &'s str,
    /// Whether it must be there.
    pub required: bool,
    /// What its value may be.
    pub shape: Shape<'s>,
}

/// A word that a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'s> {
    /// The word.
    pub word: &'s str,
    /// What it means.
    pub description: Option<&'s str>,
}

impl<'s> Shape<'s> {
    /// Returns the shape of a whole document.
    pub fn of(root: &'s Value) -> Self {
        Self::at(root, root)
    }

    fn at(root: &'s Value, here: &'s Value) -> Self {
        let mut forms = Vec::new();
        expand(root, here, 0, &mut forms);
        Self { root, here, forms }
    }

    /// Returns the shape of the value of `key`, where this is a mapping that may have it.
    pub fn key(&self, key: &str) -> Option<Self> {
        let known = self.forms.iter().find_map(|form| form.get("properties")?.get(key));
        let any = || self.forms.iter().find_map(|form| form.get("additionalProperties").filter(|any| any.is_object()));
        known.or_else(any).map(|here| Self::at(self.root, here))
    }

    /// Returns the shape of the items, where this is a list.
    pub fn item(&self) -> Option<Self> {
        self.forms.iter().find_map(|form| form.get("items")).map(|here| Self::at(self.root, here))
    }

    /// Returns the shape at a path of keys and indices.
    pub fn find<'p>(&self, path: impl IntoIterator<Item = Step<'p>>) -> Option<Self> {
        path.into_iter().try_fold(self.clone(), |shape, step| match step {
            Step::Key(key) => shape.key(key),
            Step::Item => shape.item(),
        })
    }

    /// Returns the keys that a mapping may have here: the required ones first, each part in the order of the alphabet.
    pub fn keys(&self) -> Vec<Key<'s>> {
        let mut keys: Vec<Key<'s>> = Vec::new();
        for form in &self.forms {
            let required: Vec<&str> = form
                .get("required")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            for (name, here) in form.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if keys.iter().all(|key| key.name != name) {
                    let shape = Self::at(self.root, here);
                    keys.push(Key { name, required: required.contains(&name.as_str()), shape });
                }
            }
        }
        keys.sort_by_key(|key| (!key.required, key.name));
        keys
    }

    /// Returns the words that the value may be, where it is one of a few.
    pub fn words(&self) -> Vec<Word<'s>> {
        let mut words: Vec<Word<'s>> = Vec::new();
        for form in &self.forms {
            let description = form.get("description").and_then(Value::as_str).filter(|_| form.get("const").is_some());
            let listed = form.get("enum").and_then(Value::as_array).into_iter().flatten();
            for word in form.get("const").into_iter().chain(listed).filter_map(Value::as_str) {
                words.push(Word { word, description });
            }
            if form.get("type").is_some_and(|kind| is(kind, "boolean")) {
                words.extend(["true", "false"].map(|word| Word { word, description: None }));
            }
        }
        words
    }

    /// Returns what the value is for.
    pub fn description(&self) -> Option<&'s str> {
        let of = |schema: &'s Value| schema.get("description").and_then(Value::as_str);
        of(self.here).or_else(|| self.forms.iter().filter(|form| form.get("const").is_none()).find_map(|form| of(form)))
    }

    /// Returns what holds where nothing is written; `None` where that is nothing.
    pub fn default(&self) -> Option<&'s Value> {
        self.here.get("default").filter(|value| !value.is_null())
    }

    /// Returns the format of the text, such as `endpoint`.
    pub fn format(&self) -> Option<&'s str> {
        self.text("format")
    }

    /// Returns the pattern of the text.
    pub fn pattern(&self) -> Option<&'s str> {
        self.text("pattern")
    }

    fn text(&self, keyword: &str) -> Option<&'s str> {
        std::iter::once(self.here).chain(self.forms.iter().copied()).find_map(|form| form.get(keyword)?.as_str())
    }

    /// Tells whether the value may be a list.
    pub fn is_list(&self) -> bool {
        self.is("array")
    }

    /// Tells whether the value may be a mapping.
    pub fn is_mapping(&self) -> bool {
        self.is("object")
    }

    fn is(&self, kind: &str) -> bool {
        self.forms.iter().any(|form| form.get("type").is_some_and(|found| is(found, kind)))
    }

    /// Returns in words what the value is, such as `number, 1 to 512`.
    pub fn takes(&self) -> String {
        let mut all: Vec<String> = Vec::new();
        for form in &self.forms {
            let words = self.form(form);
            if !all.contains(&words) {
                all.push(words);
            }
        }
        all.join(" or ")
    }

    fn form(&self, form: &'s Value) -> String {
        let quoted = |word: &Value| word.as_str().map_or_else(|| word.to_string(), |word| format!("`{word}`"));
        if let Some(word) = form.get("const") {
            return quoted(word);
        }
        if let Some(words) = form.get("enum").and_then(Value::as_array) {
            return words.iter().map(quoted).collect::<Vec<_>>().join(" or ");
        }
        let kinds = form.get("type");
        let may = |kind: &str| kinds.is_some_and(|found| is(found, kind));
        if may("array") {
            let items = form.get("items").map(|items| Self::at(self.root, items).takes());
            return format!("list of {}", items.unwrap_or_else(|| "anything".to_owned()));
        }
        if may("integer") || may("number") {
            return match (form.get("minimum"), form.get("maximum")) {
                (Some(least), Some(most)) => format!("number, {least} to {most}"),
                (Some(least), None) => format!("number from {least}"),
                (None, Some(most)) => format!("number to {most}"),
                (None, None) => "number".to_owned(),
            };
        }
        if may("boolean") {
            return "`true` or `false`".to_owned();
        }
        if may("object") {
            return if form.get("properties").is_some() { "mapping" } else { "mapping of text" }.to_owned();
        }
        match (form.get("format").and_then(Value::as_str), form.get("pattern")) {
            (Some("ip"), _) => "address".to_owned(),
            (Some("interface-address"), _) => "address/length".to_owned(),
            (Some("endpoint"), _) => "`NODE:INTERFACE`".to_owned(),
            (Some("asn-range"), _) => "`FIRST-LAST`".to_owned(),
            (Some("secret"), _) => "reference to a secret, `env/NAME`".to_owned(),
            (Some("flow-end"), _) => "end of a flow".to_owned(),
            (Some(format), _) if may("string") => format.replace('-', " "),
            (_, Some(_)) => "name".to_owned(),
            _ if may("string") => "text".to_owned(),
            _ => "anything".to_owned(),
        }
    }

    /// Returns the forms that fit what `value` has of the words that tell them apart.
    fn narrowed(&self, value: &Value) -> Self {
        let fits = |form: &&'s Value| {
            let mut properties = form.get("properties").and_then(Value::as_object).into_iter().flatten();
            properties.all(|(key, schema)| match (schema.get("const"), value.get(key)) {
                (Some(expected), Some(found)) => expected == found,
                _ => true,
            })
        };
        let forms: Vec<&'s Value> = self.forms.iter().copied().filter(fits).collect();
        if forms.is_empty() { self.clone() } else { Self { forms, ..self.clone() } }
    }
}

/// One step from a value to what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'p> {
    /// To the value of a key.
    Key(&'p str),
    /// To an item of a list.
    Item,
}

/// Completes a document: what is not written and has a default gets it, and keys without a value go.
pub fn complete(shape: &Shape<'_>, value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|_, value| !value.is_null());
            let whole = Value::Object(std::mem::take(entries));
            let shape = shape.narrowed(&whole);
            let Value::Object(mut filled) = whole else { return };
            for key in shape.keys() {
                if let (None, Some(default)) = (filled.get(key.name), key.shape.default()) {
                    filled.insert(key.name.to_owned(), default.clone());
                }
            }
            for (key, value) in &mut filled {
                if let Some(shape) = shape.key(key) {
                    complete(&shape, value);
                }
            }
            *entries = filled;
        }
        Value::Array(items) => {
            if let Some(shape) = shape.item() {
                items.iter_mut().for_each(|item| complete(&shape, item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// References that may follow each other; generated schemas have two.
const MOST_REFERENCES: usize = 16;

fn expand<'s>(root: &'s Value, schema: &'s Value, depth: usize, forms: &mut Vec<&'s Value>) {
    if depth > MOST_REFERENCES || schema.get("type").and_then(Value::as_str) == Some("null") {
        return;
    }
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    if let Some(target) = target.and_then(|pointer| root.pointer(pointer)) {
        expand(root, target, depth + 1, forms);
    }
    let choices = ["anyOf", "oneOf", "allOf"].iter().filter_map(|choice| schema.get(*choice)?.as_array());
    let before = forms.len();
    choices.flatten().for_each(|choice| expand(root, choice, depth + 1, forms));
    let plain = target.is_none() && forms.len() == before;
    if plain || schema.get("properties").is_some() {
        forms.push(schema);
    }
}

/// Tells whether a `type` is or has `kind`.
fn is(found: &Value, kind: &str) -> bool {
    found.as_str() == Some(kind) || found.as_array().is_some_and(|kinds| kinds.iter().any(|found| found == kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weft_model::IntentKind;

    use super::*;
    use crate::schema;

    #[test]
    fn a_place_has_keys_words_and_limits() {
        let schema = schema::of_kind(IntentKind::Fabric);
        let spec = Shape::of(&schema).key("spec").unwrap();
        let keys: Vec<(&str, bool)> = spec.keys().iter().map(|key| (key.name, key.required)).collect();
        assert_eq!(keys[..2], [("leaf", true), ("spine", true)]);
        let count = spec.find([Step::Key("border"), Step::Key("count")]).unwrap();
        assert_eq!(count.takes(), "number, 1 to 512");
        assert_eq!(spec.key("mtu").unwrap().default(), Some(&json!(9100)));
        assert!(spec.find([Step::Key("overrides"), Step::Item, Step::Key("node")]).unwrap().pattern().is_some());
        let schema = schema::of_kind(IntentKind::Segment);
        let gateway = Shape::of(&schema).find([Step::Key("spec"), Step::Key("gateway")]).unwrap();
        let words: Vec<&str> = gateway.words().iter().map(|word| word.word).collect();
        assert_eq!(words, ["first", "last"]);
        assert!(gateway.words()[0].description.is_some());
    }

    #[test]
    fn what_is_not_written_gets_its_default() {
        let schema = schema::of_kind(IntentKind::Reachability);
        let mut value =
            json!({ "spec": { "from": "segment/a", "to": "segment/b", "survive": {} }, "metadata": { "owner": null } });
        complete(&Shape::of(&schema), &mut value);
        assert_eq!(value["spec"]["min_paths"], 1);
        assert_eq!(value["spec"]["survive"]["links"], 0);
        assert_eq!(value["metadata"], json!({ "labels": {} }));
    }
}
