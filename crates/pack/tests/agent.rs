//! Carries out the transactions of the packs `frr` and `bird` on real daemons, each in a root and a network of its own.
//!
//! Needs root, `unshare`, `nsenter` and the daemons; says so where it skips.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr, reason = "a test that says what it skips")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use weft_device::config::DeviceConfig;
use weft_pack::{
    Pack, Variables,
    manifest::{Arm, Step},
};

const LIMIT: Duration = Duration::from_secs(60);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(name: &str) -> Pack {
    let mut files = BTreeMap::new();
    for folder in ["", "templates", "parsers", "files"] {
        let path = root().join("device-templates").join(name).join(folder);
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let key = Path::new(folder).join(entry.file_name()).to_str().unwrap().to_owned();
            files.insert(key, fs::read_to_string(entry.path()).unwrap());
        }
    }
    Pack::load(name.parse().unwrap(), &files).0.unwrap()
}

/// A running router.
struct Router {
    pack: Pack,
    process: Child,
    init: String,
    _folder: tempfile::TempDir,
}

impl Drop for Router {
    fn drop(&mut self) {
        // `unshare --kill-child` takes every process of the router with it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a command left behind.
#[derive(Debug)]
struct Outcome {
    succeeded: bool,
    output: String,
}

impl Router {
    /// Starts a bare router, or says why not.
    fn start(pack: &str) -> Option<Self> {
        let daemon = if pack == "frr" { "/usr/lib/frr/zebra" } else { "/usr/sbin/bird" };
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let namespaces =
            Command::new("unshare").args(["-m", "-n", "true"]).status().is_ok_and(|status| status.success());
        if !is_root || !namespaces || !Path::new(daemon).exists() {
            // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
            let _ = writeln!(std::io::stderr(), "SKIPPED: the agent of `{pack}` needs root, namespaces and {daemon}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new("unshare")
            .args(["-m", "-u", "-i", "-p", "-n", "-f", "--kill-child", "sh"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agent/router.sh"))
            .args([pack.as_ref(), folder.path()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let mut router = Self { pack: load(pack), process, init: String::new(), _folder: folder };
        wait("the router to boot", || {
            router.init = fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
            !router.init.is_empty() && Path::new(&format!("/proc/{}/root/run/booted", router.init)).exists()
        });
        for port in [1, 15, 16] {
            let link =
                format!("ip link add swp{port} type veth peer name far{port} && ip link set far{port} up mtu 9216");
            assert!(router.shell(&link, None).succeeded);
        }
        Some(router)
    }

    fn shell(&self, script: &str, input: Option<&str>) -> Outcome {
        let mut child = Command::new("nsenter")
            .args(["-t", &self.init, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.unwrap_or_default().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Outcome { succeeded: output.status.success(), output: text }
    }

    /// Runs a step of the manifest; `more` adds to the variables of every step.
    fn step(&self, step: &Step, id: &str, more: &[(&str, &str)]) -> Outcome {
        let mut variables: Variables = [("transaction", id), ("device", "router"), ("seconds", "60")]
            .into_iter()
            .chain(more.iter().copied())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        variables.entry("file".to_owned()).or_default();
        let mut all = Outcome { succeeded: true, output: String::new() };
        for command in &step.commands {
            let command = self.pack.command(command, &variables).unwrap();
            let outcome = self.shell(&command.run, command.input.as_deref());
            all.output.push_str(&outcome.output);
            all.succeeded &= outcome.succeeded;
        }
        all
    }

    fn must(&self, step: &Step, id: &str, more: &[(&str, &str)]) -> String {
        let outcome = self.step(step, id, more);
        assert!(outcome.succeeded, "{step:?}: {}", outcome.output);
        outcome.output
    }

    fn running(&self) -> BTreeMap<String, String> {
        let manifest = self.pack.manifest();
        let text = |file: &str| self.must(&manifest.transaction.running, "x", &[("file", file)]);
        manifest.files.iter().map(|file| (file.name.clone(), text(&file.name))).collect()
    }

    fn status(&self) -> String {
        self.must(&self.pack.manifest().transaction.status, "x", &[]).trim().to_owned()
    }

    fn rendered(&self, case: &str) -> BTreeMap<String, String> {
        let path = root().join("device-templates").join(self.pack.name().as_str()).join("cases/render").join(case);
        let device: DeviceConfig =
            serde_yaml::from_str(&fs::read_to_string(path.join("device.yaml")).unwrap()).unwrap();
        let files = self.pack.render(&device).0.unwrap().files;
        files
            .into_iter()
            .map(|(name, file)| (name, file.text.replace("${secret:env/UNDERLAY_KEY}", "hunter2")))
            .collect()
    }

    /// Everything before `arm`; returns what `check` says.
    fn prepare(&self, id: &str, files: &BTreeMap<String, String>) -> Outcome {
        let t = &self.pack.manifest().transaction;
        self.must(t.prepare.as_ref().unwrap(), id, &[]);
        self.must(&t.lock, id, &[]);
        self.must(t.backup.as_ref().unwrap(), id, &[]);
        for (file, text) in files {
            self.must(&t.upload, id, &[("file", file), ("text", text)]);
        }
        self.step(t.check.as_ref().unwrap(), id, &[])
    }

    fn arm(&self, id: &str, seconds: &str) {
        let Arm::Step(step) = &self.pack.manifest().transaction.arm else { panic!("the agent has a timer") };
        self.must(step, id, &[("seconds", seconds)]);
    }

    /// A whole transaction.
    fn push(&self, id: &str, files: &BTreeMap<String, String>) {
        let t = &self.pack.manifest().transaction;
        let check = self.prepare(id, files);
        assert!(check.succeeded, "{}", check.output);
        self.arm(id, "60");
        self.must(&t.apply, id, &[]);
        self.must(t.health.as_ref().unwrap(), id, &[]);
        assert_eq!(self.status(), format!("armed {id}"));
        self.must(&t.confirm, id, &[]);
        assert_eq!(self.status(), format!("confirmed {id}"));
        self.must(&t.unlock, id, &[]);
        assert_eq!(self.status(), "none");
    }

    /// Tells whether a plan would find nothing to do.
    fn runs(&self, files: &BTreeMap<String, String>) {
        for (file, text) in self.running() {
            let (running, intended) = (self.pack.normalise(&file, &text), self.pack.normalise(&file, &files[&file]));
            assert_eq!(running, intended, "{file}");
        }
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "waited {LIMIT:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn a_configuration_replaces_the_one_before(pack: &str) {
    let Some(router) = Router::start(pack) else { return };
    let t = router.pack.manifest().transaction.clone();
    router.must(t.prepare.as_ref().unwrap(), "x", &[]);
    let bare = router.running();
    let (border, leaf) = (router.rendered("border"), router.rendered("leaf-unnumbered"));
    router.push("t-1", &border);
    router.runs(&border);
    router.push("t-2", &leaf);
    router.runs(&leaf);

    // Back to the first, and from there to the bare router, each from the backup of its transaction.
    let before = router.running();
    router.push("t-3", &border);
    router.must(&t.rollback, "t-3", &[]);
    assert_eq!(router.running(), before);
    let accounts = router.shell("grep -c 'managed by weft' /etc/passwd", None);
    assert_eq!(accounts.output.trim(), "1");
    assert_ne!(bare, before);
}

fn what_is_not_confirmed_goes_back(pack: &str) {
    let Some(router) = Router::start(pack) else { return };
    let t = router.pack.manifest().transaction.clone();
    router.must(t.prepare.as_ref().unwrap(), "x", &[]);
    let bare = router.running();
    let links = router.shell("ip -br link; ip -br -4 addr; cat /etc/passwd /etc/resolv.conf", None).output;
    assert!(router.prepare("t-1", &router.rendered("border")).succeeded);
    router.arm("t-1", "4");
    router.must(&t.apply, "t-1", &[]);
    assert_ne!(router.running(), bare);
    wait("the timer", || router.status() == "rolled-back t-1");
    assert_eq!(router.running(), bare);
    assert_eq!(router.shell("ip -br link; ip -br -4 addr; cat /etc/passwd /etc/resolv.conf", None).output, links);
    let confirm = router.step(&t.confirm, "t-1", &[]);
    assert!(!confirm.succeeded && confirm.output.contains("rolled-back"), "{}", confirm.output);
}

fn nothing_changes_when_a_step_refuses(pack: &str, file: &str, bad: &str, says: &str) {
    let Some(router) = Router::start(pack) else { return };
    let t = router.pack.manifest().transaction.clone();
    router.must(t.prepare.as_ref().unwrap(), "x", &[]);
    let bare = router.running();

    let mut files = router.rendered("border");
    files.get_mut(file).unwrap().push_str(bad);
    let check = router.prepare("t-1", &files);
    assert!(!check.succeeded && check.output.contains(says), "{}", check.output);

    let other = router.step(&t.lock, "t-2", &[]);
    assert!(!other.succeeded && other.output.contains("t-1"), "{}", other.output);
    let early = router.step(&t.apply, "t-1", &[]);
    assert!(!early.succeeded, "applied without a timer");

    router.must(&t.rollback, "t-1", &[]);
    router.must(&t.unlock, "t-1", &[]);
    assert_eq!(router.running(), bare);

    // An account that is somebody else's is not taken over.
    assert!(router.shell("useradd -c someone netops", None).succeeded);
    let check = router.prepare("t-3", &router.rendered("border"));
    assert!(!check.succeeded && check.output.contains("netops"), "{}", check.output);
}

/// Traffic is kept away from the beginning of a change to its end, however it ends, and nothing else tells of it.
#[test]
fn frr_is_drained_while_it_changes() {
    let Some(router) = Router::start("frr") else { return };
    let t = router.pack.manifest().transaction.clone();
    let drain = t.drain.as_ref().unwrap();
    let drained =
        || router.shell("vtysh -c 'show running-config' | grep -q '^ bgp graceful-shutdown$'", None).succeeded;
    let saved = || router.shell("cat /etc/frr/frr.conf", None).output;
    let border = router.rendered("border");
    // A line that only frr-reload.py takes away.
    let mut other = border.clone();
    let text = other.get_mut("frr.conf").unwrap();
    *text = text.replace("maximum-paths 16", "maximum-paths 8");
    assert_ne!(other, border);
    router.must(t.prepare.as_ref().unwrap(), "x", &[]);
    router.push("t-1", &border);

    assert!(router.prepare("t-2", &other).succeeded);
    let (before, saved_before) = (router.running(), saved());
    router.arm("t-2", "60");
    router.must(drain, "t-2", &[]);
    assert!(drained() && router.running() == before);
    router.must(&t.apply, "t-2", &[]);
    router.must(t.health.as_ref().unwrap(), "t-2", &[]);
    router.runs(&other);
    assert!(drained());
    assert_eq!(saved(), saved_before, "nothing is saved before it is confirmed");
    router.must(&t.confirm, "t-2", &[]);
    router.must(&t.unlock, "t-2", &[]);
    router.runs(&other);
    assert!(!drained() && saved().contains("maximum-paths 8") && !saved().contains("graceful-shutdown"));

    let (before, saved_before) = (router.running(), saved());
    assert!(router.prepare("t-3", &border).succeeded);
    router.arm("t-3", "60");
    router.must(drain, "t-3", &[]);
    router.must(&t.apply, "t-3", &[]);
    router.must(&t.rollback, "t-3", &[]);
    router.must(&t.unlock, "t-3", &[]);
    assert!(!drained() && router.running() == before && saved() == saved_before);

    assert!(router.prepare("t-4", &border).succeeded);
    router.arm("t-4", "4");
    router.must(drain, "t-4", &[]);
    wait("the timer", || router.status() == "rolled-back t-4");
    assert!(!drained() && router.running() == before && saved() == saved_before);
}

#[test]
fn frr_replaces() {
    a_configuration_replaces_the_one_before("frr");
}

#[test]
fn bird_replaces() {
    a_configuration_replaces_the_one_before("bird");
}

#[test]
fn frr_goes_back() {
    what_is_not_confirmed_goes_back("frr");
}

#[test]
fn bird_goes_back() {
    what_is_not_confirmed_goes_back("bird");
}

#[test]
fn frr_refuses() {
    nothing_changes_when_a_step_refuses("frr", "frr.conf", "banana\n", "Unknown command");
}

#[test]
fn bird_refuses() {
    nothing_changes_when_a_step_refuses("bird", "bird.conf", "banana\n", "syntax error");
}

/// FRR takes a configuration for a daemon that is not there without a word.
#[test]
fn a_dead_daemon_is_no_success() {
    let Some(router) = Router::start("frr") else { return };
    let t = router.pack.manifest().transaction.clone();
    assert!(router.prepare("t-1", &router.rendered("border")).succeeded);
    router.arm("t-1", "60");
    assert!(router.shell("kill -9 $(cat /run/frr/bgpd.pid)", None).succeeded);
    let apply = router.step(&t.apply, "t-1", &[]);
    assert!(!apply.succeeded && apply.output.contains("bgpd"), "{}", apply.output);
}

/// A change by hand is a difference to the plan.
#[test]
fn drift_is_seen() {
    let Some(router) = Router::start("frr") else { return };
    let files = router.rendered("border");
    router.push("t-1", &files);
    let by_hand = "ip link set swp15 mtu 1400; ip link set swp16 down; echo 'nameserver 192.0.2.53' >>/etc/resolv.conf; \
                   echo 'ssh-ed25519 AAAA intruder' >>/home/netops/.ssh/authorized_keys; \
                   vtysh -c 'configure terminal' -c 'interface swp1' -c 'description by hand'";
    assert!(router.shell(by_hand, None).succeeded);
    let running = router.running();
    assert!(running["links.conf"].contains("swp15 mtu 1400\nswp16 mtu 9100 down\n"), "{}", running["links.conf"]);
    assert!(running["services.conf"].contains("dns 192.0.2.53"));
    assert!(running["users.conf"].contains("intruder"));
    assert!(running["frr.conf"].contains("description by hand"));
    router.push("t-2", &files);
    router.runs(&files);
}

/// One agent for both packs: the folders carry a copy each, since a pack is a folder.
#[test]
fn the_packs_carry_the_same_agent() {
    let text =
        |pack: &str| fs::read_to_string(root().join("device-templates").join(pack).join("files/agent.sh")).unwrap();
    assert_eq!(text("frr"), text("bird"));
}
