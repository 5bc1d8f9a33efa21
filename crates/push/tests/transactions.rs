//! Pushes to real SSH servers on loopback, with everything that goes wrong on the way.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod devices;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use devices::{Lab, key, new_text, old_text, rendered};
use tokio::sync::watch;
use weft_model::{Network, NodeName, SecretDigests};
use weft_pack::Rendered;
use weft_plan::{Plan, PlanInputs, WavePolicy, plan};
use weft_push::{
    Atomicity, DeviceResult, Journal, Moment, Observer, PushEvent, PushInputs, PushPolicy, PushReport, StepName,
    UnreachablePolicy, WaveOutcome, push,
};
use weft_ssh::{Limits, SecretStore, Session};

/// What a test gives to `push`.
struct Case<'a> {
    lab: &'a Lab,
    rendered: BTreeMap<NodeName, Rendered>,
    plan: Plan,
    policy: PushPolicy,
    run: &'a str,
}

impl<'a> Case<'a> {
    /// Every device gets its new text, in waves of `wave`.
    async fn new(lab: &'a Lab, wave: usize) -> Self {
        Self::with(lab, wave, new_text).await
    }

    async fn with(lab: &'a Lab, wave: usize, text: impl Fn(&str) -> String) -> Self {
        let rendered: BTreeMap<NodeName, Rendered> = lab
            .inventory
            .devices
            .keys()
            .map(|name| (name.clone(), rendered(name.as_str(), &text(name.as_str()))))
            .collect();
        let mut running = BTreeMap::new();
        let pack = lab.packs.values().next().unwrap();
        let secrets = SecretStore::default();
        for (name, target) in &lab.inventory.devices {
            let read = async {
                let mut session = Session::open(name, target, pack.clone(), &limits(), &secrets).await?;
                let running = session.running().await?;
                session.close().await;
                Ok::<_, weft_ssh::SessionError>(running)
            };
            running.insert(name.clone(), read.await.map_err(|error| error.to_string()));
        }
        let plan = plan(&PlanInputs {
            commit: None,
            weft: "0",
            rendered: &rendered,
            running: &running,
            packs: &lab.packs,
            network: &Network::default(),
            waves: &WavePolicy { canary: 0, size: wave },
            absences: &|_| BTreeSet::new(),
            secrets: &SecretDigests::default(),
        });
        // Without links the planner puts one device in use into a wave; these tests decide by themselves.
        let plan = in_waves(plan, wave);
        let policy = PushPolicy { confirm_seconds: 8, limits: limits(), ..PushPolicy::default() };
        for name in lab.inventory.devices.keys() {
            let _ = fs::remove_file(lab.path(name.as_str(), "steps"));
        }
        Self { lab, rendered, plan, policy, run: "run-1" }
    }

    async fn push(&self) -> PushReport {
        self.push_with(async |_: &WaveOutcome| Ok(()), &(), watch::channel(false).1).await
    }

    async fn push_with(
        &self,
        gate: impl AsyncFn(&WaveOutcome) -> Result<(), String>,
        observer: &dyn Observer,
        cancel: watch::Receiver<bool>,
    ) -> PushReport {
        let folder = self.lab.folder.path();
        let journal = Journal::open(&folder.join("journal")).unwrap();
        let inputs = PushInputs {
            plan: &self.plan,
            rendered: &self.rendered,
            inventory: &self.lab.inventory,
            packs: &self.lab.packs,
            secrets: &SecretStore::default(),
            policy: &self.policy,
            run: self.run,
            journal: &journal,
            leases: &folder.join("leases"),
            cancel,
        };
        push(&inputs, gate, observer).await
    }
}

fn in_waves(mut plan: Plan, size: usize) -> Plan {
    let all: Vec<NodeName> = plan.waves.iter().flat_map(|wave| wave.devices.clone()).collect();
    let template = plan.waves.first().cloned();
    plan.waves = all
        .chunks(size)
        .enumerate()
        .map(|(number, devices)| weft_plan::Wave {
            name: format!("wave {}", number + 1),
            devices: devices.to_vec(),
            ..template.clone().unwrap()
        })
        .collect();
    plan
}

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(5), authenticate: Duration::from_secs(20), ..Limits::default() }
}

