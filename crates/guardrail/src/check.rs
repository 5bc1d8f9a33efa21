//! Asks the rules.

use std::collections::BTreeMap;

use cel::{Context, Value};
use serde_json::Value as Json;
use weft_diagnostics::{Diagnostic, Severity, SourceSpan};
use weft_intent::{IntentSet, Written, shape};
use weft_model::IntentRef;

use crate::{
    Policies, codes,
    compiled::CompiledRule,
    expression::{Evaluator, Mistake},
    load::schema_of,
    policy::Subject,
    value::from_json,
};

impl Policies {
    /// Returns the intents of a set that break a rule, and the rules that cannot be answered for one, sorted by place.
    ///
    /// A value that is not written and has a default is asked with its default.
    pub fn check_intents(&self, set: &IntentSet) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut whole = Whole::default();
        for rule in self.rules.iter().filter(|rule| rule.on == Subject::Intents) {
            rule.ask_intents(set, &mut whole, &mut findings);
        }
        findings.sort();
        findings
    }

    /// Returns the rules that a plan breaks, and those that cannot be answered for it, sorted by place.
    ///
    /// `plan` is what the rules see as `plan`.
    pub fn check_plan(&self, plan: &Json) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.on == Subject::Plan) {
            rule.ask_plan(plan, &mut findings);
        }
        findings.sort();
        findings
    }
}

/// The intents with their defaults, each made when it is first asked for.
#[derive(Default)]
struct Whole(BTreeMap<IntentRef, Json>);

impl Whole {
    fn of(&mut self, reference: &IntentRef, written: &Written) -> &Json {
        self.0.entry(reference.clone()).or_insert_with(|| {
            let mut value = written.value.clone();
            shape::complete(&shape::Shape::of(schema_of(reference.kind)), &mut value);
            value
        })
    }
}

/// What became of asking a rule once.
enum Answer {
    Kept,
    /// With the message and the index of the item.
    Broken(String, Option<usize>),
    Failed(Mistake),
}

impl CompiledRule {
    fn ask_intents(&self, set: &IntentSet, whole: &mut Whole, findings: &mut Vec<Diagnostic>) {
        let evaluator = Evaluator::new();
        let mut needed = vec![false; self.except.len()];
        // The first intent that the rule cannot be answered for, and how many there are.
        let mut failed: Option<(Mistake, SourceSpan, usize)> = None;
        for (reference, written) in set.written.iter().filter(|(reference, _)| self.kinds.contains(&reference.kind)) {
            let value = whole.of(reference, written);
            let mut context = evaluator.context();
            for variable in ["kind", "metadata", "spec"].into_iter().filter(|variable| self.reads(variable)) {
                context.add_variable_from_value(variable, from_json(value.get(variable).unwrap_or(&Json::Null)));
            }
            let exception = self.except.iter().position(|except| except == reference);
            let mut was_broken = false;
            for answer in self.answers(value, &evaluator, &context) {
                match (answer, exception) {
                    (Answer::Kept, _) => {}
                    (Answer::Broken(..), Some(exception)) => needed[exception] = true,
                    (Answer::Broken(message, item), None) => {
                        was_broken = true;
                        findings.push(self.broken(message, self.span(written, item)));
                    }
                    (Answer::Failed(mistake), _) => {
                        match &mut failed {
                            Some((.., count)) => *count += 1,
                            None => failed = Some((mistake, written.document.span("/metadata/name"), 1)),
                        }
                        // It is not known whether the exception is needed.
                        exception.into_iter().for_each(|exception| needed[exception] = true);
                        break;
                    }
                }
            }
            debug_assert!(!was_broken || exception.is_none());
        }
        if let Some((mistake, intent, count)) = failed {
            findings.push(self.failed(mistake, Some((intent, count))));
        }
        self.exceptions(set, &needed, findings);
    }

    fn ask_plan(&self, plan: &Json, findings: &mut Vec<Diagnostic>) {
        let evaluator = Evaluator::new();
        let mut context = evaluator.context();
        context.add_variable_from_value("plan", from_json(plan));
        let value = serde_json::json!({ "plan": plan });
        for answer in self.answers(&value, &evaluator, &context) {
            match answer {
                Answer::Kept => {}
                Answer::Broken(message, _) => {
                    let finding = self.finding(message).at(self.place.span("assert"));
                    findings
                        .push(finding.help(self.help.clone().unwrap_or_else(|| "make the change smaller".to_owned())));
                }
                Answer::Failed(mistake) => {
                    findings.push(self.failed(mistake, None));
                    break;
                }
            }
        }
    }

    /// Tells whether any expression of the rule reads a variable.
    fn reads(&self, variable: &str) -> bool {
        let messages = self.message.iter().flat_map(|message| message.expressions());
        std::iter::once(&self.assert).chain(messages).any(|expression| expression.reads(variable))
    }

