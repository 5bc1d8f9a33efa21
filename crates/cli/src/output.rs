//! Where output goes: results to standard output, progress and findings to standard error.

use std::io::{IsTerminal, Write};

use weft_diagnostics::{Diagnostic, SourceMap, render};

use crate::args::{Color, Format, Global};

/// Prints results and progress as the global arguments ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// How results are printed.
    pub(crate) format: Format,
    colour: bool,
    /// How much is said: 0 is results only, 1 the usual, 2 and 3 more.
    pub(crate) verbosity: u8,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let colour = match global.color {
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org: set and not empty means no colours.
            Color::Auto => {
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        let verbosity = if global.quiet { 0 } else { 1 + global.verbose.min(2) };
        Self { format: global.format, colour, verbosity }
    }

    /// Tells whether results are printed in colour.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// Prints a result.
    pub(crate) fn result(&self, text: impl AsRef<str>) {
        let mut out = std::io::stdout().lock();
        let text = text.as_ref();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        // A reader that has gone away, such as `head`, is not a failure of ours.
        let _ = write!(out, "{text}{end}").and_then(|()| out.flush());
    }

    /// Says what is going on, unless that is not wanted.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if self.verbosity > 0 {
            let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
        }
    }

    /// Says why the command ends.
    pub(crate) fn error(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "error: {text}");
    }

    /// Prints findings: as the result where it is JSON, else with their source lines, and how many they are.
    pub(crate) fn findings(&self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        if self.format == Format::Json {
            self.result(render::json(diagnostics));
        } else {
            self.complain(diagnostics, sources);
        }
    }

    /// Prints findings beside a result, with their source lines.
    pub(crate) fn complain(&self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        if !diagnostics.is_empty() {
            let text = render::text(diagnostics, sources, self.colour);
            let _ = write!(std::io::stderr().lock(), "{text}");
        }
    }
}
