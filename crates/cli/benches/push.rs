//! How long a push of the example network to 20 real routers takes, and what it costs the controller: from bare routers to all
//! of it, and one line more on each of them.
//!
//! `cargo bench -p weft-cli --bench push`; needs what the lab of network namespaces needs, and says so where it is missing.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failure ends the run, and the figures are its result")]
#![allow(dead_code, reason = "the tests use more of their module")]

#[path = "../../../tests/weft/mod.rs"]
mod weft;

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use weft::Project;

/// The parts of a second that the kernel counts processor time in (`getconf CLK_TCK`); Linux has no other number.
const TICKS: f64 = 100.0;

/// What a process has used so far.
#[derive(Default)]
struct Usage {
    peak_mib: f64,
    cpu_seconds: f64,
}

impl Usage {
    fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak: f64 = peak.split_whitespace().next()?.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name in parentheses: the state, then 10 numbers, then the ticks in user and system mode.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        Some(Self { peak_mib: peak / 1024.0, cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS })
    }
}

/// Runs the pipeline, and prints how long its push took and what all of it used.
fn measure(project: &Project, name: &str) {
    let begun = Instant::now();
    let mut child = project.command(["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut usage = Usage::default();
    let status = loop {
        usage = Usage::of(child.id()).unwrap_or(usage);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success(), "weft run: {status}");
    let runs = fs::read_dir(project.path().join(".weft/runs")).unwrap().flatten();
    let newest = runs.map(|run| run.path().join("push.json")).filter(|push| push.exists()).max().unwrap();
    let push: serde_json::Value = serde_json::from_str(&fs::read_to_string(newest).unwrap()).unwrap();
    let devices = push["devices"].as_object().unwrap().values();
    let confirmed = devices.filter(|device| device["result"]["is"] == "confirmed").count();
    let push_seconds = push["seconds"].as_f64().unwrap();
    println!(
        "{name}: push of {confirmed} routers in {} waves {push_seconds:.1} s, {:.1} routers/s; whole run {seconds:.1} s; \
         weft: {:.0} MiB at most, {:.1} s of processor time",
        push["waves"].as_array().unwrap().len(),
        confirmed as f64 / push_seconds,
        usage.peak_mib,
        usage.cpu_seconds
    );
}

fn main() {
    let missing = weft_lab::netns::missing();
    if !missing.is_empty() {
        println!("SKIPPED, the lab of real routers needs: {}", missing.join(", "));
        return;
    }
    let project = Project::example();
    project.weft("lab up --backend netns").expect(0);
    measure(&project, "bare routers");
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    measure(&project, "another NTP server");
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    measure(&project, "a line of BGP");
}
