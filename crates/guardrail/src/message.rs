//! Messages of rules: text with expressions within `{{` and `}}`.

use cel::Context;

use crate::{
    codes,
    expression::{Evaluator, Expression, Mistake},
    value::{one_line, shown},
};

/// A message with places to fill in.
#[derive(Debug, Clone)]
pub(crate) struct Message(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Value(Expression),
}

impl Message {
    /// Reads a message whose expressions may use these variables.
    pub(crate) fn parse(text: &str, variables: &[&str]) -> Result<Self, Mistake> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((inner, after)) = behind.split_once("}}") else {
                return Err(Mistake {
                    code: codes::BAD_EXPRESSION,
                    message: "the message has `{{` without `}}`".to_owned(),
                    help: "close it: `{{spec.spine.count}}`".to_owned(),
                    at: None,
                });
            };
            parts.push(Part::Text(before.to_owned()));
            let expression =
                Expression::parse(inner.trim(), variables).map_err(|mistake| Mistake { at: None, ..mistake })?;
            parts.push(Part::Value(expression));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Returns the expressions.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Value(expression) => Some(expression),
        })
    }

    /// Fills a message in.
    pub(crate) fn fill(&self, evaluator: &Evaluator, context: &Context<'_, '_>) -> Result<String, Mistake> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Value(expression) => text.push_str(&shown(&evaluator.evaluate(expression, context)?)),
            }
        }
        Ok(one_line(&text))
    }
}
