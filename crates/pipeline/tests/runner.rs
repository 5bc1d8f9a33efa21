//! Runs of pipelines over copies of the project's own example network, without any device.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::watch;
use weft_pipeline::{
    ExitCode, Observer, RunEvent, RunOptions,
    definition::{self, Pipeline},
    run::{Clock, RunRecord, RunState, RunStore, StageName, StageState, Timestamp},
    source,
};
use weft_ssh::SecretStore;

/// A copy of the example network, removed at the end of the test.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        for part in ["intents", "device-templates", "pipeline"] {
            copy(&project.join(part), &folder.path().join(part));
        }
        Self { folder }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn options(&self) -> (RunOptions, watch::Sender<bool>) {
        let (stop, cancel) = watch::channel(false);
        let options = RunOptions {
            root: self.root().to_owned(),
            inventory: Some(self.write("inventory.yaml", "devices: {}\n")),
            user: "nobody".to_owned(),
            locked: false,
            plan: None,
            secrets: Arc::new(SecretStore::default()),
            clock: clock(),
            cancel,
        };
        (options, stop)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    async fn run(&self, options: &RunOptions, pipeline: &str, observer: &dyn Observer) -> RunRecord {
        let (sources, findings) = source::read(self.root(), None).unwrap();
        let (pipeline, mistakes) = definition::find(&sources.pipelines, pipeline);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let pipeline: Pipeline = pipeline.unwrap();
        weft_pipeline::run(&pipeline, &sources, findings, options, observer).await.unwrap()
    }
}

