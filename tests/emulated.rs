//! The whole loop against the emulated lab: what a user types, what is printed, and what the switches run afterwards.

mod weft;

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use weft::{Project, Ran};

/// The most that any single thing in the emulated lab may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

fn with_lab() -> Project {
    let project = Project::example();
    project.weft("lab up --backend emulated").expect(0);
    project
}

#[test]
fn a_run_brings_bare_switches_up_and_a_second_one_changes_nothing() {
    let project = with_lab();
    project.weft("plan").expect(0).says("20 devices change");
    project.weft("run").expect(0).says("17 compliant");
    project.weft("plan").expect(0).says("no change");
    project.weft("verify --now").expect(0);
    project.weft("run").expect(0);

    let runs = project.weft("runs").expect(0).out;
    let of_pipeline =
        |name: &str| runs.lines().filter(|line| line.contains("succeeded") && line.contains(name)).count();
    assert_eq!((of_pipeline("default"), of_pipeline("verify")), (2, 1), "{runs}");
    for format in ["text", "json", "junit", "markdown", "html"] {
        let report = project.weft(&format!("report latest --format {format}")).expect(0);
        assert!(report.out.contains("web-to-db"), "{format}: {}", report.out);
    }
}

#[test]
fn a_cut_link_and_a_line_changed_by_hand_are_reported_at_their_intent_and_device() {
    let project = with_lab();
    project.weft("run").expect(0);

    project.weft("lab fault link-down b1-spine-01:swp1").expect(0);
    project.weft("verify --now").expect(1).says("fabric/b1").says("underlay/b1").says("b1-spine-01").says("degraded");
    project.weft("lab heal link-down b1-spine-01:swp1").expect(0);
    project.weft("verify").expect(0);

    project
        .weft_with("lab exec b1-leaf-01 configure exclusive ; interface swp1 ; mtu 1400 ; commit".split(' '))
        .expect(0);
    project.weft("verify --now").expect(1).says("segment/web").says("b1-leaf-01").says("mtu 1400");
    project.weft("plan").expect(0).says("1 device changes").says("-  mtu 1400");
    project.weft("run").expect(0);
    project.weft("verify --now").expect(0);
}

#[test]
fn a_switch_that_refuses_a_line_takes_nothing_and_the_run_goes_back() {
    let project = with_lab();
    project.weft("lab fault reject-line b2-spine-02 maximum-paths").expect(0);
    // The device's own words, the line that it means, and the intent that the line comes from.
    project
        .weft("run")
        .expect(3)
        .says("b2-spine-02: upload failed: `load replace` was rejected: % line")
        .says("running.conf line")
        .says("maximum-paths")
        .says("because of underlay/b2 (intents/underlay.yaml:");
    // Every switch is bare again: all of them would change, as before.
    project.weft("lab heal reject-line b2-spine-02 maximum-paths").expect(0);
    project.weft("plan").expect(0).says("20 devices change");
    project.weft("run").expect(0);
}

#[test]
fn a_switch_that_loses_its_management_comes_back_by_itself() {
    let project = with_lab();
    project.weft("run").expect(0);
    project.edit("pipeline/default.yaml", "confirm_seconds: 60", "confirm_seconds: 5");
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    project.weft("lab fault management-lost-after-apply b1-leaf-02").expect(0);
    let ran = project.weft("run").expect(3).says("b1-leaf-02").says("went back by itself");
    // It is asked many times, and that is said once.
    let told = ran.err.lines().filter(|line| line.contains("b1-leaf-02: it goes back by itself when its time is over"));
    assert_eq!(told.count(), 1, "{}", ran.err);
    ran.does_not_say("rollback failed");
    project.weft("plan").expect(0).says("20 devices change");
}

