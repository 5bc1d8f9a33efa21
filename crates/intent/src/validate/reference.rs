//! References from one intent to another.

use weft_diagnostics::Diagnostic;
use weft_model::{IntentKind, IntentRef};

use super::Validation;
use crate::{Document, codes, suggest::list};

/// Tells whether a reference is to an intent of the wanted kind that is there, or reports why not.
pub(super) fn check(
    validation: &mut Validation<'_>,
    reference: &IntentRef,
    wanted: IntentKind,
    document: &Document,
    pointer: &str,
) -> bool {
    let set = validation.set;
    let name = reference.name.as_str();
    let kind = wanted.as_str();
    let known = set.document(reference).is_some();
    if reference.kind != wanted {
        let mut right = reference.clone();
        right.kind = wanted;
        let message = if known {
            format!("`{reference}` is there, and a {kind} is wanted")
        } else {
            format!("`{reference}` is no {kind}")
        };
        let help = if set.document(&right).is_some() {
            format!("did you mean `{right}`?")
        } else {
            help(validation, wanted, name, known)
        };
        validation.report(Diagnostic::error(codes::WRONG_END, message).at(document.span(pointer)).help(help));
        return false;
    }
    if !known && validation.has_all(wanted) {
        let message = format!("there is no {kind} `{name}`");
        let help = help(validation, wanted, name, false);
        validation.report(Diagnostic::error(codes::UNKNOWN_REFERENCE, message).at(document.span(pointer)).help(help));
    }
    known
}

/// Returns the nearest intent of the wanted kind; else one of another kind that has the name; else those there are.
fn help(validation: &Validation<'_>, wanted: IntentKind, name: &str, known: bool) -> String {
    let names: Vec<&str> = of_kind(validation, wanted);
    let all = || validation.set.all().map(|(reference, ..)| reference);
    if validation.suggester.nearest(name, names.iter().copied()).is_none() && !known {
        let same: Vec<String> = all().filter(|other| other.name.as_str() == name).map(ToString::to_string).collect();
        if !same.is_empty() {
            return format!("there is {}, but a {} is wanted", list(&same), wanted.as_str());
        }
    }
    validation
        .suggester
        .help(name, names.iter().copied(), &format!("intents of the kind {}", wanted.title()))
        .unwrap_or_default()
}

fn of_kind<'a>(validation: &Validation<'a>, kind: IntentKind) -> Vec<&'a str> {
    let all = validation.set.all().map(|(reference, ..)| reference);
    all.filter(|reference| reference.kind == kind).map(|reference| reference.name.as_str()).collect()
}
