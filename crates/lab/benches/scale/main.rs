//! How fast 1,000 devices are pushed and verified, what 5,000 open sessions cost, and how the same work compares with Python:
//! emulated switches in a process of their own, on the processors of this machine.
//!
//! `cargo bench --workspace --bench scale`; `-- 200` for another number of devices. The comparison needs python3 with venv and
//! pip, and says so where they are missing.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a failure ends the run, and the figures are its result")]

mod fleet;
mod python;
mod usage;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use fleet::Fleet;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{sync::Semaphore, task::JoinSet};
use usage::Usage;
use weft_model::NodeName;
use weft_pack::manifest::{Arm, Manifest, Step};
use weft_pipeline::{
    definition::{PushStage, VerifyStage},
    reach::Reach,
    stages,
};
use weft_push::{DeviceResult, PushReport};
use weft_ssh::{Limits, Pool, SecretStore, Session};
use weft_verify::{Compliance, ObserveTarget};

/// How many devices without an argument.
const DEVICES: usize = 1000;
/// How many sessions of a device are held open.
const HELD: usize = 5;
/// How many devices are worked on at the same time, by Weft as by the scripts.
const CONCURRENCY: u16 = 64;
/// The limit of the client's memory while it holds 5,000 sessions.
const MEMORY_LIMIT_MIB: f64 = 1024.0;
/// What the fleet of switches is told when it is to be one.
const SERVE: &str = "serve";

/// The other process: the switches. It ends with this value.
struct Switches {
    child: Child,
}

impl Switches {
    /// Starts them, and waits until SSH answers on all.
    fn start(devices: usize, folder: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(SERVE).arg(devices.to_string()).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n", "the switches do not start");
        Self { child }
    }
}

impl Drop for Switches {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    // Each session is a socket here, and two descriptors at the switches.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.as_slice() {
        [word, devices, folder] if word == SERVE => {
            runtime.block_on(fleet::serve(devices.parse().unwrap(), Path::new(folder)));
        }
        [] => measure(&runtime, DEVICES, hard),
        [devices] => measure(&runtime, devices.parse().unwrap(), hard),
        _ => panic!("one argument at most: the number of devices"),
    }
}

fn measure(runtime: &tokio::runtime::Runtime, devices: usize, descriptors: u64) {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let switches = Switches::start(devices, folder.path());
    let server = switches.child.id();
    println!("{devices} switches in process {server} after {:.1} s", begun.elapsed().as_secs_f64());
    let fleet = Fleet::new(devices);
    let inventory = fleet::inventory(folder.path());
    assert_eq!(inventory.devices.len(), devices);
    let store = Arc::new(SecretStore::default());
    let reach = Reach::new(&fleet.project, &fleet.compiled, inventory.clone(), store);
    let targets = reach.targets(&fleet.compiled);

    runtime.block_on(transaction(&fleet, &reach, folder.path(), server));
    let weft = runtime.block_on(same_work(&targets, &reach.limits, server));
    if (devices * HELD) as u64 * 2 + 2 * devices as u64 > descriptors {
        println!("NOT HELD: {} sessions need more than {descriptors} file descriptors (ulimit -n)", devices * HELD);
    } else {
        runtime.block_on(hold(&targets, &reach.limits, server));
    }
    for rate in python::measure(folder.path(), &inventory, server, CONCURRENCY) {
        println!("    weft does the same work {:.1} times as fast", weft / rate);
    }
}

/// Reads, plans, pushes and verifies every device.
async fn transaction(fleet: &Fleet, reach: &Reach, folder: &Path, server: u32) {
    let Fleet { project, compiled, .. } = fleet;
    let devices = compiled.rendered.len() as f64;
    let before = Usage::of_both(server);
    let begun = Instant::now();
    let running = stages::read_running(reach, compiled, CONCURRENCY.into(), |_| ()).await;
    assert!(running.values().all(Result::is_ok), "{running:?}");
    before.print("read what they run", devices, begun.elapsed());

    let waves = weft_plan::WavePolicy { canary: 1, size: 1000 };
    let plan = stages::plan(project, compiled, reach, &running, &waves, None);
    let parameters = PushStage { concurrency: CONCURRENCY, confirm_seconds: 600, ..PushStage::default() };
    let request = stages::PushRequest {
        plan: &plan,
        compiled,
        reach,
        parameters: &parameters,
        run: "scale",
        journal: &folder.join("journal.jsonl"),
        leases: &folder.join("leases"),
        cancel: tokio::sync::watch::channel(false).1,
    };
    let before = Usage::of_both(server);
    let begun = Instant::now();
    let (report, _) = stages::push(request, &()).await.unwrap();
    let pushed = begun.elapsed();
    let failed = report.devices.iter().find(|(_, device)| device.result != DeviceResult::Confirmed);
    assert!(failed.is_none(), "{failed:?} {:?}", report.waves);
    before.print(&format!("push in {} waves", report.waves.len()), devices, pushed);
    let commands = commands(project.packs.values().next().unwrap().manifest());
    println!(
        "    {commands} commands a device besides the gate: {:.0} commands/s",
        commands as f64 * devices / pushed.as_secs_f64()
    );
    steps(&report);

    let predicted = stages::predict(project, compiled);
    let parameters = VerifyStage { concurrency: CONCURRENCY, converge_seconds: 60, ..VerifyStage::default() };
    let before = Usage::of_both(server);
    let begun = Instant::now();
    let converged = stages::verify(project, compiled, &predicted, reach, &parameters, |_| ()).await;
    assert_eq!(converged.assessment.worst(), Compliance::Compliant, "{:?}", converged.assessment.counts());
    let verified = begun.elapsed();
    before.print(&format!("verify in {} rounds", converged.rounds), devices, verified);
    println!("push and verify: {:.1} devices/s", devices / (pushed + verified).as_secs_f64());
    reach.pool.close().await;
}