fn result<'r>(report: &'r PushReport, device: &str) -> &'r DeviceResult {
    &report.devices[&device.parse::<NodeName>().unwrap()].result
}

/// Asserts that a device runs its old text.
#[track_caller]
fn is_old(lab: &Lab, device: &str) {
    assert_eq!(lab.running(device), old_text(device), "{device}");
}

#[tokio::test]
async fn a_change_is_confirmed_and_the_next_plan_is_empty() {
    let Some(lab) = Lab::start(&["a", "b", "c"]) else { return };
    let case = Case::new(&lab, 2).await;
    let seen = Mutex::new(Vec::new());
    let gate = async |wave: &WaveOutcome| {
        seen.lock().unwrap().push((wave.devices.len(), wave.changed.len(), wave.waiting.len()));
        Ok(())
    };
    let report = case.push_with(gate, &(), watch::channel(false).1).await;
    assert!(report.succeeded(), "{report:#?}");
    assert_eq!(*seen.lock().unwrap(), [(2, 2, 1), (1, 3, 0)]);
    for device in ["a", "b", "c"] {
        assert_eq!(lab.running(device), new_text(device));
        let order: Vec<StepName> =
            report.devices[&device.parse::<NodeName>().unwrap()].steps.iter().map(|step| step.step).collect();
        use StepName::*;
        assert_eq!(
            order,
            [Connect, Lock, Compare, Backup, Upload, Check, Arm, Apply, Reconnect, Health, ReadBack, Confirm, Unlock]
        );
    }
    let journal = Journal::read(&lab.folder.path().join("journal")).unwrap();
    let of_a: Vec<_> =
        journal.iter().filter(|entry| entry.device.as_str() == "a").map(|e| (e.step, &e.moment)).collect();
    use StepName::{Apply, Arm, Confirm, Lock, Unlock};
    let pair = |step| [(step, &Moment::Before), (step, &Moment::Done)];
    assert_eq!(of_a[0], (Lock, &Moment::Before));
    assert_eq!(of_a[1..], [Arm, Apply, Confirm, Unlock].map(pair).concat());

    let again = Case::new(&lab, 2).await;
    assert!(!again.plan.has_changes());
    let report = again.push().await;
    assert!(report.succeeded() && *result(&report, "a") == DeviceResult::Unchanged);
    assert!(lab.steps("a").is_empty(), "a device that does not change is not even asked");
}

#[tokio::test]
async fn a_line_that_a_device_refuses_changes_nothing_anywhere() {
    let Some(lab) = Lab::start(&["a", "b"]) else { return };
    let text = |device: &str| new_text(device) + if device == "b" { "bad line\n" } else { "" };
    let report = Case::with(&lab, 2, text).await.push().await;
    let DeviceResult::FailedBeforeChange { step: StepName::Check, reason } = result(&report, "b") else {
        panic!("{report:#?}")
    };
    assert!(reason.contains("exit status 2") && reason.contains("line 5: unknown command"), "{reason}");
    let line = report.devices[&"b".parse::<NodeName>().unwrap()].line.clone().unwrap();
    assert_eq!((line.line, line.text.as_str()), (5, "bad line"));
    assert!(matches!(result(&report, "a"), DeviceResult::Skipped { .. }));
    for device in ["a", "b"] {
        is_old(&lab, device);
        assert!(!lab.steps(device).contains(&"arm".to_owned()) && !lab.path(device, "lock").exists());
    }
}

#[tokio::test]
async fn a_half_applied_change_is_rolled_back_with_its_wave() {
    let Some(lab) = Lab::start(&["a", "b"]) else { return };
    lab.fault("b", "half-apply");
    let report = Case::new(&lab, 2).await.push().await;
    let DeviceResult::RolledBack { step: StepName::Apply, reason } = result(&report, "b") else {
        panic!("{report:#?}")
    };
    assert!(reason.contains("stopped in the middle"));
    assert!(matches!(result(&report, "a"), DeviceResult::RolledBack { step: StepName::Gate, .. }), "{report:#?}");
    is_old(&lab, "a");
    is_old(&lab, "b");
}

