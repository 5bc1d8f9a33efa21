//! Renders the commands of a step.

use std::collections::BTreeMap;

use minijinja::{Environment, value::Value};
use weft_model::PackName;

use crate::{Pack, environment, manifest::Command};

/// The variables of a command by name, see `manifest::Transaction`, `manifest::CollectorName` and `manifest::Probes`.
pub type Variables = BTreeMap<String, String>;

/// A command, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedCommand {
    /// The command line.
    pub run: String,
    /// What follows on standard input, or as further lines. It may hold a configuration with its secrets.
    pub input: Option<String>,
}

/// The input is left out: it may hold secrets.
impl std::fmt::Debug for RenderedCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenderedCommand").field("run", &self.run).finish_non_exhaustive()
    }
}

/// Why a pack could not be used on what a device said or on what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A command could not be rendered.
    #[error("pack `{pack}`, command `{command}`: {reason}")]
    Command {
        /// The pack.
        pack: PackName,
        /// The command's template.
        command: String,
        /// Why.
        reason: String,
    },
    /// The pack has no collector of that name.
    #[error("pack `{pack}` cannot read {part}")]
    NoCollector {
        /// The pack.
        pack: PackName,
        /// The part of the state.
        part: &'static str,
    },
    /// A parser does not understand the output.
    #[error("pack `{pack}`, parser `{parser}`{place}: {reason}")]
    Parser {
        /// The pack.
        pack: PackName,
        /// The parser.
        parser: String,
        /// Where: ` line N` of the parser, or ` at PATH` of what it made; may be empty.
        place: String,
        /// Why.
        reason: String,
    },
}

/// The variables that a command may use.
pub(crate) const VARIABLES: &[&str] = &[
    "transaction",
    "device",
    "seconds",
    "file",
    "text",
    "files",
    "neighbor",
    "interface",
    "source",
    "destination",
    "count",
];

impl Pack {
    /// Renders a command of the manifest.
    ///
    /// In `run` a value is one plain word: anything that a shell could read as more is an error. In `input` values stand as
    /// they are, and `files["NAME"]` is the text of `files/NAME` of the pack.
    ///
    /// # Errors
    ///
    /// When a variable is missing, or a value may not stand in a command line.
    pub fn command(&self, command: &Command, variables: &Variables) -> Result<RenderedCommand, PackError> {
        let mut context: BTreeMap<&str, Value> =
            variables.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))).collect();
        context.insert("files", self.files.clone());
        let context = Value::from_pairs(context);
        let render = |environment: &Environment<'_>, template: &str| {
            environment.render_str(template, context.clone()).map_err(|error| PackError::Command {
                pack: self.name().clone(),
                command: command.run.clone(),
                reason: environment::reason(&error),
            })
        };
        Ok(RenderedCommand {
            run: render(&self.command, &command.run)?,
            input: command.input.as_deref().map(|input| render(&self.input, input)).transpose()?,
        })
    }
}
