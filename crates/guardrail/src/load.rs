//! Reads policies and compiles their rules.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::Value;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_intent::{
    Document, SourceFile,
    document::{self, Reader},
    schema,
    shape::{Shape, Step},
    suggest::Suggester,
};
use weft_model::IntentKind;

use crate::{
    Policies, codes,
    compiled::{CompiledRule, RulePlace},
    expression::Expression,
    message::Message,
    path::Path,
    policy::{PolicyDocument, Rule, Subject},
};

/// Reads the policies of some files, and returns their rules with what is wrong in the texts, sorted by place.
///
/// A rule with a mistake is left out.
pub fn load(files: &[SourceFile]) -> (Policies, Vec<Diagnostic>) {
    let mut loader = Loader { policies: Policies::default(), findings: Vec::new(), names: BTreeMap::new() };
    let mut reader: Option<Reader<PolicyDocument>> = None;
    for file in files {
        let (documents, findings) = document::parse(file);
        loader.findings.extend(findings);
        for (document, value) in documents {
            let reader = reader.get_or_insert_default();
            let (policy, findings) = reader.read(&document, &value);
            loader.findings.extend(findings);
            if let Some(policy) = policy {
                loader.policy(&Arc::new(document), policy);
            }
        }
    }
    loader.findings.sort();
    (loader.policies, loader.findings)
}

/// The schema of each kind of intent, made once: they are as constant as the types.
static SCHEMAS: LazyLock<BTreeMap<IntentKind, Value>> =
    LazyLock::new(|| IntentKind::ALL.into_iter().map(|kind| (kind, schema::of_kind(kind))).collect());

/// Returns the schema of a kind of intent.
pub(crate) fn schema_of(kind: IntentKind) -> &'static Value {
    SCHEMAS.get(&kind).unwrap_or(&Value::Null)
}

struct Loader {
    policies: Policies,
    findings: Vec<Diagnostic>,
    /// Where each policy, and each rule as `policy/rule`, is named.
    names: BTreeMap<String, SourceSpan>,
}

impl Loader {
    fn policy(&mut self, document: &Arc<Document>, policy: PolicyDocument) {
        self.named("policies", policy.metadata.name.as_str(), document.span("/metadata/name"));
        for (index, rule) in policy.spec.rules.into_iter().enumerate() {
            let place = RulePlace { document: document.clone(), pointer: format!("/spec/rules/{index}") };
            let name = format!("{}/{}", policy.metadata.name, rule.name);
            let before = self.findings.len();
            self.named("rules", &name, place.span("name"));
            let compiled = self.rule(name, place, rule);
            // A rule with mistakes would only repeat them when it is asked.
            self.policies.rules.extend(compiled.filter(|_| self.findings.len() == before));
        }
    }

    fn named(&mut self, what: &str, name: &str, span: SourceSpan) {
        match self.names.get(name) {
            Some(first) => {
                let finding = Diagnostic::error(codes::RULE_TWICE, format!("there are two {what} `{name}`")).at(span);
                self.findings
                    .push(finding.label(first.clone(), "the first one is here").help("give one of them another name"));
            }
            None => {
                self.names.insert(name.to_owned(), span);
            }
        }
    }

    fn rule(&mut self, name: String, place: RulePlace, rule: Rule) -> Option<CompiledRule> {
        let Rule { name: _, on, kinds, each, assert, message, help, severity, at, except } = rule;
        if on == Subject::Plan {
            let given = [("kinds", !kinds.is_empty()), ("at", at.is_some()), ("except", !except.is_empty())]
                .into_iter()
                .filter(|(_, given)| *given);
            for (key, _) in given {
                let message = format!("`{key}` has no effect in a rule about the plan");
                self.findings.push(
                    Diagnostic::error(codes::NO_EFFECT, message)
                        .at(place.document.key_span(&format!("{}/{key}", place.pointer)))
                        .help("remove it, or remove `on: plan`"),
                );
            }
        }
        let explicit = !kinds.is_empty();
        let kinds: Vec<IntentKind> =
            if explicit { kinds.into_iter().map(|kind| kind.0).collect() } else { IntentKind::ALL.to_vec() };
        let shapes: Vec<(IntentKind, Shape<'_>)> = match on {
            Subject::Intents => kinds.iter().map(|kind| (*kind, Shape::of(schema_of(*kind)))).collect(),
            Subject::Plan => Vec::new(),
        };

        let each = each.map(|text| self.each(&place, on, &shapes, &text)).transpose().ok()?;
        let at = at.filter(|_| on == Subject::Intents);
        let at = at.map(|text| self.at(&place, each.as_ref(), &shapes, &text)).transpose().ok()?;

        let mut variables = match on {
            Subject::Intents => vec!["kind", "metadata", "spec"],
            Subject::Plan => vec!["plan"],
        };
        if each.is_some() {
            variables.extend(["item", "index"]);
        }
        let assert = self.expression(&place, "assert", &assert, || Expression::parse(&assert, &variables));
        let message = message
            .map(|text| self.expression(&place, "message", &text, || Message::parse(&text, &variables)))
            .transpose_ok();
        let (assert, message) = (assert?, message?);
        if on == Subject::Intents {
            self.keys(&place, "assert", std::slice::from_ref(&assert), each.as_ref(), &shapes);
            let filled: Vec<Expression> = message.iter().flat_map(Message::expressions).cloned().collect();
            self.keys(&place, "message", &filled, each.as_ref(), &shapes);
        }
        let except = except.into_iter().map(|exception| exception.intent).collect();
        let severity = severity.into();
        Some(CompiledRule { name, place, on, kinds, each, assert, message, help, severity, at, except })
    }

