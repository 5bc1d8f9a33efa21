//! `weft validate --watch`: checks again whenever a file changes.

use std::{path::Path, time::Duration};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::ModifyKind};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use weft_pipeline::{
    ExitCode as Exit,
    source::{INTENTS, PACKS},
};

use crate::{
    args::{Global, Revision},
    commands::{block_on, validate},
    failure::Failure,
    output::Output,
};

/// The folders of a project that decide what `validate` finds. One that is not there yet is watched once it is.
const FOLDERS: [&str; 3] = [INTENTS, "policy", PACKS];
/// An editor writes a file in several steps, and a checkout many files: this long after the last step they are read.
const QUIET: Duration = Duration::from_millis(80);
/// However long the changes go on, after so many quiet times the files are read.
const MOST_STEPS: usize = 25;

pub(crate) fn run(global: &Global, output: &Output) -> Result<Exit, Failure> {
    block_on(watch(global, output))?
}

async fn watch(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    output.say("checking after every change; Ctrl-C ends");
    loop {
        // The watch begins anew before the files are read. So nothing that changes in between is missed, and folders that
        // came, or were replaced as a checkout does it, are watched too.
        let (_watcher, mut changes) = watcher(&global.directory)?;
        // What is wrong is printed, and may be put right by the next change.
        if let Err(failure) = validate::run(global, &Revision { commit: None }, output) {
            output.error(&failure.to_string());
        }
        tokio::select! {
            changed = settled(&mut changes) => output.say(format!("\nchanged: {changed}")),
            _ = interrupt.recv() => return Ok(Exit::Success),
            _ = terminate.recv() => return Ok(Exit::Success),
        }
    }
}

/// Returns a watcher of the project's folders, and the paths that change, relative to the project.
fn watcher(project: &Path) -> Result<(RecommendedWatcher, UnboundedReceiver<String>), Failure> {
    let root = project.canonicalize()?;
    let (sender, receiver) = unbounded_channel();
    let within = root.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
        // The receiver is gone only when the watch ends.
        Ok(event) if is_change(event.kind) => {
            for path in
                event.paths.iter().filter_map(|path| path.strip_prefix(&within).ok()).filter(|path| counts(path))
            {
                let _ = sender.send(path.display().to_string());
            }
        }
        // Reading the files is no change.
        Ok(_) => {}
        // Too many changes at once, for one: what changed is not known, but something did.
        Err(error) => {
            let _ = sender.send(error.to_string());
        }
    })?;
    // Not what is below it: runs and builds change there all the time.
    watcher.watch(&root, RecursiveMode::NonRecursive)?;
    for folder in FOLDERS.map(|folder| root.join(folder)).iter().filter(|folder| folder.is_dir()) {
        watcher.watch(folder, RecursiveMode::Recursive)?;
    }
    Ok((watcher, receiver))
}

fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    }
}

/// Tells whether a path is in one of the folders, and not one of the hidden and backup files that editors make beside.
fn counts(path: &Path) -> bool {
    let mut parts = path.iter().map(|part| part.to_string_lossy());
    parts.clone().next().is_some_and(|first| FOLDERS.iter().any(|folder| *folder == first))
        && !parts.any(|part| part.starts_with('.') || part.ends_with('~'))
}

/// Waits for a change and for the quiet after it, and returns the paths that changed.
async fn settled(changes: &mut UnboundedReceiver<String>) -> String {
    let Some(first) = changes.recv().await else { return std::future::pending().await };
    let mut changed = std::collections::BTreeSet::from([first]);
    for _ in 0..MOST_STEPS {
        tokio::time::sleep(QUIET).await;
        let Ok(next) = changes.try_recv() else { break };
        changed.insert(next);
        while let Ok(path) = changes.try_recv() {
            changed.insert(path);
        }
    }
    changed.into_iter().collect::<Vec<_>>().join(", ")
}
