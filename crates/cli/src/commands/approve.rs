//! `weft approve`: agrees to the plan of a run that waits for it.

use std::path::Path;

use weft_pipeline::{ExitCode as Exit, approval, radius, run::Timestamp};

use crate::{
    args::{Format, Global},
    commands::block_on,
    failure::Failure,
    output::Output,
};

pub(crate) fn run(global: &Global, run: &str, key: Option<&Path>, output: &Output) -> Result<Exit, Failure> {
    let approved = block_on(approval::approve(&global.directory, run, key, Timestamp::now()))?;
    let (run, own, approvals, plan) = approved.map_err(Failure::of_input)?;
    if output.format == Format::Json {
        output.result(serde_json::to_string_pretty(&approvals)?);
        return Ok(Exit::Success);
    }
    let mut text = plan.summary();
    if let Some(touched) = &plan.radius {
        text.push_str(&radius::text(touched, output.colour()));
    }
    text.push_str(&format!("{} approves plan {} of run {run}\n", own.by, plan.digest));
    text.push_str(&match approvals.missing() {
        0 => {
            let command = approvals.command.clone().unwrap_or_else(|| format!("weft apply {run}"));
            format!("enough have approved it: `{command}` carries it out\n")
        }
        missing => format!("{missing} more must approve it\n"),
    });
    output.result(text);
    Ok(Exit::Success)
}
