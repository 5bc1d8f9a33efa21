//! What traffic loses while a network of real routers changes: nothing where a run that fails did not change anything, and no more
//! in a change of all spines than when one link is cut.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use weft_lab::netns::Lab;

use crate::{
    weft::{
        Project,
        lab::{self, Ping, on, wait_for},
    },
    whole_loop::{Phases, Report, everything, lab_up, nothing_changed},
};

const SPINES: [&str; 4] = ["b1-spine-01", "b1-spine-02", "b2-spine-01", "b2-spine-02"];
/// Between two echo requests of a flow, in seconds.
const INTERVAL: &str = "0.02";
/// Requests that may be lost in a change of all spines beyond those that one cut link costs: one that was on its way.
const MARGIN: u32 = 1;
/// How long a ping goes on before something happens and after it.
const AROUND: Duration = Duration::from_millis(500);

/// Pings that go on between hosts, by from and to.
struct Flows(BTreeMap<String, Ping>);

impl Flows {
    /// Starts pings between all hosts of a building that have disks.
    fn start(lab: &Lab, building: &str) -> Self {
        let hosts = lab.status().expect("the lab runs").hosts;
        let hosts: Vec<(String, String)> = hosts
            .iter()
            .filter(|(name, address)| name.as_str().starts_with(building) && address.to_string().starts_with("10.30."))
            .map(|(name, address)| (name.to_string(), address.addr().to_string()))
            .collect();
        let mut flows = BTreeMap::new();
        for (from, _) in &hosts {
            for (to, address) in hosts.iter().filter(|(to, _)| to != from) {
                flows.insert(format!("{from} to {to}"), Ping::start(lab, from, address, INTERVAL));
            }
        }
        assert!(flows.len() >= 12, "{building} has too few hosts");
        thread::sleep(AROUND);
        Self(flows)
    }

    /// Ends them, and returns how many requests were sent, how many were lost, and the most that a single flow lost.
    fn end(self) -> Lost {
        thread::sleep(AROUND);
        let mut lost = Lost::default();
        for (_, ping) in self.0 {
            let (sent, received) = ping.end();
            lost.sent += sent;
            lost.all += sent - received;
            lost.worst = lost.worst.max(sent - received);
        }
        lost
    }
}

/// What flows lost.
#[derive(Debug, Default, Clone, Copy)]
struct Lost {
    sent: u32,
    all: u32,
    worst: u32,
}

fn lost(lab: &Lab, buildings: &[&str], change: impl FnOnce()) -> Lost {
    let flows: Vec<Flows> = buildings.iter().map(|building| Flows::start(lab, building)).collect();
    change();
    flows.into_iter().map(Flows::end).fold(Lost::default(), |all, lost| Lost {
        sent: all.sent + lost.sent,
        all: all.all + lost.all,
        worst: all.worst.max(lost.worst),
    })
}

/// Gives all spines other loopbacks, and with them other router ids: FRR ends all sessions of a router for that.
fn renumber_spines(project: &Project, number: u8) {
    let path = project.path().join("intents/allocations.lock.yaml");
    let text = fs::read_to_string(&path).expect("the lock file");
    let mut changed = 0;
    let lines = text.lines().map(|line| {
        let Some((name, address)) = line.trim().split_once(": 10.0.") else { return line.to_owned() };
        if !SPINES.contains(&name) {
            return line.to_owned();
        }
        changed += 1;
        let (building, last) = address.split_once('.').expect("an address");
        let last: u8 = last.parse().expect("a number");
        format!("  {name}: 10.0.{building}.{}", last % 50 + number)
    });
    let text: String = lines.map(|line| line + "\n").collect();
    assert_eq!(changed, SPINES.len(), "the spines have loopbacks");
    fs::write(path, text).expect("write the lock file");
}