#[tokio::test]
async fn a_step_that_stalls_is_a_time_out_and_is_rolled_back() {
    let Some(lab) = Lab::start(&["a"]) else { return };
    lab.fault("a", "stall-apply");
    let report = Case::new(&lab, 1).await.push().await;
    let DeviceResult::RolledBack { step: StepName::Apply, reason } = result(&report, "a") else {
        panic!("{report:#?}")
    };
    assert!(reason.contains("waited 3 s for"), "{reason}");
    is_old(&lab, "a");
}

#[tokio::test]
async fn a_device_that_cuts_itself_off_goes_back_by_itself() {
    let Some(lab) = Lab::start(&["a"]) else { return };
    lab.fault("a", "cut-apply");
    let report = Case::new(&lab, 1).await.push().await;
    assert!(
        matches!(result(&report, "a"), DeviceResult::WentBackByItself { step: StepName::Apply, .. }),
        "{report:#?}"
    );
    is_old(&lab, "a");
}

#[tokio::test]
async fn an_unhealthy_network_takes_back_the_whole_run() {
    let Some(lab) = Lab::start(&["a", "b"]) else { return };
    let gate = async |wave: &WaveOutcome| if wave.index == 1 { Err("two sessions are down".into()) } else { Ok(()) };
    let report = Case::new(&lab, 1).await.push_with(gate, &(), watch::channel(false).1).await;
    for device in ["a", "b"] {
        let DeviceResult::RolledBack { step: StepName::Gate, reason } = result(&report, device) else {
            panic!("{report:#?}")
        };
        assert!(reason.contains("two sessions are down"));
        is_old(&lab, device);
    }
    assert!(!report.succeeded() && report.waves[0].failure.is_none() && report.waves[1].failure.is_some());
}

#[tokio::test]
async fn atomicity_decides_what_stays() {
    let Some(lab) = Lab::start(&["a", "b", "c"]) else { return };
    lab.fault("b", "half-apply");
    let mut case = Case::new(&lab, 1).await;
    case.policy.atomicity = Atomicity::Wave;
    let report = case.push().await;
    assert_eq!(*result(&report, "a"), DeviceResult::Confirmed);
    assert!(matches!(result(&report, "b"), DeviceResult::RolledBack { .. }));
    assert!(matches!(result(&report, "c"), DeviceResult::Skipped { .. }));
    is_old(&lab, "c");

    let mut case = Case::new(&lab, 3).await;
    case.policy.atomicity = Atomicity::Device;
    case.run = "run-2";
    let report = case.push().await;
    assert!(matches!(result(&report, "b"), DeviceResult::RolledBack { .. }), "{report:#?}");
    assert_eq!(*result(&report, "c"), DeviceResult::Confirmed);
}

#[tokio::test]
async fn a_device_that_moved_since_the_plan_is_left_alone() {
    let Some(lab) = Lab::start(&["a"]) else { return };
    let case = Case::new(&lab, 1).await;
    let by_hand = old_text("a") + "by hand\n";
    fs::write(lab.path("a", "running"), &by_hand).unwrap();
    let report = case.push().await;
    assert!(matches!(result(&report, "a"), DeviceResult::FailedBeforeChange { step: StepName::Compare, .. }));
    assert_eq!(lab.running("a"), by_hand);
    assert!(!lab.path("a", "lock").exists());
}

