//! `weft runs`: what was run, and what came of it.

use weft_pipeline::{
    report::{Format as ReportFormat, Report},
    run::{DeviceResult, RunRecord, RunState, RunStore},
};

use weft_pipeline::ExitCode as Exit;

use crate::{
    args::{Format, Global},
    failure::Failure,
    output::Output,
};

pub(crate) fn run(global: &Global, run: Option<&str>, output: &Output) -> Result<Exit, Failure> {
    let store = RunStore::of_project(&global.directory);
    if let Some(run) = run {
        let (directory, record) = store.load(run).map_err(Failure::of_input)?;
        if output.format == Format::Json {
            output.result(serde_json::to_string_pretty(&record)?);
        } else {
            output.result(Report::load(&directory, &record)?.render(ReportFormat::Text, output.colour())?);
            output.say(format!("artifacts: {}", directory.path().display()));
            say_cut_off(&record, output);
        }
        return Ok(Exit::Success);
    }
    let runs = store.list()?;
    if output.format == Format::Json {
        output.result(serde_json::to_string_pretty(&runs)?);
    } else if runs.is_empty() {
        output.say("no runs yet");
    } else {
        let mut text = String::new();
        for run in &runs {
            let commit = run.commit.as_deref().map_or("-", |commit| commit.get(..10).unwrap_or(commit));
            let changed = run.devices.values().filter(|device| device.result == DeviceResult::Changed).count();
            // What a run that was cut off changed is known by its devices only.
            let changed = if run.state == RunState::Interrupted { "?".to_owned() } else { changed.to_string() };
            text += &format!(
                "{:<24} {:<12} {:<16} {commit:<10} {changed} devices changed\n",
                run.id.as_str(),
                run.state,
                run.pipeline
            );
        }
        output.result(text);
        for run in &runs {
            say_cut_off(run, output);
        }
    }
    Ok(Exit::Success)
}

/// Says what can be done about a run whose process has gone.
fn say_cut_off(run: &RunRecord, output: &Output) {
    if run.state == RunState::Interrupted {
        output.say(format!("run {} was cut off:", run.id));
        output.say(format!("  `weft resume {}` carries it on,", run.id));
        output.say(format!("  `weft abort {}` puts its devices back", run.id));
    }
}
