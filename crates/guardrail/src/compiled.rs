//! Rules that are ready to be asked.

use std::sync::Arc;

use weft_diagnostics::{Diagnostic, Severity, SourceSpan};
use weft_intent::Document;
use weft_model::{IntentKind, IntentRef};

use crate::{
    expression::{Expression, Mistake},
    message::Message,
    path::Path,
    policy::Subject,
};

/// The rules of all policies, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    pub(crate) rules: Vec<CompiledRule>,
}

impl Policies {
    /// Tells whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Tells whether there are rules about plans.
    pub fn has_plan_rules(&self) -> bool {
        self.rules.iter().any(|rule| rule.on == Subject::Plan)
    }
}

/// A rule that is ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct CompiledRule {
    /// `policy/rule`.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) place: RulePlace,
    pub(crate) on: Subject,
    pub(crate) kinds: Vec<IntentKind>,
    pub(crate) each: Option<Path>,
    pub(crate) assert: Expression,
    pub(crate) message: Option<Message>,
    pub(crate) help: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) at: Option<Path>,
    /// The intents that need not keep it, in the order in which they are written.
    pub(crate) except: Vec<IntentRef>,
}

/// Where a rule stands.
#[derive(Debug, Clone)]
pub(crate) struct RulePlace {
    pub(crate) document: Arc<Document>,
    /// The JSON pointer of the rule.
    pub(crate) pointer: String,
}

impl RulePlace {
    /// Returns the place of a value of the rule.
    pub(crate) fn span(&self, below: &str) -> SourceSpan {
        self.document.setting_span(&format!("{}/{below}", self.pointer))
    }

    /// Returns the finding about an expression of the rule.
    pub(crate) fn mistake(&self, below: &str, mistake: Mistake, written: &str) -> Diagnostic {
        let mut span = self.span(below);
        // Within the expression where it stands on one line as it is, or within quotes.
        let length = u32::try_from(written.chars().count()).unwrap_or(u32::MAX);
        if let Some(at) = mistake.at.filter(|_| span.line == span.end_line) {
            let quote = match (span.end_column - span.column).checked_sub(length) {
                Some(0) => Some(0),
                Some(2) => Some(1),
                _ => None,
            };
            if let Some(quote) = quote {
                let column = span.column + quote + at.min(length);
                span = SourceSpan::point(span.file, span.line, column);
            }
        }
        Diagnostic::error(mistake.code, mistake.message).at(span).help(mistake.help)
    }
}