#[tokio::test]
async fn a_device_is_changed_by_one_push_at_a_time() {
    let Some(lab) = Lab::start(&["a"]) else { return };
    let case = Case::new(&lab, 1).await;
    let other = weft_push::Lease::take(&lab.folder.path().join("leases"), &"a".parse().unwrap(), "run-0").unwrap();
    let report = case.push().await;
    let DeviceResult::FailedBeforeChange { step: StepName::Lease, reason } = result(&report, "a") else {
        panic!("{report:#?}")
    };
    assert!(reason.contains("transaction run-0"), "{reason}");
    drop(other);
    // The device's own lock holds against pushes that know nothing of these leases.
    fs::create_dir(lab.path("a", "lock")).unwrap();
    fs::write(lab.path("a", "lock/id"), "run-from-elsewhere").unwrap();
    let report = case.push().await;
    let DeviceResult::FailedBeforeChange { step: StepName::Lock, reason } = result(&report, "a") else {
        panic!("{report:#?}")
    };
    assert!(reason.contains("locked by run-from-elsewhere"), "{reason}");
    assert!(lab.path("a", "lock").exists(), "the other's lock stays");
}

#[tokio::test]
async fn the_lock_of_a_controller_that_died_is_taken_over_and_that_is_written_down() {
    let Some(lab) = Lab::start(&["a"]) else { return };
    let case = Case::new(&lab, 1).await;
    fs::create_dir(lab.path("a", "lock")).unwrap();
    fs::write(lab.path("a", "lock/id"), "run-0").unwrap();
    // What a lease looks like whose holder did not end by itself: two crashed, and nobody knows whose lock it is.
    let lease = lab.folder.path().join("leases/a.lease");
    fs::create_dir_all(lease.parent().unwrap()).unwrap();
    fs::write(&lease, "transaction run-00, dead\ntransaction run-0, process 1\n").unwrap();
    let report = case.push().await;
    assert!(report.succeeded(), "{report:#?}");
    assert_eq!(lab.running("a"), new_text("a"));
    let entries = Journal::read(&lab.folder.path().join("journal")).unwrap();
    let taken = entries.iter().filter(|entry| entry.moment == Moment::TakenOver { from: "run-0".into() });
    assert_eq!(taken.count(), 1, "{entries:#?}");
    assert_eq!(fs::read_to_string(&lease).unwrap(), "", "nothing is left of the dead");
}

#[test]
fn the_dead_are_remembered_until_their_locks_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let take = |transaction: &str| weft_push::Lease::take(folder.path(), &"a".parse().unwrap(), transaction).unwrap();
    let lease = folder.path().join("a.lease");
    fs::write(&lease, "transaction run-0, process 1\n").unwrap();
    // This one ends before it gets as far as the lock.
    drop(take("run-1"));
    assert_eq!(take("run-2").dead(), ["run-0"]);
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_given_up_and_the_connection_is_of_use() {
    let Some(lab) = Lab::start(&["a"]) else { return };
    let name: NodeName = "a".parse().unwrap();
    let target = &lab.inventory.devices[&name];
    let known_hosts = weft_ssh::KnownHosts::read(target.known_hosts.as_ref().unwrap()).unwrap();
    let connection = weft_ssh::Connection::open(&name, target, &known_hosts, &limits()).await.unwrap();
    let error = connection.exec("sleep 20; true", None, Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(error, weft_ssh::SshError::TimedOut { .. }), "{error}");
    // OpenSSH passes no signal on where the login is root's: what it runs there must limit itself.
    let after = connection.exec("echo well", None, Duration::from_secs(20)).await.unwrap();
    assert_eq!(after.stdout, "well\n", "the connection is of use afterwards");
}

/// Cancels when a step begins.
struct CancelAt(StepName, watch::Sender<bool>);

impl Observer for CancelAt {
    fn event(&self, event: &PushEvent) {
        if matches!(event, PushEvent::StepBegins { step, .. } if *step == self.0) {
            self.1.send_replace(true);
        }
    }
}