/// A clock that is one second further each time it is asked.
fn clock() -> Clock {
    let seconds = AtomicU64::new(1_795_418_780);
    Arc::new(move || Timestamp::from_milliseconds(seconds.fetch_add(1, Ordering::Relaxed) * 1000))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn states(record: &RunRecord) -> Vec<(StageName, StageState)> {
    record.stages.iter().map(|stage| (stage.name, stage.state)).collect()
}

fn codes(record: &RunRecord) -> Vec<&str> {
    let findings = record.stages.iter().flat_map(|stage| &stage.findings);
    findings.filter(|finding| finding.is_error()).map(|finding| finding.code.as_str()).collect()
}

#[derive(Default)]
struct Watch(Mutex<Vec<String>>);

impl Observer for Watch {
    fn event(&self, event: &RunEvent<'_>) {
        let text = match event {
            RunEvent::StageBegins(name) => format!("{name} begins"),
            RunEvent::StageEnds(stage) => format!("{} {}", stage.name, stage.state),
            RunEvent::RunEnds(record) => format!("run {}", record.state),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

#[tokio::test]
async fn the_example_network_passes_the_check_pipeline() {
    let workspace = Workspace::new();
    let (options, _stop) = workspace.options();
    // The first run may write the lock file; then it is up to date, as `locked` in the pipeline asks.
    let default = "apiVersion: weft/v1\nkind: Pipeline\nmetadata: { name: first }\nspec: { stages: [{ validate: {} }, { compile: {} }] }\n";
    workspace.write("pipeline/first.yaml", default);
    let first = workspace.run(&options, "first", &()).await;
    assert_eq!(first.state, RunState::Succeeded, "{first:#?}");
    let watch = Watch::default();
    let record = workspace.run(&options, "check", &watch).await;
    assert_eq!(record.state, RunState::Succeeded, "{record:#?}");
    assert_eq!(ExitCode::of(&record), ExitCode::Success);
    assert_eq!(record.devices.len(), 20);
    let events = watch.0.into_inner().unwrap();
    assert_eq!(events[..3], ["validate begins", "validate succeeded", "compile begins"]);
    assert_eq!(events.last().unwrap(), "run succeeded");

    let (directory, stored) = RunStore::of_project(workspace.root()).load("latest").unwrap();
    assert_eq!(stored, record);
    for file in ["report.txt", "report.json", "report.xml", "report.md", "report.html", "network.json"] {
        assert!(directory.read(file).unwrap().is_some(), "{file}");
    }
    assert!(workspace.root().join("reports/report.md").exists());
    assert!(directory.path().join("intended/b1-leaf-01").is_dir());
}

#[tokio::test]
async fn a_mistake_ends_the_run_with_a_report_and_exit_code_1() {
    let workspace = Workspace::new();
    workspace.write("intents/broken.yaml", "apiVersion: weft/v1\nkind: Fabrik\nmetadata: { name: x }\nspec: {}\n");
    let (options, _stop) = workspace.options();
    let record = workspace.run(&options, "default", &()).await;
    assert_eq!(record.state, RunState::Failed);
    assert_eq!(ExitCode::of(&record), ExitCode::Findings);
    assert_eq!(states(&record)[0], (StageName::Validate, StageState::Failed));
    assert!(states(&record)[1..6].iter().all(|(_, state)| *state == StageState::Skipped));
    assert_eq!(states(&record)[6], (StageName::Report, StageState::Succeeded));
    let (directory, _) = RunStore::of_project(workspace.root()).load("latest").unwrap();
    assert!(directory.read("report.txt").unwrap().unwrap().contains("intents/broken.yaml:2:7"));
}

#[tokio::test]
async fn locked_says_what_the_lock_file_lacks_and_leaves_it_alone() {
    let workspace = Workspace::new();
    let lock = workspace.write("intents/allocations.lock.yaml", "");
    let (mut options, _stop) = workspace.options();
    options.locked = true;
    let record = workspace.run(&options, "check", &()).await;
    assert_eq!(codes(&record), ["WEFT-920"]);
    assert_eq!(fs::read_to_string(&lock).unwrap(), "");
    assert_eq!(ExitCode::of(&record), ExitCode::Findings);
}

#[tokio::test]
async fn devices_that_nobody_can_reach_fail_the_plan_and_are_named() {
    let workspace = Workspace::new();
    let (options, _stop) = workspace.options();
    let record = workspace.run(&options, "default", &()).await;
    assert_eq!(states(&record)[3], (StageName::Plan, StageState::Failed), "{record:#?}");
    assert_eq!(codes(&record), ["WEFT-931"], "one reason is one finding");
    let finding = &record.stages[3].findings[0].message;
    assert!(record.devices.keys().all(|device| finding.contains(device.as_str())), "{finding}");
    assert_eq!(states(&record)[4], (StageName::Push, StageState::Skipped));
    assert_eq!((record.state, ExitCode::of(&record)), (RunState::Failed, ExitCode::Findings));
}

#[tokio::test]
async fn a_push_that_reaches_nobody_is_no_success() {
    let workspace = Workspace::new();
    let stages = "validate: {} }, { compile: {} }, { check: {} }, { plan: {} }, { push: { unreachable: skip }";
    let text = format!(
        "apiVersion: weft/v1\nkind: Pipeline\nmetadata: {{ name: skip }}\nspec: {{ stages: [{{ {stages} }}] }}\n"
    );
    workspace.write("pipeline/skip.yaml", &text);
    let (options, _stop) = workspace.options();
    let record = workspace.run(&options, "skip", &()).await;
    assert_eq!(states(&record)[3], (StageName::Plan, StageState::Succeeded), "{record:#?}");
    assert_eq!(states(&record)[4], (StageName::Push, StageState::Skipped));
    assert_eq!((record.state, ExitCode::of(&record)), (RunState::Failed, ExitCode::Findings));
}

#[tokio::test]
async fn a_run_that_is_stopped_is_cancelled() {
    let workspace = Workspace::new();
    let (options, stop) = workspace.options();
    stop.send(true).unwrap();
    let record = workspace.run(&options, "default", &()).await;
    assert_eq!(record.state, RunState::Cancelled);
    assert!(states(&record)[..6].iter().all(|(_, state)| *state == StageState::Cancelled));
}