/// Returns how many commands a transaction that goes well sends to a device, the set-up of its two command lines left out.
fn commands(manifest: &Manifest) -> usize {
    let transaction = &manifest.transaction;
    let count = |step: &Step| step.commands.len();
    let optional = |step: &Option<Step>| step.as_ref().map_or(0, count);
    let files = manifest.files.len();
    let arm = match &transaction.arm {
        Arm::Step(step) => count(step),
        Arm::Apply { .. } => 0,
    };
    optional(&transaction.prepare)
        + [&transaction.lock, &transaction.apply, &transaction.confirm, &transaction.status, &transaction.unlock]
            .map(count)
            .iter()
            .sum::<usize>()
        + files * (count(&transaction.upload) + 2 * count(&transaction.running))
        + optional(&transaction.backup)
        + optional(&transaction.check)
        + optional(&transaction.health)
        + arm
}

/// Prints how long each step took on average.
fn steps(report: &PushReport) {
    let mut sums: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for step in report.devices.values().flat_map(|device| &device.steps) {
        let sum = sums.entry(step.step.to_string()).or_default();
        *sum = (sum.0 + step.seconds, sum.1 + 1);
    }
    let means = sums.iter().map(|(step, (sum, count))| format!("{step} {:.1}", sum / *count as f64 * 1000.0));
    println!("    steps, mean ms: {}", means.collect::<Vec<_>>().join(", "));
}

/// Opens a session with a device and sends it one command.
async fn ask(device: NodeName, target: ObserveTarget, pool: Pool) -> Session<'static> {
    let mut session = pool.open(&device, &target.target, target.pack).await.unwrap();
    ask_again(&mut session).await;
    session
}

async fn ask_again(session: &mut Session<'_>) {
    let step = session.pack().manifest().transaction.status.clone();
    let said = session.step(&step, &BTreeMap::new()).await.unwrap();
    assert!(!said.concat().is_empty());
}

/// Logs in, sends one command and logs out, as the scripts do. Returns how many devices a second.
async fn same_work(targets: &BTreeMap<NodeName, ObserveTarget>, limits: &Limits, server: u32) -> f64 {
    let pool = Pool::new(Arc::new(SecretStore::default()), limits.clone());
    let places = Arc::new(Semaphore::new(CONCURRENCY.into()));
    let before = Usage::of_both(server);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (device, target) in targets.clone() {
        let (places, pool) = (places.clone(), pool.clone());
        tasks.spawn(async move {
            let _place = places.acquire().await.unwrap();
            ask(device, target, pool).await.close().await;
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let took = begun.elapsed();
    before.print("weft: log in, send a command, log out", targets.len() as f64, took);
    targets.len() as f64 / took.as_secs_f64()
}

/// Holds many sessions at once, sends a command over each when all are there, and looks at the memory.
async fn hold(targets: &BTreeMap<NodeName, ObserveTarget>, limits: &Limits, server: u32) {
    let pool = Pool::new(Arc::new(SecretStore::default()), limits.clone());
    let places = Arc::new(Semaphore::new(CONCURRENCY.into()));
    usage::reset_peak();
    let resting = Usage::of(std::process::id()).unwrap().peak_mib;
    let before = Usage::of_both(server);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..HELD {
        for (device, target) in targets.clone() {
            let (places, pool) = (places.clone(), pool.clone());
            tasks.spawn(async move {
                let _place = places.acquire().await.unwrap();
                ask(device, target, pool).await
            });
        }
    }
    let mut sessions = Vec::new();
    while let Some(session) = tasks.join_next().await {
        sessions.push(session.unwrap());
    }
    let held = sessions.len();
    before.print(&format!("open {held} sessions and keep them"), held as f64, begun.elapsed());
    let again = Instant::now();
    let mut tasks = JoinSet::new();
    for mut session in sessions {
        tasks.spawn(async move {
            ask_again(&mut session).await;
            session
        });
    }
    let mut sessions = Vec::new();
    while let Some(session) = tasks.join_next().await {
        sessions.push(session.unwrap());
    }
    println!("    a command over each of them at once: {:.1} s", again.elapsed().as_secs_f64());
    let peak = Usage::of(std::process::id()).unwrap().peak_mib;
    let each = (peak - resting) * 1024.0 / held as f64;
    println!("    client: {peak:.0} MiB at most, {each:.0} KiB a session; the limit is {MEMORY_LIMIT_MIB:.0} MiB");
    assert!(peak < MEMORY_LIMIT_MIB, "too much memory");
    for session in sessions {
        session.close().await;
    }
}
