//! A controller that is killed at lines of its journal strands no real router: FRR, whose way back is a timer of Weft's own on the
//! device, and BIRD, whose daemon undoes what is not confirmed.

use std::collections::BTreeMap;

use crate::{
    weft::{
        Project,
        lab::{self, on},
        recovery::{End, Eyes, Matrix, can_kill},
    },
    whole_loop::everything,
};
use weft_lab::netns::Lab;

/// Looks at routers from inside.
struct Routers(Lab);

impl Eyes for Routers {
    fn running(&self) -> BTreeMap<String, String> {
        everything(&self.0)
    }

    fn restless(&self) -> Vec<String> {
        let said = |device: &str| {
            // No transaction waits, none holds the device, and no timer of one that waited is left.
            let ask = "/usr/local/lib/weft/agent status; grep -l armed /var/lib/weft/*/state; ls /var/lib/weft/*/timer 2>/dev/null; :";
            let said = on(&self.0, device, &["sh", "-c", ask]);
            (said.trim() != "none").then(|| format!("; {device} is not at rest: {said}"))
        };
        ["r1", "r2", "r3"].into_iter().filter_map(said).collect()
    }
}

/// Which lines of the journal the controller is killed at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Every,
    /// A few: while the first device is armed; when it is confirmed, and the two others are armed.
    Some,
}

fn matrix(pack: &str, lines: Lines) {
    if !lab::is_possible() || !can_kill() {
        return;
    }
    let project = Project::of("tests/labs/recovery/intents");
    for device in ["r1", "r2", "r3"] {
        let of = |pack: &str| format!("name: {device}, role: leaf, pack: {pack}");
        project.edit("intents/network.yaml", &of("frr"), &of(pack));
    }
    project.edit("pipeline/default.yaml", "confirm_seconds: 60", "confirm_seconds: 120");
    project.weft("lab up --backend netns").expect(0);
    let routers = Routers(Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs"));
    let mut matrix = Matrix::new(&project, &routers, pack);
    let all = matrix.syncs;
    for end in [End::Resume, End::Abort] {
        let (what, counts) = match (lines, end) {
            (Lines::Every, _) => ("every line of the journal,", matrix.every(end)),
            // The wave of two is at work in the second half.
            (Lines::Some, End::Resume) => {
                ("some lines of the journal,", matrix.some(end, [4, all * 3 / 4].into_iter()))
            }
            (Lines::Some, End::Abort) => ("some lines of the journal,", matrix.some(end, [all - 3].into_iter())),
        };
        counts.all_well(&format!("{pack}, {what}"), end, 3);
    }
}

#[test]
fn frr_is_stranded_at_no_line_of_the_journal() {
    matrix("frr", Lines::Some);
}

#[test]
fn bird_is_stranded_at_no_line_of_the_journal() {
    matrix("bird", Lines::Some);
}

#[test]
#[ignore = "takes many minutes: every line of the journal, by `make labs`"]
fn frr_at_every_line_of_the_journal() {
    matrix("frr", Lines::Every);
}

#[test]
#[ignore = "takes many minutes: every line of the journal, by `make labs`"]
fn bird_at_every_line_of_the_journal() {
    matrix("bird", Lines::Every);
}
