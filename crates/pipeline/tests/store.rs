//! The run store: ids, records that survive, runs whose process has gone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use weft_pipeline::run::{RunDirectory, RunId, RunRecord, RunState, RunStore, StoreError, Timestamp};

fn begin(store: &RunStore, milliseconds: u64, state: RunState) -> (RunDirectory, RunRecord) {
    let started = Timestamp::from_milliseconds(milliseconds);
    let make = |id| RunRecord {
        version: 1,
        id,
        weft: "0.1.0".to_owned(),
        pipeline: "default".to_owned(),
        commit: Some("7f3a9c2e5b".to_owned()),
        dirty: false,
        state,
        pid: Some(1),
        started,
        ended: None,
        stages: Vec::new(),
        waves: Vec::new(),
        devices: Default::default(),
        attempts: Vec::new(),
    };
    store.begin(|nth| RunId::new(started, Some("7f3a9c2e5b"), nth), make).unwrap()
}

#[test]
fn runs_of_one_second_have_ids_of_their_own_and_keep_their_order() {
    let project = tempfile::tempdir().unwrap();
    let store = RunStore::of_project(project.path());
    assert!(store.list().unwrap().is_empty());
    assert!(matches!(store.load("latest"), Err(StoreError::Empty(_))));
    for at in [5_000, 5_500, 3_000] {
        begin(&store, at, RunState::Succeeded);
    }
    let ids: Vec<String> = store.list().unwrap().iter().map(|record| record.id.to_string()).collect();
    assert_eq!(ids, ["19700101-000003-7f3a", "19700101-000005-7f3a", "19700101-000005-7f3a-2"]);
    let load = |which: &str| store.load(which).map(|(_, record)| record.id.to_string());
    assert_eq!(load("latest").unwrap(), ids[2]);
    assert_eq!(load("19700101-000003").unwrap(), ids[0]);
    assert_eq!(load(&ids[1]).unwrap(), ids[1], "an id that is also the beginning of another one");
    assert!(matches!(load("19700101-000005"), Err(StoreError::Ambiguous { .. })));
    assert!(matches!(load("2026"), Err(StoreError::NoSuchRun(_))));
    assert!(matches!(load(""), Err(StoreError::NoSuchRun(_) | StoreError::Ambiguous { .. })));
    assert!(matches!(load("../.."), Err(StoreError::NoSuchRun(_))));
}

#[test]
fn a_run_whose_process_has_gone_is_interrupted() {
    let project = tempfile::tempdir().unwrap();
    let store = RunStore::of_project(project.path());
    let (directory, record) = begin(&store, 5_000, RunState::Running);
    assert_eq!(store.load("latest").unwrap().1.state, RunState::Running);
    drop(directory);
    assert_eq!(store.load("latest").unwrap().1.state, RunState::Interrupted);
    assert_eq!(store.list().unwrap()[0].state, RunState::Interrupted);
    assert_eq!(record.state, RunState::Running);
}

#[test]
fn a_run_that_ended_stays_as_it_ended() {
    let project = tempfile::tempdir().unwrap();
    let store = RunStore::of_project(project.path());
    let (directory, mut record) = begin(&store, 5_000, RunState::Running);
    record.state = RunState::Succeeded;
    directory.save(&record).unwrap();
    drop(directory);
    assert_eq!(store.load("latest").unwrap().1, record);
}

#[test]
fn a_write_that_was_cut_off_leaves_the_former_record() {
    let project = tempfile::tempdir().unwrap();
    let store = RunStore::of_project(project.path());
    let (directory, record) = begin(&store, 5_000, RunState::Succeeded);
    // What a process leaves that is killed while it writes the file beside its place.
    fs::write(directory.path().join("run.json.4711.new"), "{\"version\": 1, \"id\":").unwrap();
    assert_eq!(store.load("latest").unwrap().1, record);
    assert!(fs::read_dir(directory.path()).unwrap().any(|entry| entry.unwrap().file_name() == "run.json"));
}

#[test]
fn writing_leaves_nothing_beside_and_needs_no_folder() {
    let project = tempfile::tempdir().unwrap();
    let store = RunStore::of_project(project.path());
    let (directory, _) = begin(&store, 5_000, RunState::Succeeded);
    directory.write("intended/leaf-01/frr.conf", b"one\n").unwrap();
    directory.write("intended/leaf-01/frr.conf", b"two\n").unwrap();
    assert_eq!(directory.read("intended/leaf-01/frr.conf").unwrap().as_deref(), Some("two\n"));
    assert_eq!(directory.read("no-such-file").unwrap(), None);
    assert_eq!(fs::read_dir(directory.path().join("intended/leaf-01")).unwrap().count(), 1);
}

#[test]
fn an_artifact_stays_in_the_folder_of_its_run() {
    let project = tempfile::tempdir().unwrap();
    let (directory, _) = begin(&RunStore::of_project(project.path()), 5_000, RunState::Succeeded);
    for name in ["../x", "/etc/x", "a/../../x", ""] {
        assert!(matches!(directory.write(name, b""), Err(StoreError::Outside(_))), "{name}");
    }
}

#[test]
fn the_store_keeps_itself_out_of_git() {
    let project = tempfile::tempdir().unwrap();
    begin(&RunStore::of_project(project.path()), 5_000, RunState::Succeeded);
    assert_eq!(fs::read_to_string(Path::new(project.path()).join(".weft/.gitignore")).unwrap(), "*\n");
}

#[test]
fn a_record_that_is_not_ours_is_named() {
    let project = tempfile::tempdir().unwrap();
    let store = RunStore::of_project(project.path());
    let (directory, record) = begin(&store, 5_000, RunState::Succeeded);
    directory.write("run.json", b"[]").unwrap();
    assert!(store.load("latest").is_err_and(|error| error.to_string().contains(record.id.as_str())));
}
