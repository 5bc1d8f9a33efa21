//! The whole loop against real routers: the example network, from bare devices to a report, and back when something goes wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::IpAddr,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::weft::{
    Project, Ran,
    lab::{self, on, wait_for},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use weft_lab::netns::Lab;

/// How long a device may take to confirm in these tests, which wait for it to pass.
const CONFIRM: Duration = Duration::from_secs(24);

/// Says what is tried next, and how long what came before took.
pub(crate) struct Phases {
    begun: Instant,
    name: &'static str,
}

impl Phases {
    pub(crate) fn new(name: &'static str) -> Self {
        eprintln!("- {name}");
        Self { begun: Instant::now(), name }
    }

    pub(crate) fn next(&mut self, name: &'static str) {
        eprintln!("  ({}: {:.1} s)", self.name, self.begun.elapsed().as_secs_f64());
        *self = Self::new(name);
    }
}

/// The JSON report of the newest run.
pub(crate) struct Report(serde_json::Value);

impl Report {
    pub(crate) fn newest(project: &Project) -> Self {
        let ran = project.weft("report latest --format json").expect(0);
        Self(serde_json::from_str(&ran.out).expect("the report is JSON"))
    }

    fn list(&self, name: &str) -> &[serde_json::Value] {
        self.0[name].as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns the intents that are not compliant, with how they stand.
    fn not_compliant(&self) -> BTreeMap<&str, &str> {
        let intents = self.list("intents").iter();
        let standing = intents.map(|intent| (intent["intent"].as_str().unwrap(), intent["standing"].as_str().unwrap()));
        standing.filter(|(_, standing)| *standing != "compliant").collect()
    }

    #[track_caller]
    fn is_compliant(&self, intents: usize) {
        assert_eq!(self.not_compliant(), BTreeMap::new());
        assert_eq!(self.list("intents").len(), intents);
    }

    /// Tells whether there is evidence against an intent that names a device and contains a text.
    fn blames(&self, intent: &str, device: &str, text: &str) -> bool {
        let of_intent = self.list("intents").iter().find(|found| found["intent"] == intent);
        let evidence = of_intent.and_then(|intent| intent["evidence"].as_array()).map_or(&[][..], Vec::as_slice);
        evidence.iter().any(|evidence| evidence["device"] == device && evidence.to_string().contains(text))
    }

    #[track_caller]
    fn must_blame(&self, intent: &str, device: &str, text: &str) {
        assert!(self.blames(intent, device, text), "{intent} at {device}: `{text}`\n{:#}", self.0["intents"]);
    }

    /// Returns the devices that had this result.
    pub(crate) fn devices(&self, result: &str) -> Vec<&str> {
        let devices = self.list("devices").iter().filter(|device| device["result"] == result);
        devices.map(|device| device["name"].as_str().unwrap()).collect()
    }
}

/// All that Weft could change on a device: what runs, what is saved, and what lies around it.
const EVERYTHING: &str = r#"
if [ -e /etc/frr/frr.conf ] && pidof zebra >/dev/null; then
    vtysh -c 'show running-config no-header'
    cat /etc/frr/frr.conf
else
    cat /etc/bird/bird.conf
    birdc show protocols | awk 'NR > 2 { print $1, $2, $3 }'
    [ ! -e /run/weft-bird.conf ] || cat /run/weft-bird.conf
fi
ip -o addr | sed 's/valid_lft.*//'
ip -o link | sed 's/^[0-9]*: //'
for file in /etc/hostname /etc/resolv.conf /etc/systemd/timesyncd.conf.d/weft.conf /etc/passwd /home/*/.ssh/authorized_keys; do
    [ ! -e "$file" ] || { echo "-- $file"; cat "$file"; }
done
uname -n
"#;

/// Returns all that Weft could change, of every device that it manages.
pub(crate) fn everything(lab: &Lab) -> BTreeMap<String, String> {
    let nodes = lab.status().expect("the lab runs").nodes;
    let managed = nodes.into_iter().filter(|(_, node)| node.management.is_some()).map(|(name, _)| name.to_string());
    managed.map(|node| (node.clone(), on(lab, &node, &["sh", "-c", EVERYTHING]))).collect()
}

/// Names the devices that differ.
fn differing(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    before.keys().filter(|device| before.get(*device) != after.get(*device)).cloned().collect()
}

#[track_caller]
pub(crate) fn nothing_changed(lab: &Lab, before: &BTreeMap<String, String>) {
    let after = everything(lab);
    for device in differing(before, &after) {
        assert_eq!(after[&device], before[&device], "{device}");
    }
}

/// Sends echo requests between hosts, all at the same time: from, to, and whether they are to arrive.
#[track_caller]
fn pings(lab: &Lab, pairs: &[(String, IpAddr, bool)]) {
    let ping = |(from, to, _): &(String, IpAddr, bool)| {
        let to = to.to_string();
        lab.exec(from, &["ping", "-n", "-q", "-i", "0.2", "-c", "3", "-W", "1", &to])
            .expect("ping starts")
            .status
            .success()
    };
    let arrived: Vec<bool> = thread::scope(|scope| {
        let threads: Vec<_> = pairs.iter().map(|pair| scope.spawn(move || ping(pair))).collect();
        threads.into_iter().map(|thread| thread.join().expect("ping ends")).collect()
    });
    let wrong: Vec<_> = pairs.iter().zip(arrived).filter(|((_, _, expected), arrived)| expected != arrived).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns the journals that there are.
fn journals(project: &Project) -> BTreeSet<PathBuf> {
    let runs = fs::read_dir(project.path().join(".weft/runs")).into_iter().flatten().flatten();
    runs.map(|run| run.path().join("journal.jsonl")).filter(|journal| journal.exists()).collect()
}

/// Starts a run and ends the controller without a chance to tidy up, as soon as `reached` says so of its journal.
fn kill_run_when(project: &Project, reached: impl Fn(&str) -> bool) {
    let before = journals(project);
    let mut controller =
        project.command(["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("weft starts");
    wait_for("the moment to kill the controller", || {
        let journal = journals(project).into_iter().find(|journal| !before.contains(journal));
        reached(&journal.and_then(|journal| fs::read_to_string(journal).ok()).unwrap_or_default())
    });
    let ended = controller.try_wait().expect("ask after the controller");
    assert!(ended.is_none(), "the controller ended too soon");
    kill(Pid::from_raw(i32::try_from(controller.id()).expect("a pid")), Signal::SIGKILL).expect("kill the controller");
    controller.wait().expect("the controller ends");
}

/// Starts the lab of a project's working tree.
pub(crate) fn lab_up(project: &Project) -> Lab {
    project.weft("lab up --backend netns").expect(0);
    Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs")
}

/// Makes the limits of the default pipeline fit for tests that wait for them to pass.
fn hurry(project: &Project) {
    let confirm = format!("confirm_seconds: {}", CONFIRM.as_secs());
    project.edit("pipeline/default.yaml", "confirm_seconds: 60", &confirm);
    project.edit("pipeline/default.yaml", "converge_seconds: 30", "converge_seconds: 10");
}

#[test]
fn real_routers_do_what_the_intents_say() {
    if !lab::is_possible() {
        return;
    }
    let project = Project::example();
    project.weft("compile -q").expect(0);
    let four_leaves = project.commit_all("four-leaves");
    project.edit("intents/fabrics.yaml", "leaf: { count: 4", "leaf: { count: 5");
    project.weft("compile -q").expect(0);
    let five_leaves = project.commit_all("five-leaves");

    // The racks are cabled for five leaves; the first commit uses four of them.
    let mut phase = Phases::new("lab up");
    let lab = lab_up(&project);

    phase.next("bare routers become the network of the intents");
    project.weft(&format!("run --commit {four_leaves}")).expect(0);
    let report = Report::newest(&project);
    report.is_compliant(17);
    assert_eq!(report.devices("changed").len(), 20);

    phase.next("a second run changes nothing");
    project.weft(&format!("plan --commit {four_leaves}")).expect(0).says("no change");

    phase.next("hosts");
    let hosts = lab.status().expect("the lab runs").hosts;
    let of = |prefix: &str| -> Vec<(String, IpAddr)> {
        let found = hosts.iter().filter(|(_, address)| address.to_string().starts_with(prefix));
        found.map(|(name, address)| (name.to_string(), address.addr())).collect()
    };
    let (web, db, storage) = (of("203.0.113."), of("10.20."), of("10.30."));
    assert_eq!((web.len(), db.len()), (4, 4));
    let internet: IpAddr = "198.51.100.1".parse().unwrap();
    let mut pairs: Vec<(String, IpAddr, bool)> = web.iter().map(|(name, _)| (name.clone(), internet, true)).collect();
    pairs.extend(web.iter().flat_map(|(name, _)| db.iter().map(|(_, address)| (name.clone(), *address, true))));
    // Disks are reached within their building alone, and databases have no way out. The fifth leaf is not in use yet.
    let storage: Vec<_> = storage.into_iter().filter(|(name, _)| !name.starts_with("b1-leaf-05")).collect();
    pairs.extend(storage.iter().map(|(name, address)| {
        let (other, other_address) = storage.iter().find(|(_, other)| other != address).expect("several");
        (name.clone(), *other_address, name[..2] == other[..2])
    }));
    pairs.push((db[0].0.clone(), internet, false));
    pings(&lab, &pairs);

    phase.next("a leaf more touches the leaf and its spines");
    let plan = project.weft(&format!("plan --commit {five_leaves}")).expect(0).says("3 devices change");
    drop(plan.says("b1-leaf-05").says("b1-spine-01").says("b1-spine-02"));
    project.weft(&format!("run --commit {five_leaves}")).expect(0);
    let report = Report::newest(&project);
    report.is_compliant(17);
    assert_eq!(report.devices("changed"), ["b1-leaf-05", "b1-spine-01", "b1-spine-02"]);

    phase.next("a link is cut");
    project.weft("lab fault link-down b1-spine-01:swp1").expect(0);
    project.weft("verify --now").expect(1);
    let report = Report::newest(&project);
    report.must_blame("fabric/b1", "b1-spine-01", "swp1");
    report.must_blame("underlay/b1", "b1-spine-01", "b1-leaf-01");
    project.weft("lab heal link-down b1-spine-01:swp1").expect(0);
    project.weft("verify").expect(0);

    phase.next("a cable delivers nothing, and its ends look well");
    project.weft("lab fault silent-drop b1-spine-01:swp1").expect(0);
    // BFD notices in three seconds.
    wait_for("the session to end", || {
        project.weft("verify --now").code == 1
            && Report::newest(&project).blames("underlay/b1", "b1-leaf-01", "session swp15")
    });
    project.weft("lab heal silent-drop b1-spine-01:swp1").expect(0);
    project.weft("verify").expect(0).does_not_say("degraded 1");

    phase.next("lines are changed by hand");
    let on_leaf = "neighbor swp15 description changed by hand";
    on(&lab, "b2-leaf-01", &["vtysh", "-c", "configure terminal", "-c", "router bgp 64713", "-c", on_leaf]);
    on(&lab, "b1-leaf-01", &["sed", "-i", "s/^nameserver.*/nameserver 192.0.2.99/", "/etc/resolv.conf"]);
    on(&lab, "b1-leaf-02", &["sh", "-c", "echo ssh-ed25519 AAAA intruder >>~netops/.ssh/authorized_keys"]);
    on(&lab, "b1-leaf-04", &["ip", "link", "set", "swp1", "mtu", "1400"]);
    on(
        &lab,
        "b2-leaf-04",
        &["sh", "-c", "sed -i '/description/s/b2-spine/b9-spine/' /etc/bird/bird.conf && birdc configure"],
    );
    project.weft("verify --now").expect(1);
    let report = Report::newest(&project);
    report.must_blame("underlay/b2", "b2-leaf-01", "changed by hand");
    report.must_blame("baseline/everywhere", "b1-leaf-01", "dns 10.255.0.250");
    report.must_blame("baseline/everywhere", "b1-leaf-02", "intruder");
    report.must_blame("segment/db", "b1-leaf-04", "1400");
    report.must_blame("underlay/b2", "b2-leaf-04", "b9-spine");
    project.weft("run").expect(0);
    let report = Report::newest(&project);
    report.is_compliant(17);
    assert_eq!(report.devices("changed"), ["b1-leaf-01", "b1-leaf-02", "b1-leaf-04", "b2-leaf-01", "b2-leaf-04"]);

