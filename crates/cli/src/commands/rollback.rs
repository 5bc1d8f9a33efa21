//! `weft rollback`: the devices of a run go back to what they ran before it, as a new run.

use std::{path::Path, sync::Arc};

use weft_diagnostics::has_errors;
use weft_pipeline::{
    ExitCode as Exit, RunOptions,
    recovery::{Undone, rollback},
    report::Report,
    run::{RunState, RunStore, Timestamp},
};

use crate::{
    args::{Format, Global, Reach, Revision, SecretPlaces},
    commands::{
        block_on, plan,
        recover::failure,
        report,
        run::{pipeline as read_pipeline, until_interrupted},
    },
    failure::Failure,
    output::Output,
    progress::Progress,
    workspace::{Workspace, user},
};

pub(crate) fn run(
    global: &Global,
    run: &str,
    only_plan: bool,
    (reach, places): (&Reach, &SecretPlaces),
    pipeline: Option<&Path>,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, &Revision { commit: None }, output)?;
    let undone = Undone::read(&global.directory, run).map_err(failure)?;
    let pipeline = pipeline.unwrap_or_else(|| undone.pipeline());
    let Some(pipeline) = read_pipeline(&mut workspace, pipeline) else { return Ok(Exit::Findings) };
    let (cancel, cancelled) = tokio::sync::watch::channel(false);
    let options = RunOptions {
        root: global.directory.clone(),
        inventory: reach.inventory.clone(),
        user: user(),
        locked: true,
        plan: None,
        secrets: Arc::new(workspace.secrets(places)?),
        clock: Timestamp::clock(),
        cancel: cancelled,
    };
    let way_back = block_on(undone.plan(&pipeline, &options))?.map_err(failure)?;
    match output.format {
        Format::Json if only_plan => output.result(way_back.plan.to_json()?),
        Format::Json => {}
        _ => output.result(plan::text(&way_back.plan, output)),
    }
    let refused = has_errors(&way_back.findings);
    if only_plan || refused {
        output.findings(&way_back.findings, &workspace.map);
        return Ok(if refused { Exit::Findings } else { Exit::Success });
    }
    let commit = way_back.commit().map(str::to_owned);
    let progress = Progress::new(output, &workspace.map);
    let record = until_interrupted(rollback(way_back, &options, &progress), &cancel, output)?.map_err(failure)?;
    let (directory, _) = RunStore::of_project(&global.directory).load(record.id.as_str())?;
    let text = Report::load(&directory, &record)?.render(report::format(output.format), output.colour())?;
    output.result(text);
    if record.state == RunState::Succeeded {
        output.say("the intents still say what went away: the next run brings it back");
        if let Some(commit) = &commit {
            output.say(format!("  unless you revert commit {}", commit.get(..10).unwrap_or(commit)));
        }
    }
    Ok(Exit::of(&record))
}
