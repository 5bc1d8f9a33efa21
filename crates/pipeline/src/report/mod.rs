//! Reports: what a run did and what came of it, for terminals, programs, test viewers, pull requests and browsers.
//!
//! A [`Report`] is put together from the record of a run and its artifacts; each format is a function of it alone, so the
//! same run gives the same report, byte by byte.

mod data;
mod html;
mod junit;
mod markdown;
mod network;
mod text;
mod topology;

pub use data::{DeviceReport, EvidenceReport, FileReport, IntentReport, Report, RunReport, Standing, Totals};
pub(crate) use markdown::{Bounded, cell, code, folded};
pub use network::{
    CauseReport, DriftIs, DriftReport, FailureReport, LineReport, RouteReport, RoutesReport, SessionReport,
    SessionsReport, SourceReport, own_words,
};
pub(crate) use network::{by_reason, named, own_failure};
pub use text::{WIDTH, wrap};

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The formats of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For a terminal, 80 columns wide.
    Text,
    /// For programs; `schemas/report.schema.json` describes it.
    Json,
    /// JUnit XML, for the test viewers of CI systems.
    Junit,
    /// Markdown, fit for a comment on a pull request.
    Markdown,
    /// One self-contained file for a browser.
    Html,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Text, Self::Json, Self::Junit, Self::Markdown, Self::Html];

    /// Returns the format as it is written, such as `markdown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// Returns the name of the file that a run keeps the report in, such as `report.md`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Text => "report.txt",
            Self::Json => "report.json",
            Self::Junit => "report.xml",
            Self::Markdown => "report.md",
            Self::Html => "report.html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a report format: write text, json, junit, markdown or html", .0.escape_debug())]
pub struct InvalidFormat(String);

impl FromStr for Format {
    type Err = InvalidFormat;

    fn from_str(text: &str) -> Result<Self, InvalidFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| InvalidFormat(text.to_owned()))
    }
}

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A run's record or artifact cannot be read.
    #[error(transparent)]
    Store(#[from] crate::run::StoreError),
    /// The page cannot be rendered.
    #[error("render the HTML report")]
    Html(#[from] minijinja::Error),
    /// The JUnit file cannot be rendered.
    #[error("render the JUnit report")]
    Junit(#[from] quick_junit::SerializeError),
    /// The JSON cannot be rendered.
    #[error("render the JSON report")]
    Json(#[from] serde_json::Error),
}

impl Report {
    /// Returns the report in `format`, ending in a line break; `colour` adds ANSI colours to text.
    ///
    /// # Errors
    /// Fails when the format cannot be rendered, which is a mistake in Weft.
    pub fn render(&self, format: Format, colour: bool) -> Result<String, ReportError> {
        Ok(match format {
            Format::Text => text::render(self, colour),
            Format::Json => serde_json::to_string_pretty(self)? + "\n",
            Format::Junit => junit::render(self)?,
            Format::Markdown => markdown::render(self),
            Format::Html => html::render(self)?,
        })
    }
}

/// Returns `text` without control characters, so that what a device said cannot move a terminal's cursor: each becomes its
/// escaped form; line breaks become spaces.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\n' | '\t' => vec![' '],
            c if c.is_control() => c.escape_default().collect(),
            c => vec![c],
        })
        .collect()
}

/// Returns a duration for people, such as `0.4 s` or `2 min 05 s`.
fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Returns `1 device` or `3 devices`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