#[tokio::test]
async fn cancelling_takes_back_what_is_not_confirmed() {
    let Some(lab) = Lab::start(&["a", "b"]) else { return };
    for (number, step) in [StepName::Upload, StepName::Apply, StepName::Health].into_iter().enumerate() {
        let run = format!("cancel-{number}");
        let case = Case { run: &run, ..Case::new(&lab, 2).await };
        let (sender, receiver) = watch::channel(false);
        let report = case.push_with(async |_: &WaveOutcome| Ok(()), &CancelAt(step, sender), receiver).await;
        assert!(report.cancelled && !report.succeeded(), "{report:#?}");
        for device in ["a", "b"] {
            is_old(&lab, device);
            assert!(!lab.path(device, "lock").exists(), "{step}: {report:#?}");
        }
    }
    // During the gate.
    let case = Case { run: "cancel-gate", ..Case::new(&lab, 2).await };
    let (sender, receiver) = watch::channel(false);
    let gate = async |_: &WaveOutcome| {
        sender.send_replace(true);
        std::future::pending().await
    };
    let report = case.push_with(gate, &(), receiver).await;
    assert!(matches!(result(&report, "a"), DeviceResult::RolledBack { .. }), "{report:#?}");
    is_old(&lab, "a");
}

#[tokio::test]
async fn an_unreachable_device_is_fatal_or_skipped_as_the_policy_says() {
    let Some(mut lab) = Lab::start(&["a", "b"]) else { return };
    lab.stop("b");
    let mut case = Case::new(&lab, 2).await;
    let report = case.push().await;
    let DeviceResult::Unreachable { reason } = result(&report, "b") else { panic!("{report:#?}") };
    assert!(reason.contains("refused"), "{reason}");
    assert!(matches!(result(&report, "a"), DeviceResult::Skipped { .. }));
    is_old(&lab, "a");
    case.policy.unreachable = UnreachablePolicy::Skip;
    let report = case.push().await;
    assert_eq!(*result(&report, "a"), DeviceResult::Confirmed);
}

#[tokio::test]
async fn keys_are_checked_on_both_sides() {
    let Some(mut lab) = Lab::start(&["a"]) else { return };
    let known = fs::read_to_string(lab.folder.path().join("known_hosts")).unwrap();
    let pack = lab.packs.values().next().unwrap().clone();
    let secrets = SecretStore::default();
    let open = async |lab: &Lab| {
        let name: NodeName = "a".parse().unwrap();
        let target = &lab.inventory.devices[&name];
        Session::open(&name, target, pack.clone(), &limits(), &secrets).await.err().map(|error| error.to_string())
    };
    assert_eq!(open(&lab).await, None);
    // Unknown host key: the message has the line that would accept it.
    fs::write(lab.folder.path().join("known_hosts"), "").unwrap();
    let message = open(&lab).await.unwrap();
    let line = known.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    assert!(message.contains(&format!("add this line to it: {line}")), "{message}");
    // Changed host key.
    key(&lab.folder.path().join("other"));
    let other = fs::read_to_string(lab.folder.path().join("other.pub")).unwrap();
    let host = known.split_whitespace().next().unwrap();
    fs::write(lab.folder.path().join("known_hosts"), format!("{host} {other}")).unwrap();
    let message = open(&lab).await.unwrap();
    assert!(message.contains("has changed") && message.contains("known_hosts:1 has SHA256:"), "{message}");
    fs::write(lab.folder.path().join("known_hosts"), &known).unwrap();
    // A user key that the device does not take, and one that others can read.
    let path = lab.folder.path().join("other");
    lab.target("a").identity = Some(path.clone());
    let message = open(&lab).await.unwrap();
    assert!(message.contains("does not take the key"), "{message}");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let message = open(&lab).await.unwrap();
    assert!(message.contains("chmod 600"), "{message}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_a_time_out_that_says_of_what() {
    let Some(mut lab) = Lab::start(&["a"]) else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    lab.target("a").address = silent.local_addr().unwrap();
    let pack: Arc<_> = lab.packs.values().next().unwrap().clone();
    let name: NodeName = "a".parse().unwrap();
    let limits = Limits { authenticate: Duration::from_millis(300), ..limits() };
    let began = Instant::now();
    let secrets = SecretStore::default();
    let error = Session::open(&name, &lab.inventory.devices[&name], pack, &limits, &secrets).await.err().unwrap();
    assert_eq!(error.to_string(), "a: waited 0.3 s for the SSH key exchange");
    assert!(error.is_unreachable() && began.elapsed() < Duration::from_secs(5));
}