#[test]
fn devices_that_cannot_be_trusted_or_reached_are_named() {
    let project = with_lab();
    project.weft("lab fault ssh-cut b1-leaf-03").expect(0);
    project.weft("run").expect(1).says("b1-leaf-03");
    project.weft("lab heal ssh-cut b1-leaf-03").expect(0);

    let known_hosts = project.path().join(".weft/lab/known_hosts");
    let text = fs::read_to_string(&known_hosts).expect("the lab's known_hosts");
    let mut lines: Vec<&str> = text.lines().collect();
    // The first two devices swap their keys: both are wrong now.
    let keys: Vec<&str> = lines.iter().map(|line| line.split_once(' ').expect("host and key").1).collect();
    let swapped = [
        format!("{} {}", lines[0].split(' ').next().expect("a host"), keys[1]),
        format!("{} {}", lines[1].split(' ').next().expect("a host"), keys[0]),
    ];
    lines[0] = &swapped[0];
    lines[1] = &swapped[1];
    fs::write(&known_hosts, lines.join("\n") + "\n").expect("write known_hosts");
    project.weft("run").expect(1).says("host key").says("known_hosts");
}

#[test]
fn a_plan_is_carried_out_as_it_was_made_or_not_at_all() {
    let project = with_lab();
    project.weft("plan --out plan.json").expect(0);
    project.weft("apply plan.json").expect(0);
    project.weft("plan").expect(0).says("no change");

    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    project.weft("plan --out plan.json").expect(0).says("20 devices change");
    project
        .weft_with("lab exec b1-leaf-01 configure exclusive ; interface swp1 ; mtu 1400 ; commit".split(' '))
        .expect(0);
    project
        .weft("apply plan.json")
        .expect(1)
        .says("WEFT-932")
        .says("b1-leaf-01 runs something else by now (running.conf, interface swp1: `mtu 1500` is now `mtu 1400`)");
    project.weft("plan").expect(0).says("20 devices change");

    project.edit("plan.json", "\"removed\": 2", "\"removed\": 3");
    project.weft("apply plan.json").expect(1).says("the plan was changed after it was made");
}

#[test]
fn an_interrupted_push_goes_back() {
    let project = with_lab();
    let child = project.command(["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weft starts");
    let begun = Instant::now();
    let journal = || -> Option<String> {
        let runs = fs::read_dir(project.path().join(".weft/runs")).ok()?;
        runs.flatten().find_map(|run| fs::read_to_string(run.path().join("journal.jsonl")).ok())
    };
    while !journal().is_some_and(|journal| journal.contains("apply")) {
        assert!(begun.elapsed() < LIMIT, "nothing was applied");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("interrupt weft");
    let ran = Ran::from(child.wait_with_output().expect("weft ends"));
    ran.expect(3);
    project.weft("runs latest").expect(0).says("cancelled");
    project.weft("plan").expect(0).says("20 devices change");
}

#[test]
fn mistakes_are_told_with_file_line_and_column_all_at_once() {
    let project = Project::example();
    project.weft("validate").expect(0);
    project.edit("pipeline/default.yaml", "confirm_seconds", "confirm_secs");
    project.weft("validate").expect(1).says("confirm_secs").says("pipeline/default.yaml:");
    project.edit("pipeline/default.yaml", "confirm_secs", "confirm_seconds");
    project.edit("intents/fabrics.yaml", "site: b1", "sight: b1");
    project.edit("intents/segments.yaml", "203.0.113.0/24", "203.0.113.7/24");
    project.edit("intents/underlay.yaml", "addressing: numbered", "addressing: [");
    project
        .weft("validate")
        .expect(1)
        .says("intents/fabrics.yaml:9:3")
        .says("site")
        .says("intents/segments.yaml:8:11")
        .says("203.0.113.0/24")
        .says("intents/underlay.yaml:");
    project.weft("run").expect(1);
    project.weft("frobnicate").expect(2);
    project.weft("report nothing-like-it").expect(1);
    project.weft("-C /nowhere/at/all validate").expect(1).says("/nowhere/at/all");
}

#[test]
fn a_commit_is_read_from_git_and_allocations_are_locked() {
    let project = Project::example();
    project.weft("compile --locked").expect(0);
    let lock = project.path().join("intents/allocations.lock.yaml");
    let committed = fs::read_to_string(&lock).expect("the lock file");
    fs::remove_file(&lock).expect("remove the lock file");
    project.weft("compile --locked").expect(1).says("allocations.lock.yaml");
    project.weft("compile").expect(0);
    assert_eq!(fs::read_to_string(&lock).expect("the lock file"), committed);
    project.commit_all("first");
    let before = project.weft("compile --commit HEAD --out before").expect(0);
    drop(before);
    project.edit("intents/fabrics.yaml", "leaf: { count: 4", "leaf: { count: 5");
    project.weft("compile --locked").expect(1);
    project.weft("validate --commit HEAD").expect(0);
    project.weft("compile --out after").expect(0);

    // Adding a leaf to building 1 touches the spines of building 1, and nothing else.
    let changed: Vec<String> = fs::read_dir(project.path().join("after"))
        .expect("rendered devices")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|device| {
            let read = |side: &str| -> Vec<(String, String)> {
                let mut files: Vec<(String, String)> = fs::read_dir(project.path().join(side).join(device))
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|file| {
                        let text = fs::read_to_string(file.path()).expect("a rendered file");
                        (file.file_name().to_string_lossy().into_owned(), text)
                    })
                    .collect();
                files.sort();
                files
            };
            read("before") != read("after")
        })
        .collect();
    let mut changed = changed;
    changed.sort();
    assert_eq!(changed, ["b1-leaf-05", "b1-spine-01", "b1-spine-02"]);
}