    phase.next("a daemon dies");
    project.weft("lab fault daemon-dead b1-leaf-02 bgpd").expect(0);
    project.weft("verify --now").expect(1);
    Report::newest(&project).must_blame("underlay/b1", "b1-spine-01", "b1-leaf-02");
    project.weft("run").expect(1).says("b1-leaf-02").says("not running: bgpd");
    project.weft("lab heal daemon-dead b1-leaf-02 bgpd").expect(0);
    project.weft("verify").expect(0);

    phase.next("routers lose their power");
    // One that Weft has just changed, and BIRD, which does not own its addresses.
    for device in ["b1-leaf-03", "b1-leaf-04"] {
        project.weft(&format!("lab fault node-down {device}")).expect(0);
    }
    project.weft("verify --now").expect(1).says("b1-leaf-03").says("b1-leaf-04");
    for device in ["b1-leaf-03", "b1-leaf-04"] {
        project.weft(&format!("lab heal node-down {device}")).expect(0);
    }
    project.weft("verify").expect(0);
    project.weft("plan").expect(0).says("no change");
    phase.next("lab down");
    drop(project);
    phase.next("end");
}

#[test]
fn real_routers_go_back_when_something_goes_wrong() {
    if !lab::is_possible() {
        return;
    }
    let project = Project::example();
    hurry(&project);
    let mut phase = Phases::new("lab up");
    let lab = lab_up(&project);
    phase.next("first run");
    project.weft("run").expect(0);
    let before = everything(&lab);
    // A change of what every routing daemon runs, and one beside it.
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");

    phase.next("devices refuse a line");
    let refused = [("b2-spine-01", "maximum-paths 8"), ("b2-leaf-04", "limit 8")];
    for (device, line) in refused {
        project.weft(&format!("lab fault reject-line {device} {line}")).expect(0);
    }
    let ran = project.weft("run").expect(3).says("intents/underlay.yaml");
    drop(refused.iter().fold(ran, |ran, (device, line)| ran.says(device).says(line)));
    project.weft("lab heal all").expect(0);
    nothing_changed(&lab, &before);

    phase.next("a device has no room");
    on(&lab, "b1-leaf-01", &["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/var/lib/weft"]);
    project.weft("run").expect(3).says("b1-leaf-01").says("No space left on device");
    on(&lab, "b1-leaf-01", &["umount", "/var/lib/weft"]);
    nothing_changed(&lab, &before);

    phase.next("a device is not reached");
    project.weft("lab fault ssh-cut b2-spine-01").expect(0);
    project.weft("run").expect(1).says("b2-spine-01");
    project.weft("lab heal ssh-cut b2-spine-01").expect(0);
    nothing_changed(&lab, &before);

    phase.next("the change cuts the management of devices");
    for device in ["b2-leaf-02", "b1-leaf-04"] {
        project.weft(&format!("lab fault management-lost-after-apply {device}")).expect(0);
    }
    project.weft("run").expect(3);
    let report = Report::newest(&project);
    let found = ["b2-leaf-02", "b1-leaf-04"].map(|device| {
        report.list("devices").iter().find(|found| found["name"] == device).expect("the device").to_string()
    });
    // Once one is lost its wave goes back, and the other may be told so before its port is unplugged.
    assert!(found.iter().all(|found| found.contains(r#""rolled-back""#)), "{found:#?}");
    assert!(found.iter().any(|found| found.contains("went back by itself")), "{found:#?}");
    nothing_changed(&lab, &before);
    for device in ["b2-leaf-02", "b1-leaf-04"] {
        project.weft(&format!("lab heal management-lost-after-apply {device}")).expect(0);
    }

    phase.next("the controller is killed after apply");
    let applied = |journal: &str| {
        let done = |line: &&str| line.contains(r#""apply""#) && line.contains(r#""done""#);
        journal.lines().any(|line| line.contains(r#""confirm""#)) && journal.lines().filter(done).count() > 8
    };
    kill_run_when(&project, applied);
    assert_ne!(differing(&before, &everything(&lab)), [""; 0], "nothing was applied");
    // What waits for a confirmation is no ground to plan on.
    project.weft("run").expect(1).says("not confirmed");
    wait_for("the devices to go back by themselves", || {
        // The canary was confirmed.
        differing(&before, &everything(&lab)).len() == 1
    });
    project.weft("run").expect(0);
    Report::newest(&project).is_compliant(17);

    phase.next("the controller is killed while it holds a lock");
    on(&lab, "b1-leaf-01", &["sh", "-c", "echo nameserver 192.0.2.99 >>/etc/resolv.conf"]);
    kill_run_when(&project, |_| {
        lab.exec("b1-leaf-01", &["test", "-s", "/var/lib/weft/owner"]).unwrap().status.success()
    });
    project.weft("run").expect(0);
    let taken =
        journals(&project).iter().filter(|journal| fs::read_to_string(journal).unwrap().contains("taken-over")).count();
    assert_eq!(taken, 1, "it is written down that the lock of the dead was taken");
    project.weft("plan").expect(0).says("no change");
    phase.next("lab down");
    drop(project);
    phase.next("end");
}

#[test]
fn secrets_of_sessions_reach_the_routers_and_nothing_else() {
    if !lab::is_possible() {
        return;
    }
    const DUCTS: &str = "kQ7vXe2mDucts";
    const ROTATED: &str = "vB8nLc3uDucts";
    const TRANSIT: &str = "pR4zTw9sTransit";
    let project = Project::example();
    project.edit(
        "intents/underlay.yaml",
        "spec:\n  select: { roles: [dci] }",
        "spec:\n  authentication: { tcp_md5: env/DUCTS }\n  select: { roles: [dci] }",
    );
    project.edit(
        "intents/peerings.yaml",
        "  relationship: transit\n  asn: 64496",
        "  relationship: transit\n  authentication: { tcp_md5: env/TRANSIT }\n  asn: 64496",
    );
    let weft = |line: &str, ducts: &str| -> Ran {
        let mut command: Command = project.command(line.split_whitespace());
        let ran = Ran::from(command.env("DUCTS", ducts).env("TRANSIT", TRANSIT).output().expect("weft starts"));
        for secret in [DUCTS, ROTATED, TRANSIT] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{line} printed a secret: {ran:?}");
        }
        ran
    };
    let mut phase = Phases::new("lab up");
    weft("lab up --backend netns", DUCTS).expect(0);
    let lab = Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs");
    phase.next("sessions with TCP-MD5");
    let without = project.weft("run").says("DUCTS").says("TRANSIT");
    assert_ne!(without.code, 0);
    project.weft("plan").expect(0).says("20 devices change");
    weft("run", DUCTS).expect(0);
    Report::newest(&project).is_compliant(17);
    let running = ["vtysh", "-c", "show running-config"];
    assert!(on(&lab, "b1-dci-01", &running).contains(&format!("password {DUCTS}")));
    assert!(on(&lab, "b1-border-01", &running).contains(&format!("password {TRANSIT}")));
    weft("plan", DUCTS).expect(0).says("no change");

    phase.next("a secret is changed");
    weft("plan", ROTATED).expect(0).says("4 devices change").says("password");
    weft("run", ROTATED).expect(0);
    Report::newest(&project).is_compliant(17);
    assert!(on(&lab, "b1-dci-01", &running).contains(&format!("password {ROTATED}")));

    phase.next("secrets are nowhere else");
    let grep = Command::new("grep")
        .args(["-rlE", &[DUCTS, ROTATED, TRANSIT].join("|"), "--exclude-dir=nodes", ".weft"])
        .current_dir(project.path())
        .output()
        .expect("grep starts");
    assert_eq!(String::from_utf8_lossy(&grep.stdout), "", "files with a secret");
    drop(project);
    phase.next("end");
}
