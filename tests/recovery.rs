//! A controller that is killed at any line of its journal strands no switch of the emulated lab: after `weft resume` all run what
//! is new, after `weft abort` all run what is old, and none waits or is locked.

mod weft;

use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use weft::{
    Project,
    recovery::{Counts, End, Eyes, Matrix, can_kill, say, traced},
};

const DEVICES: [&str; 3] = ["r1", "r2", "r3"];

/// Looks at switches by their command line.
struct Switches<'p>(&'p Project);

impl Switches<'_> {
    fn says(&self, device: &str, command: &str) -> String {
        self.0.weft_with(["lab", "exec", device].into_iter().chain(command.split(' '))).expect(0).out
    }
}

impl Eyes for Switches<'_> {
    fn running(&self) -> BTreeMap<String, String> {
        let text = |device: &str| (device.to_owned(), self.says(device, "show running-config"));
        DEVICES.map(text).into()
    }

    fn restless(&self) -> Vec<String> {
        let mut restless = Vec::new();
        for device in DEVICES {
            let transaction = self.says(device, "show transaction");
            // A lock that is not held can be taken.
            let lock = self.0.weft_with(["lab", "exec", device, "lock", "test", ";", "unlock", "test"]);
            if transaction.contains("armed")
                || transaction.contains("locked")
                || lock.out.contains('%')
                || lock.code != 0
            {
                restless.push(format!("; {device} is not at rest: {transaction}{}", lock.out));
            }
        }
        restless
    }
}

fn with_lab() -> Project {
    let project = Project::of("tests/labs/recovery/intents");
    let network = project.path().join("intents/network.yaml");
    let text = fs::read_to_string(&network).expect("the network");
    fs::write(&network, text.replace("pack: frr", "pack: loom")).expect("write it");
    project.weft("lab up --backend emulated").expect(0);
    project
}

fn every_line(end: End) {
    if !can_kill() {
        return;
    }
    let project = with_lab();
    let switches = Switches(&project);
    let mut matrix = Matrix::new(&project, &switches, "loom");
    matrix.every(end).all_well("loom, every line of the journal,", end, DEVICES.len());
}

#[test]
fn a_run_that_is_cut_off_at_any_line_is_carried_on() {
    every_line(End::Resume);
}

#[test]
fn a_run_that_is_cut_off_at_any_line_is_put_back() {
    every_line(End::Abort);
}

#[test]
fn what_was_to_put_it_right_may_be_cut_off_itself() {
    if !can_kill() {
        return;
    }
    let project = with_lab();
    let switches = Switches(&project);
    let mut matrix = Matrix::new(&project, &switches, "loom");
    // One device is confirmed then, and two are armed.
    let nth = matrix.syncs * 3 / 4;
    for (first, then) in [("resume", End::Resume), ("resume", End::Abort), ("abort", End::Abort)] {
        let mut counts = Counts::default();
        for again in (1..).step_by(3) {
            let at = matrix.cut_off(nth);
            if !matrix.cut(&format!("-q {first} latest"), again) {
                say(&format!("loom {first}: at an end before line {again}"));
                // It came to its end: the next one begins where this one left.
                matrix.ended(if first == "resume" { End::Resume } else { End::Abort });
                break;
            }
            matrix.end(then, &format!("{at}, and at line {again} of {first}"), &mut counts);
        }
        counts.all_well(&format!("loom, {first} is cut off, too,"), then, DEVICES.len());
    }
}

/// Changes a switch by hand.
fn by_hand(project: &Project, device: &str, lines: &str) {
    let line = format!("lab exec {device} configure exclusive ; {lines} ; commit");
    project.weft(&line).expect(0).does_not_say("%");
}

#[test]
fn what_stands_against_it_is_named_and_it_is_said_again() {
    if !can_kill() {
        return;
    }
    let project = with_lab();
    let switches = Switches(&project);
    let mut matrix = Matrix::new(&project, &switches, "loom");
    // One device is confirmed then, and two are armed.
    let nth = matrix.syncs * 3 / 4;
    let mut counts = Counts::default();

    matrix.cut_off(nth);
    project.weft("-q plan").expect(1).says("WEFT-938").says("weft resume").says("not confirmed");
    let shown = project.weft("runs latest").expect(0).says("by its journal, when it was cut off: wave 1 ");
    drop(shown.says("r1 had done unlock").says("r2 had done apply"));
    project.weft("lab fault ssh-cut r2").expect(0);
    project.weft("resume latest").expect(3).says("r2: it is not known what it runs").says("say `weft resume");
    assert!(switches.says("r3", "show transaction").contains("rolled-back"), "the others come to rest");
    project.weft("lab heal ssh-cut r2").expect(0);
    by_hand(&project, "r1", "interface swp1 ; mtu 1400");
    project
        .weft("resume latest")
        .expect(3)
        .says("r1: runs neither what it ran before nor what it was to run")
        .says("mtu 1400");
    project.weft("runs").expect(0).does_not_say("interrupted");
    by_hand(&project, "r1", "interface swp1 ; mtu 9000");
    matrix.end(End::Resume, "a device was down, one was changed by hand", &mut counts);

    // A run that goes back when it is cut off is not pushed again: it goes back to its end.
    project.weft("lab fault reject-line r3 maximum-paths").expect(0);
    let mut at = 9;
    while !matrix.cut_off(at).ends_with("goes-back") {
        project.weft("-q abort latest").expect(0);
        matrix.intend(0);
        at += 1;
    }
    project.weft("resume latest").expect(3).says("it was going back").says("refused by the device");
    assert_eq!(switches.restless(), [""; 0]);
    project.weft("lab heal all").expect(0);
    matrix.intend(0);
    project.weft("-q plan").expect(0).says("no change");

    // The switch has forgotten the transaction: what ran before is brought to it anew.
    matrix.cut_off(nth);
    by_hand(&project, "r1", "interface swp1 ; mtu 9000");
    let mut back = Counts::default();
    matrix.end(End::Abort, "a device cannot undo it any more", &mut back);
    counts.all_well("loom, said again,", End::Resume, DEVICES.len());
    back.all_well("loom, with texts of before,", End::Abort, DEVICES.len());
}

