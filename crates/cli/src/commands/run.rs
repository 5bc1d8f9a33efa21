//! `weft run`, and what `apply` and `verify` share with it: carries out a pipeline and prints the report.

use std::{path::Path, sync::Arc};

use weft_pipeline::{
    ExitCode as Exit, RunOptions,
    definition::{self, Pipeline},
    report::Report,
    run::{RunStore, Timestamp},
};
use weft_plan::Plan;

use crate::{
    args::{Global, Lock, Reach, Revision, SecretPlaces},
    commands::{block_on, report},
    failure::Failure,
    output::Output,
    progress::Progress,
    workspace::{Workspace, user},
};

pub(crate) fn run(
    global: &Global,
    pipeline: &Path,
    revision: &Revision,
    lock: &Lock,
    (reach, secrets): (&Reach, &SecretPlaces),
    output: &Output,
) -> Result<Exit, Failure> {
    let run = Run { pipeline, revision, reach, secrets, locked: lock.locked, plan: None };
    execute(global, &run, output, |pipeline| pipeline)
}

/// What a pipeline is carried out with.
pub(crate) struct Run<'a> {
    pub(crate) pipeline: &'a Path,
    pub(crate) revision: &'a Revision,
    pub(crate) reach: &'a Reach,
    pub(crate) secrets: &'a SecretPlaces,
    pub(crate) locked: bool,
    /// The plan that must be carried out.
    pub(crate) plan: Option<Plan>,
}

/// Carries out the pipeline that `chosen` makes of the one in the file, and prints the report of the run.
pub(crate) fn execute(
    global: &Global,
    run: &Run<'_>,
    output: &Output,
    chosen: impl FnOnce(Pipeline) -> Pipeline,
) -> Result<Exit, Failure> {
    let mut workspace = Workspace::read(global, run.revision, output)?;
    let Some(pipeline) = pipeline(&mut workspace, run.pipeline) else { return Ok(Exit::Findings) };
    let pipeline = chosen(pipeline);
    let (cancel, cancelled) = tokio::sync::watch::channel(false);
    let secrets = Arc::new(workspace.secrets(run.secrets)?);
    let options = RunOptions {
        root: global.directory.clone(),
        inventory: run.reach.inventory.clone(),
        user: user(),
        locked: run.locked,
        plan: run.plan.clone(),
        secrets,
        clock: Timestamp::clock(),
        cancel: cancelled,
    };
    let progress = Progress::new(output, &workspace.map);
    let findings = workspace.findings().to_vec();
    let work = weft_pipeline::run(&pipeline, &workspace.sources, findings, &options, &progress);
    let record = until_interrupted(work, &cancel, output)??;
    let (directory, _) = RunStore::of_project(&global.directory).load(record.id.as_str())?;
    let text = Report::load(&directory, &record)?.render(report::format(output.format), output.colour())?;
    output.result(text);
    Ok(Exit::of(&record))
}

/// Runs work to its end; after Ctrl-C it is told to end by putting back what is not confirmed.
pub(crate) fn until_interrupted<T>(
    work: impl Future<Output = T>,
    cancel: &tokio::sync::watch::Sender<bool>,
    output: &Output,
) -> Result<T, Failure> {
    block_on(async {
        tokio::pin!(work);
        let mut interrupted = false;
        loop {
            tokio::select! {
                done = &mut work => return done,
                signal = tokio::signal::ctrl_c(), if !interrupted => {
                    interrupted = true;
                    if signal.is_ok() {
                        output.say("interrupted: what is not confirmed goes back");
                        let _ = cancel.send(true);
                    }
                }
            }
        }
    })
}

/// Reads a pipeline of the project. Returns `None` when there are errors; they are then printed.
pub(crate) fn pipeline(workspace: &mut Workspace<'_>, file: &Path) -> Option<Pipeline> {
    let (pipeline, findings) = definition::find(&workspace.sources.pipelines, &file.to_string_lossy());
    if workspace.add_findings(findings) {
        workspace.print_findings();
        return None;
    }
    pipeline
}
