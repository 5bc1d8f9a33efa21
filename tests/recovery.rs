//! A controller that is killed at any line of its journal strands no switch of the emulated lab: after `weft resume` all run what
//! is new, after `weft abort` all run what is old, and none waits or is locked.

mod weft;

use std::{collections::BTreeMap, fs};

use weft::{
    Project,
    recovery::{Counts, End, Eyes, Matrix, can_kill, say},
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
    let steps = 1..=matrix.lines;
    matrix.whole(end, steps).all_well("loom, every line of the journal,", end, DEVICES.len());
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
    let nth = matrix.lines * 3 / 4;
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