/// Replaces the configurations of all spines at the same time, without a look at anything, as a loop over SSH does.
fn push_naively(project: &Project, lab: &Lab) {
    project.weft("compile --out rendered").expect(0);
    thread::scope(|scope| {
        for spine in SPINES {
            let text = fs::read(project.path().join("rendered").join(spine).join("frr.conf")).expect("it is rendered");
            scope.spawn(move || {
                let script = "cat >/tmp/frr.conf && /usr/lib/frr/frr-reload.py --reload /tmp/frr.conf";
                let mut command = lab.command(spine, &["sh", "-c", script]).expect("the spine runs");
                let mut reload = command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("it starts");
                reload.stdin.take().expect("it is piped").write_all(&text).expect("it reads");
                assert!(reload.wait().expect("it ends").success(), "{spine}");
            });
        }
    });
    wait_for("all sessions of the spines", || {
        SPINES.iter().all(|spine| {
            let summary = on(lab, spine, &["vtysh", "-c", "show bgp ipv4 unicast summary json"]);
            let summary: serde_json::Value = serde_json::from_str(&summary).unwrap_or_default();
            summary["failedPeers"] == 0 && summary["totalPeers"] != 0
        })
    });
}

#[test]
fn traffic_loses_no_more_than_it_must() {
    if !lab::is_possible() {
        return;
    }
    let project = Project::example();
    let mut phase = Phases::new("lab up");
    let lab = lab_up(&project);
    phase.next("first run");
    project.weft("run").expect(0);

    phase.next("a leaf fails its health check");
    let before = everything(&lab);
    project.edit("intents/underlay.yaml", "maximum_paths: 16", "maximum_paths: 8");
    project.weft_with(["lab", "fault", "refuse-command", "b1-leaf-03", "/agent health"]).expect(0);
    let elsewhere =
        lost(&lab, &["b2"], || drop(project.weft("run").expect(3).says("b1-leaf-03").says("health failed")));
    project.weft("lab heal all").expect(0);
    nothing_changed(&lab, &before);
    let report = Report::newest(&project);
    assert!(report.devices("changed").is_empty() && report.devices("rolled-back").len() > 1);
    eprintln!("  in the other building {} of {} requests were lost", elsewhere.all, elsewhere.sent);
    assert!(elsewhere.sent > 1000 && elsewhere.all == 0, "{elsewhere:?}");
    project.edit("intents/underlay.yaml", "maximum_paths: 8", "maximum_paths: 16");

    phase.next("a link is cut");
    let mut cut = Lost::default();
    for link in ["b1-leaf-01:swp15", "b1-leaf-01:swp16"] {
        let this = lost(&lab, &["b1"], || {
            project.weft(&format!("lab fault link-down {link}")).expect(0);
            thread::sleep(Duration::from_secs(3));
        });
        cut = if this.worst > cut.worst { this } else { cut };
        project.weft(&format!("lab heal link-down {link}")).expect(0);
        project.weft("verify").expect(0);
    }

    phase.next("all spines are changed one after the other");
    renumber_spines(&project, 100);
    let begun = Instant::now();
    let rolling = lost(&lab, &["b1", "b2"], || {
        project.weft("plan").says("4 devices change");
        project.weft("run").expect(0);
    });
    let seconds = begun.elapsed().as_secs_f64();

    phase.next("all spines are changed at once");
    renumber_spines(&project, 150);
    let naive = lost(&lab, &["b1", "b2"], || push_naively(&project, &lab));
    phase.next("lab down");
    for (what, lost) in [("one link cut", cut), ("all spines in turn", rolling), ("all spines at once", naive)] {
        eprintln!("  {what}: {} of {} requests lost, {} of one flow", lost.all, lost.sent, lost.worst);
    }
    eprintln!("  the spines in turn took {seconds:.0} s, verified");
    assert!(rolling.worst <= cut.worst + MARGIN, "in turn {rolling:?}, one link {cut:?}");
    assert!(naive.worst > rolling.worst, "at once {naive:?}, in turn {rolling:?}");
    drop(project);
    phase.next("end");
}
