//! Ends the controller without a chance to tidy up at a line of the journal, lets `weft resume` or `weft abort` put things right,
//! and looks at all that devices run then.
//!
//! The `weft` command is the one that users run. `strace` kills it when it is about to sync the journal for the nth time: the line
//! is written, what it says is not done. One thread syncs all lines. It would sync those of devices that wait at the same time together,
//! so one device at a time is worked on: then each line has a sync of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    process::Command,
    time::Instant,
};

use super::{Project, Ran};

/// What a run that was cut off is brought to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Resume,
    Abort,
}

/// What is looked at on the devices: the texts that run, and by device why it is not at rest.
pub(crate) trait Eyes {
    fn running(&self) -> BTreeMap<String, String>;
    fn restless(&self) -> Vec<String>;
}

/// How many devices ended how.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) kills: usize,
    pub(crate) new: usize,
    pub(crate) old: usize,
    pub(crate) other: usize,
    pub(crate) restless: usize,
    /// The lines of the journal at which the controller was killed: what they say was not done, or not known to be.
    pub(crate) lines: BTreeSet<String>,
}

impl Counts {
    /// Says how it went, and panics unless every device ended as asked.
    #[track_caller]
    pub(crate) fn all_well(&self, what: &str, end: End, devices: usize) {
        let Self { kills, new, old, other, restless, .. } = self;
        say(&format!(
            "{what} {end:?}: {kills} kills, {new} devices new, {old} old, {other} other; {restless} armed or locked"
        ));
        let all = kills * devices;
        let (wanted_new, wanted_old) = if end == End::Resume { (all, 0) } else { (0, all) };
        assert_eq!((*new, *old, *other, *restless), (wanted_new, wanted_old, 0, 0), "{what} {end:?}");
        assert!(*kills > 0);
    }
}

/// Straight to the stream: what `eprintln!` says in a test that passes is kept back.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Tells whether processes can be killed at a system call here, and says so if not.
pub(crate) fn can_kill() -> bool {
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync", "true"]).output();
    let possible = traced.is_ok_and(|ran| ran.status.success());
    if !possible {
        say("SKIPPED, killing the controller at each line of its journal needs: strace, and leave to trace");
    }
    possible
}

/// Returns the command that runs `weft` under strace.
pub(crate) fn traced(project: &Project, line: &str, expression: &str, to: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", to, "-e", "trace=fsync,fdatasync", "-e", expression]);
    let weft = project.command(line.split(' '));
    command.arg(weft.get_program()).args(weft.get_args()).current_dir(project.path());
    command.env("NO_COLOR", "1").env_remove("SSH_AUTH_SOCK").env("TOKIO_WORKER_THREADS", "1");
    command
}

const FILE: &str = "intents/network.yaml";
/// What is changed to and fro: what the routing daemon runs, and what stands beside it.
const TEXTS: [[&str; 2]; 2] =
    [["maximum_paths: 8", "maximum_paths: 4"], ["servers: [10.255.0.250]", "servers: [10.255.0.251]"]];

/// A project whose network goes from one of two states to the other, and is cut off on the way.
pub(crate) struct Matrix<'p> {
    project: &'p Project,
    eyes: &'p dyn Eyes,
    name: &'p str,
    /// What devices run in both states.
    states: [BTreeMap<String, String>; 2],
    /// In which of them they are.
    at: usize,
    /// How often a whole run syncs its journal.
    pub(crate) syncs: usize,
    /// The lines that it writes before something is done.
    lines: BTreeSet<String>,
}

impl<'p> Matrix<'p> {
    /// Brings a network, which is bare, to both states in turn.
    pub(crate) fn new(project: &'p Project, eyes: &'p dyn Eyes, name: &'p str) -> Self {
        project.edit("pipeline/default.yaml", "concurrency: 16\n        converge", "concurrency: 1\n        converge");
        project.weft("-q apply").expect(0);
        let first = eyes.running();
        let mut matrix =
            Self { project, eyes, name, states: [first.clone(), first], at: 0, syncs: 0, lines: BTreeSet::new() };
        matrix.intend(1);
        let counted = project.path().join("syncs");
        let ran = matrix.traced("apply", "trace=fdatasync", counted.to_str().expect("a path"));
        ran.expect(0);
        let calls = fs::read_to_string(&counted).expect("what strace wrote");
        let calls: Vec<&str> = calls.lines().filter(|line| line.contains("fdatasync(")).collect();
        let threads: BTreeSet<_> = calls.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(threads.len(), 1, "one thread writes the journal: {calls:#?}");
        matrix.syncs = calls.len();
        matrix.lines = matrix.journal().iter().filter_map(before).collect();
        matrix.states[1] = eyes.running();
        matrix.at = 1;
        assert_ne!(matrix.states[0], matrix.states[1]);
        matrix
    }