    fn expression<T>(
        &mut self,
        place: &RulePlace,
        below: &str,
        written: &str,
        parse: impl FnOnce() -> Result<T, crate::expression::Mistake>,
    ) -> Option<T> {
        match parse() {
            Ok(parsed) => Some(parsed),
            Err(mistake) => {
                self.findings.push(place.mistake(below, mistake, written));
                None
            }
        }
    }

    /// Reads the path of a list.
    fn each(
        &mut self,
        place: &RulePlace,
        on: Subject,
        shapes: &[(IntentKind, Shape<'_>)],
        text: &str,
    ) -> Result<Path, ()> {
        let roots: &[&str] = match on {
            Subject::Intents => &["metadata", "spec"],
            Subject::Plan => &["plan"],
        };
        let path = self.path(place, "each", text, roots)?;
        if on == Subject::Intents
            && !shapes.iter().any(|(_, shape)| shape.find(path.steps()).is_some_and(|at| at.is_list()))
        {
            return self.nowhere(place, "each", &format!("{} no list `{text}`", have(shapes)));
        }
        Ok(path)
    }

    /// Reads the path of a value.
    fn at(
        &mut self,
        place: &RulePlace,
        each: Option<&Path>,
        shapes: &[(IntentKind, Shape<'_>)],
        text: &str,
    ) -> Result<Path, ()> {
        let roots: &[&str] =
            if each.is_some() { &["item", "kind", "metadata", "spec"] } else { &["kind", "metadata", "spec"] };
        let path = self.path(place, "at", text, roots)?;
        let steps = whole(&path, each);
        if !shapes.iter().any(|(_, shape)| shape.find(steps.iter().copied()).is_some()) {
            return self.nowhere(place, "at", &format!("{} no `{text}`", have(shapes)));
        }
        Ok(path)
    }

    fn path(&mut self, place: &RulePlace, below: &str, text: &str, roots: &[&str]) -> Result<Path, ()> {
        let path = Path::parse(text).filter(|path| roots.contains(&path.root()));
        match path {
            Some(path) => Ok(path),
            None => {
                let roots = weft_intent::suggest::list(roots);
                let shown: String = text.chars().take(60).collect();
                self.nowhere(place, below, &format!("`{}` is not a path of keys from {roots}", shown.escape_debug()))
            }
        }
    }

    fn nowhere<T>(&mut self, place: &RulePlace, below: &str, message: &str) -> Result<T, ()> {
        let help = "write the keys with dots between them, such as `spec.spine.count`";
        self.findings.push(Diagnostic::error(codes::BAD_PATH, message).at(place.span(below)).help(help));
        Err(())
    }

    /// Reports keys that none of the kinds has: `has()` would say no for ever.
    fn keys(
        &mut self,
        place: &RulePlace,
        below: &str,
        expressions: &[Expression],
        each: Option<&Path>,
        shapes: &[(IntentKind, Shape<'_>)],
    ) {
        for path in expressions.iter().flat_map(|expression| &expression.paths) {
            let Some(path) = Path::parse(&path.join(".")).filter(|path| !matches!(path.root(), "kind" | "index"))
            else {
                continue;
            };
            let steps = whole(&path, each);
            for length in 1..=steps.len() {
                let found = |steps: &[Step<'_>]| shapes.iter().find_map(|(_, shape)| shape.find(steps.iter().copied()));
                if found(&steps[..length]).is_some() {
                    continue;
                }
                let Some(Step::Key(key)) = steps[..length].last() else { break };
                let around: Vec<Shape<'_>> =
                    shapes.iter().filter_map(|(_, shape)| shape.find(steps[..length - 1].iter().copied())).collect();
                let known: Vec<&str> = around.iter().flat_map(|shape| shape.keys()).map(|key| key.name).collect();
                let help = Suggester::default().help(key, known.iter().copied(), "keys").unwrap_or_default();
                let message = format!("{} no key `{}` there", have(shapes), key.escape_debug());
                let finding = Diagnostic::error(codes::UNKNOWN_VARIABLE, message).at(place.span(below)).help(help);
                if !self.findings.contains(&finding) {
                    self.findings.push(finding);
                }
                break;
            }
        }
    }
}

/// Returns the steps of a path from the top of the document: `item` is an item of the list `each`.
fn whole<'p>(path: &'p Path, each: Option<&'p Path>) -> Vec<Step<'p>> {
    match each {
        Some(each) if path.root() == "item" => each.steps().chain([Step::Item]).chain(path.steps().skip(1)).collect(),
        _ => path.steps().collect(),
    }
}

/// Returns `a Fabric has`, or `none of the kinds has`.
fn have(shapes: &[(IntentKind, Shape<'_>)]) -> String {
    match shapes {
        [(kind, _)] => format!("a {} has", kind.title()),
        _ => "none of the kinds has".to_owned(),
    }
}

/// Turns what may be left out into what may be wrong.
trait TransposeOk<T> {
    /// Returns `None` where something was given and is wrong.
    fn transpose_ok(self) -> Option<Option<T>>;
}

impl<T> TransposeOk<T> for Option<Option<T>> {
    fn transpose_ok(self) -> Option<Option<T>> {
        match self {
            None => Some(None),
            Some(None) => None,
            Some(Some(value)) => Some(Some(value)),
        }
    }
}
