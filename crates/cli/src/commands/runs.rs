//! `weft runs`: what was run, and what came of it.

use std::{collections::BTreeMap, path::Path};

use weft_pipeline::{
    ExitCode as Exit,
    report::{Format as ReportFormat, Report, own_words},
    run::{DeviceResult, RunRecord, RunState, RunStore},
};
use weft_push::{Journal, JournalLine, JournalTurn, Moment, Turn};

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
            if record.state == RunState::Interrupted {
                say_journal(&directory.path().join("journal.jsonl"), output);
            }
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

/// Says what the journal of a run that was cut off tells of each device. What happened since, the devices know.
fn say_journal(journal: &Path, output: &Output) {
    // It had not begun to push, or a person has to look at it.
    let Ok(lines) = Journal::lines(journal) else { return };
    let (mut devices, mut wave) = (BTreeMap::new(), None);
    for line in &lines {
        match line {
            JournalLine::Device(entry) => drop(devices.insert(&entry.device, entry)),
            JournalLine::Wave(turn) => wave = Some(turn),
        }
    }
    output.say("by its journal, when it was cut off:");
    if let Some(JournalTurn { wave, turn, .. }) = wave {
        let turned = match turn {
            Turn::Begins => "had begun",
            Turn::GoesOn => "was well, its devices were being confirmed",
            Turn::GoesBack => "was going back",
        };
        output.say(format!("  {wave} {turned}"));
    }
    for (device, entry) in devices {
        let what = match &entry.moment {
            Moment::Before => format!("was at {}", entry.step),
            Moment::Done => format!("had done {}", entry.step),
            Moment::TakenOver { from } => format!("had its lock taken over from {from}"),
            Moment::Failed { reason } => {
                format!("had failed at {}: {}", entry.step, own_words(device.as_str(), reason))
            }
        };
        output.say(format!("  {device} {what}"));
    }
}

/// Says what can be done about a run whose process has gone.
fn say_cut_off(run: &RunRecord, output: &Output) {
    if run.state == RunState::Interrupted {
        output.say(format!("run {} was cut off:", run.id));
        output.say(format!("  `weft resume {}` carries it on,", run.id));
        output.say(format!("  `weft abort {}` puts its devices back", run.id));
    }
}