    /// Lets the intents say one of the two states.
    pub(crate) fn intend(&self, state: usize) {
        for texts in TEXTS {
            self.project.edit(FILE, texts[1 - state], texts[state]);
        }
    }

    /// Runs `weft` under strace.
    fn traced(&self, line: &str, expression: &str, to: &str) -> Ran {
        traced(self.project, line, expression, to).output().expect("strace starts").into()
    }

    /// Runs `weft`, and kills it when it syncs the journal for the nth time. Tells whether it was killed.
    pub(crate) fn cut(&self, line: &str, nth: usize) -> bool {
        let ran = self.traced(line, &format!("inject=fdatasync:signal=SIGKILL:when={nth}"), "/dev/null");
        // Killed with what it traces, strace has no exit code.
        if ran.code != -1 {
            ran.expect(0);
            return false;
        }
        true
    }

    /// Returns the lines of the newest journal.
    fn journal(&self) -> Vec<serde_json::Value> {
        let runs = fs::read_dir(self.project.path().join(".weft/runs")).expect("runs");
        let newest = runs.flatten().map(|run| run.path()).max().expect("a run");
        let journal = fs::read_to_string(newest.join("journal.jsonl")).expect("a journal");
        journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Starts the way to the other state, and kills the controller at the nth sync. Returns what the journal says last.
    #[track_caller]
    pub(crate) fn cut_off(&self, nth: usize) -> String {
        self.intend(1 - self.at);
        assert!(self.cut("-q apply", nth), "{}: the run went on to its end at {nth}", self.name);
        self.project.weft("runs").expect(0).says("interrupted");
        self.journal().last().and_then(before).expect("a line before a step")
    }

    /// Brings the run to its end, and counts.
    #[track_caller]
    pub(crate) fn end(&mut self, end: End, at: &str, counts: &mut Counts) {
        let began = Instant::now();
        let ran = self.project.weft(if end == End::Resume { "resume latest" } else { "abort latest" }).expect(0);
        let found: Vec<&str> =
            ran.err.lines().filter_map(|line| line.strip_prefix("    r")).filter(|line| line.contains(": ")).collect();
        let [old, new] = [&self.states[self.at], &self.states[1 - self.at]];
        let running = self.eyes.running();
        counts.kills += 1;
        for (device, text) in &running {
            if *text == old[device] {
                counts.old += 1;
            } else if *text == new[device] {
                counts.new += 1;
            } else {
                counts.other += 1;
                say(&format!("{device} runs neither:\n{text}\n-- old\n{}\n-- new\n{}", old[device], new[device]));
            }
        }
        let restless = self.eyes.restless();
        counts.restless += restless.len();
        say(&format!(
            "{} {end:?}, killed at {at}: found r{}; {} s{}",
            self.name,
            found.join(", r"),
            began.elapsed().as_secs(),
            restless.concat()
        ));
        self.ended(end);
    }

    /// A run came to its end: the intents say what devices run.
    #[track_caller]
    pub(crate) fn ended(&mut self, end: End) {
        self.project.weft("runs").expect(0).does_not_say("interrupted");
        match end {
            End::Resume => self.at = 1 - self.at,
            End::Abort => self.intend(self.at),
        }
        self.project.weft("-q plan").expect(0).says("no change");
    }

    /// Kills the controller at each of these syncs, and brings each run to its end.
    #[track_caller]
    pub(crate) fn some(&mut self, end: End, syncs: impl Iterator<Item = usize>) -> Counts {
        let mut counts = Counts::default();
        for nth in syncs {
            let line = self.cut_off(nth);
            self.end(end, &format!("line {nth} of {}, before {line}", self.syncs), &mut counts);
            counts.lines.insert(line);
        }
        counts
    }

    /// Kills the controller at every line of its journal, and brings each run to its end.
    #[track_caller]
    pub(crate) fn every(&mut self, end: End) -> Counts {
        let counts = self.some(end, 1..=self.syncs);
        assert_eq!(counts.lines, self.lines, "it was killed at every line");
        counts
    }
}

/// Returns in words what a line says that is about to be done, or was decided.
fn before(line: &serde_json::Value) -> Option<String> {
    (line["device"].is_null() || line["moment"]["is"] == "before").then(|| what(line))
}

/// Returns in words what a line is about.
fn what(line: &serde_json::Value) -> String {
    let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    match line["device"].as_str() {
        Some(device) => format!("{} {device}", word("step")),
        None => format!("{} {}", word("wave"), word("turn")),
    }
}
