//! `weft report`: the report of a run in one of its forms.

use std::{fs, path::Path};

use anyhow::Context;
use weft_pipeline::{
    report::{Format as ReportFormat, Report},
    run::RunStore,
};

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Format, Global},
    failure::Failure,
    output::Output,
};

pub(crate) fn run(global: &Global, run: &str, out: Option<&Path>, output: &Output) -> Result<Exit, Failure> {
    let (directory, record) = RunStore::of_project(&global.directory).load(run).map_err(Failure::of_input)?;
    let report = Report::load(&directory, &record)?;
    let text = report.render(format(output.format), output.colour() && out.is_none())?;
    match out {
        Some(out) => fs::write(out, text).with_context(|| format!("write {}", out.display()))?,
        None => output.result(text),
    }
    Ok(Exit::Success)
}

/// Returns the form of a report that a form of output names.
pub(crate) fn format(format: Format) -> ReportFormat {
    match format {
        // SARIF is of findings, and not offered where there are reports.
        Format::Text | Format::Sarif => ReportFormat::Text,
        Format::Json => ReportFormat::Json,
        Format::Junit => ReportFormat::Junit,
        Format::Markdown => ReportFormat::Markdown,
        Format::Html => ReportFormat::Html,
    }
}