#[test]
fn a_run_that_lives_is_not_taken_over_and_one_that_had_not_begun_is_closed() {
    if !can_kill() {
        return;
    }
    let project = with_lab();
    // Stopped, not killed: it holds what it holds.
    let mut stopped = traced(&project, "-q apply", "inject=fdatasync:signal=SIGSTOP:when=6", "/dev/null")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace starts");
    let begun = Instant::now();
    let pid = || -> Option<i32> {
        let run = fs::read_dir(project.path().join(".weft/runs")).ok()?.flatten().next()?.path();
        let lines = fs::read_to_string(run.join("journal.jsonl")).ok()?.lines().count();
        let record: serde_json::Value = serde_json::from_str(&fs::read_to_string(run.join("run.json")).ok()?).ok()?;
        record["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).filter(|_| lines >= 7)
    };
    let weft = loop {
        if let Some(pid) = pid() {
            break pid;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "the run did not come to its journal");
        std::thread::sleep(Duration::from_millis(20));
    };
    project.weft("resume latest").expect(1).says(&format!("is at work in process {weft}"));
    project.weft("abort latest").expect(1).says("is at work");
    project.weft("rollback latest").expect(1).says("is at work");
    for process in [Pid::from_raw(weft), Pid::from_raw(i32::try_from(stopped.id()).expect("a pid"))] {
        kill(process, Signal::SIGKILL).expect("kill it");
    }
    stopped.wait().expect("strace ends");
    project.weft("abort latest").expect(0);
    project.weft("abort latest").expect(1).says("is not cut off but rolled-back");
    project.weft("-q plan").expect(0).says("3 devices change");

    // Nothing was pushed yet.
    let ran = traced(&project, "-q apply", "inject=fsync:signal=SIGKILL:when=4", "/dev/null").status();
    assert_eq!(ran.expect("strace starts").code(), None);
    project.weft("resume latest").expect(1).says("before it changed a device").says("weft run");
    project.weft("abort latest").expect(0).says("cancelled");
    project.weft("runs").expect(0).does_not_say("interrupted");
}

#[test]
fn the_way_back_is_a_run_of_its_own() {
    if !can_kill() {
        return;
    }
    let project = with_lab();
    let switches = Switches(&project);
    let matrix = Matrix::new(&project, &switches, "loom");
    let new = switches.running();
    project.weft("rollback latest --plan").expect(0).says("3 devices change").says("+  maximum-paths 8");
    assert_eq!(switches.running(), new, "a plan changes nothing");
    project.weft("rollback latest").expect(0).says("3 changed in 2 waves").says("still say what went away");
    matrix.intend(0);
    project.weft("-q plan").expect(0).says("no change");
    project.weft("runs").expect(0).says("rollback");

    // It is a run like any other: it can be cut off, and there is a way back from it, too.
    assert!(matrix.cut("-q rollback latest", matrix.syncs * 3 / 4));
    project.weft("abort latest").expect(0);
    project.weft("-q plan").expect(0).says("no change");
    let rollback = project.weft("runs").expect(0).out;
    let first = rollback.lines().find(|line| line.contains("rollback")).expect("a rollback");
    let first = first.split(' ').next().expect("an id");
    assert!(matrix.cut(&format!("-q rollback {first}"), matrix.syncs * 3 / 4));
    project.weft("resume latest").expect(0);
    assert_eq!(switches.running(), new);
    assert_eq!(switches.restless(), [""; 0]);
    matrix.intend(1);
    project.weft("-q plan").expect(0).says("no change");

    by_hand(&project, "r1", "interface swp1 ; mtu 1400");
    let refused = project.weft("rollback latest").expect(1).says("WEFT-939").says("r1 runs something else than run");
    drop(refused.says("-  mtu 1400"));
    by_hand(&project, "r1", "interface swp1 ; mtu 9000");
    project.weft("-q rollback latest").expect(0);
    project.weft("rollback no-such-run").expect(1);
}