    /// Asks the rule, once or for each item.
    fn answers(&self, value: &Json, evaluator: &Evaluator, context: &Context<'_, '_>) -> Vec<Answer> {
        let Some(each) = &self.each else { return vec![self.answer(evaluator, context, None)] };
        let items = value.pointer(&each.pointer()).and_then(Json::as_array);
        let mut answers = Vec::new();
        for (index, item) in items.into_iter().flatten().enumerate() {
            let mut inner = context.new_inner_scope();
            inner.add_variable_from_value("item", from_json(item));
            inner.add_variable_from_value("index", Value::Int(i64::try_from(index).unwrap_or(i64::MAX)));
            answers.push(self.answer(evaluator, &inner, Some(index)));
            if matches!(answers.last(), Some(Answer::Failed(_))) {
                break;
            }
        }
        answers
    }

    fn answer(&self, evaluator: &Evaluator, context: &Context<'_, '_>, item: Option<usize>) -> Answer {
        match evaluator.evaluate(&self.assert, context) {
            Ok(Value::Bool(true)) => Answer::Kept,
            Ok(Value::Bool(false)) => match self.message.as_ref().map(|message| message.fill(evaluator, context)) {
                None => Answer::Broken(format!("`{}` does not hold", crate::value::one_line(&self.assert.text)), item),
                Some(Ok(message)) => Answer::Broken(message, item),
                Some(Err(mistake)) => Answer::Failed(mistake),
            },
            Ok(other) => Answer::Failed(Mistake {
                code: codes::NOT_YES_OR_NO,
                message: format!("it is of type {}", other.type_of()),
                help: "compare it with something: `true` keeps the rule, `false` breaks it".to_owned(),
                at: None,
            }),
            Err(mistake) => Answer::Failed(mistake),
        }
    }

    fn finding(&self, message: String) -> Diagnostic {
        match self.severity {
            Severity::Warning => Diagnostic::warning(codes::RULE_BROKEN, message),
            Severity::Error | Severity::Note => Diagnostic::error(codes::RULE_BROKEN, message),
        }
    }

    fn broken(&self, message: String, span: SourceSpan) -> Diagnostic {
        let help = self.help.clone().unwrap_or_else(|| "change it, or write an exception into the rule".to_owned());
        self.finding(message).at(span).label(self.place.span("name"), format!("the rule `{}`", self.name)).help(help)
    }

    fn failed(&self, mistake: Mistake, intent: Option<(SourceSpan, usize)>) -> Diagnostic {
        let Mistake { code, message, help, at: _ } = mistake;
        let message = format!("the rule `{}` cannot be answered: {message}", self.name);
        let finding = Diagnostic::error(code, message).at(self.place.span("assert")).help(help);
        match intent {
            None => finding,
            Some((span, 1)) => finding.label(span, "for this intent"),
            Some((span, count)) => finding.label(span, format!("for this intent, and {} more", count - 1)),
        }
    }

    /// Returns the value of an intent that a finding points at.
    fn span(&self, written: &Written, item: Option<usize>) -> SourceSpan {
        let item = match (&self.each, item) {
            (Some(each), Some(index)) => Some(format!("{}/{index}", each.pointer())),
            _ => None,
        };
        match (&self.at, item) {
            (Some(at), Some(item)) if at.root() == "item" => {
                written.document.setting_span(&format!("{item}{}", at.below().pointer()))
            }
            (Some(at), _) => written.document.setting_span(&at.pointer()),
            (None, Some(item)) => written.document.span(&item),
            (None, None) => written.document.span("/metadata/name"),
        }
    }

    /// Reports exceptions for what is not there, and those that are not needed.
    fn exceptions(&self, set: &IntentSet, needed: &[bool], findings: &mut Vec<Diagnostic>) {
        for (index, (reference, needed)) in self.except.iter().zip(needed).enumerate() {
            let span = self.place.span(&format!("except/{index}/intent"));
            if !self.kinds.contains(&reference.kind) {
                let message = format!("the rule `{}` is not about `{reference}`", self.name);
                let help = "remove the exception, or add the kind to `kinds`";
                findings.push(Diagnostic::error(codes::UNKNOWN_EXCEPTION, message).at(span).help(help));
            } else if !set.written.contains_key(reference) {
                // It may be one of those with mistakes.
                if !set.lacks(reference.kind) {
                    let message = format!("there is no intent `{reference}`");
                    let names: Vec<String> = set
                        .written
                        .keys()
                        .filter(|known| known.kind == reference.kind)
                        .map(ToString::to_string)
                        .collect();
                    let written = reference.to_string();
                    let names = names.iter().map(String::as_str);
                    let near = weft_intent::suggest::Suggester::default().nearest(&written, names).map(str::to_owned);
                    let help = near
                        .map_or_else(|| "remove the exception".to_owned(), |near| format!("did you mean `{near}`?"));
                    findings.push(Diagnostic::error(codes::UNKNOWN_EXCEPTION, message).at(span).help(help));
                }
            } else if !needed {
                let message = format!("`{reference}` keeps the rule `{}` without the exception", self.name);
                let help = "remove the exception, so that it keeps the rule from now on";
                findings.push(Diagnostic::warning(codes::NEEDLESS_EXCEPTION, message).at(span).help(help));
            }
        }
    }
}