#[test]
fn every_rendered_line_names_its_intent() {
    let project = Project::example();
    project.weft("compile").expect(0);
    project.weft("explain b1-leaf-01").expect(0).says("segment/web").says("underlay/b1");
    project.weft("explain segment/web").expect(0).says("b1-leaf-01").says("b2-leaf-02");
    project.weft("explain b1-leaf-01:1").expect(0).says("intents/");
    project
        .weft("explain node/b1-leaf-04")
        .expect(0)
        .says("override")
        .says("in place of frr of the tier")
        .says("64708");
    project.weft("explain WEFT-101").expect(0);
    project.weft("explain no-such-device").expect(1).says("no-such-device");
}

#[test]
fn routers_of_one_as_tell_each_other_what_their_neighbors_announce() {
    let project = Project::of("tests/labs/ibgp-rr/intents");
    let network = project.path().join("intents/network.yaml");
    let text = fs::read_to_string(&network).expect("the network");
    fs::write(&network, text.replace("pack: frr", "pack: loom").replace("pack: bird", "pack: loom")).expect("write it");
    project.weft("lab up --backend emulated").expect(0);
    project.weft("run").expect(0).says("0 not as predicted");
    project.weft("plan").expect(0).says("no change");
    let session = |state: &str| format!("session lo to rr-1 (10.0.0.6) {state}");
    project.weft("lab fault node-down rr-1").expect(0);
    project.weft("verify --now").expect(1).says("underlay/routing").says(&session("")).says("degraded");
    project.weft("lab heal node-down rr-1").expect(0);
}

#[test]
fn a_session_that_was_down_before_stops_no_push_elsewhere() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    project.weft("run").expect(0);
    project.weft("lab fault link-down b2-border-02:swp1").expect(0);
    // The border that has lost its transit does not change.
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    project.edit("pipeline/default.yaml", "converge_seconds: 30", "converge_seconds: 3");
    let ran = project.weft("apply").expect(0).says("changed in").says("WEFT-219");
    drop(ran.says("b2-border-02 swp1 to transit-b"));
    // Where it does, it answers for its sessions.
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    let ran = project.weft("apply").expect(3).says("b2-border-02 swp1 to transit-b: idle");
    assert!(!ran.out.contains("WEFT-219"), "{}", ran.out);
}

#[test]
fn what_only_drains_a_device_is_not_told_to_change_it_too() {
    let project = with_lab();
    project.weft("run").expect(0);
    project.weft("new maintenance --name work --node b1-border-02").expect(0);
    project.weft("apply").expect(0).says("1 changed").does_not_say("WEFT-540");
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    project.weft("new maintenance --name more --node b2-border-02").expect(0);
    project
        .weft("apply")
        .expect(0)
        .says("WEFT-540")
        .says("b2-border-02 is drained and changed in one go, also for baseline/");
}
