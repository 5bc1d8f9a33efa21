//! What the tests of real routers share: whether a lab can run here, waits, and programs on nodes.

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
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
