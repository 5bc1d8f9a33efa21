//! What the tests of real routers share: whether a lab can run here, waits, and programs on nodes.

use std::{
    io::{Read as _, Write as _},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use weft_lab::netns::{Lab, missing};

/// The most that a single wait may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Tells whether a lab can run here, and says why if not.
pub(crate) fn is_possible() -> bool {
    let missing = missing();
    if !missing.is_empty() {
        // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
        let _ = writeln!(std::io::stderr(), "SKIPPED, the lab of real routers needs: {}", missing.join(", "));
    }
    missing.is_empty()
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "waited {} s for {what}", LIMIT.as_secs());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Runs a program on a node, and returns what it printed.
#[track_caller]
pub(crate) fn on(lab: &Lab, node: &str, argv: &[&str]) -> String {
    let output = lab.exec(node, argv).expect("the node runs programs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{node} {argv:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// A ping that runs on.
pub(crate) struct Ping(Child);

impl Ping {
    /// Starts to send echo requests from a host, one every so many seconds.
    pub(crate) fn start(lab: &Lab, host: &str, to: &str, interval: &str) -> Self {
        let mut command =
            lab.command(host, &["ping", "-n", "-q", "-i", interval, "-W", "5", to]).expect("the host is there");
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("ping starts"))
    }

    /// Ends it, and returns how many requests were sent and how many answers came.
    pub(crate) fn end(mut self) -> (u32, u32) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).expect("a pid")), Signal::SIGINT).expect("interrupt ping");
        let mut printed = String::new();
        self.0.stdout.take().expect("it is piped").read_to_string(&mut printed).expect("ping prints text");
        self.0.wait().expect("ping ends");
        let line = printed.lines().find(|line| line.contains("packets transmitted")).expect("ping counts").to_owned();
        let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok());
        (numbers.next().expect("sent"), numbers.next().expect("received"))
    }
}
