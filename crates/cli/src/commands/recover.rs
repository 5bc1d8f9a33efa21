//! `weft resume` and `weft abort`: what becomes of a run whose process has gone.

use std::sync::Arc;

use weft_pipeline::{
    ExitCode as Exit, RunOptions,
    recovery::{CutOff, RecoveryError, carry_on},
    report::Report,
    run::{Recovery, RunStore, StoreError, Timestamp},
    secrets,
};

use crate::{
    args::{Global, Reach, SecretPlaces},
    commands::{report, run::until_interrupted},
    failure::Failure,
    output::Output,
    progress::Progress,
    workspace::user,
};

pub(crate) fn run(
    global: &Global,
    run: &str,
    what: Recovery,
    (reach, places): (&Reach, &SecretPlaces),
    output: &Output,
) -> Result<Exit, Failure> {
    let cut_off = CutOff::take_over(&global.directory, run).map_err(failure)?;
    let map = cut_off.source_map();
    let (folder, identity) = (places.secrets.as_deref(), places.identity.as_deref());
    let store = secrets::store(&global.directory, &cut_off.sources, folder, identity).map_err(Failure::of_input)?;
    let (cancel, cancelled) = tokio::sync::watch::channel(false);
    let options = RunOptions {
        root: global.directory.clone(),
        inventory: reach.inventory.clone(),
        user: user(),
        locked: true,
        plan: None,
        secrets: Arc::new(store),
        clock: Timestamp::clock(),
        cancel: cancelled,
    };
    let progress = Progress::new(output, &map);
    let work = carry_on(cut_off, what, &options, &progress);
    let record = until_interrupted(work, &cancel, output)?.map_err(failure)?;
    let (directory, _) = RunStore::of_project(&global.directory).load(record.id.as_str())?;
    let text = Report::load(&directory, &record)?.render(report::format(output.format), output.colour())?;
    output.result(text);
    Ok(Exit::of(&record))
}

/// Returns how a command ends that cannot do anything with a run.
pub(crate) fn failure(error: RecoveryError) -> Failure {
    match error {
        RecoveryError::Store(
            StoreError::Write { .. } | StoreError::Read { .. } | StoreError::Malformed { .. } | StoreError::Outside(_),
        )
        | RecoveryError::Journal(_) => error.into(),
        _ => Failure::of_input(error),
    }
}
