//! Real labs: routers that boot bare, are reached over SSH and configured by hand; everything that can be broken and repaired;
//! and nothing left behind.
//!
//! Skipped, with the reason, on machines that cannot run them.

#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use weft_lab::netns::{ExternalRouter, Fault, Guard, Lab, LabError, LabHost, LabTopology, NetnsDevice, missing};
use weft_model::{NodeName, TerminationPoint};

/// How long a condition may take to come true on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

const TRANSIT: &str = "\
interface eth1
 ip address 192.0.2.0/31
!
ip route 198.51.100.0/24 blackhole
router bgp 64500
 no bgp ebgp-requires-policy
 bgp router-id 192.0.2.0
 neighbor 192.0.2.1 remote-as external
 address-family ipv4 unicast
  network 198.51.100.0/24
 exit-address-family
!
";

fn can_run(test: &str) -> bool {
    let missing = missing();
    if !missing.is_empty() {
        // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {}", missing.join("; "));
    }
    missing.is_empty()
}

fn end(text: &str) -> TerminationPoint {
    let (node, interface) = text.split_once(':').unwrap();
    TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
}

fn device(pack: &str, management: &str, ports: &[&str]) -> NetnsDevice {
    NetnsDevice {
        pack: pack.parse().unwrap(),
        management: management.parse().unwrap(),
        interfaces: ports.iter().map(|port| port.parse().unwrap()).collect(),
        ospf: BTreeSet::new(),
    }
}

/// A prefix that no other test of this or another run uses.
fn unique(test: &str) -> String {
    format!("t{}-{test}", std::process::id())
}

/// Two spines, a leaf of each pack, a transit behind the first leaf, a host behind each.
fn fabric(name: String) -> LabTopology {
    let host = |name: &str, port: &str, subnet: u8| LabHost {
        name: name.parse().unwrap(),
        port: end(port),
        address: format!("10.20.{subnet}.2/24").parse().unwrap(),
        gateway: format!("10.20.{subnet}.1").parse().unwrap(),
        ipv6: None,
    };
    let transit = ExternalRouter {
        pack: "frr".parse().unwrap(),
        interfaces: ["eth1".parse().unwrap()].into(),
        files: [("frr.conf".to_owned(), TRANSIT.to_owned()), ("links.conf".to_owned(), "eth1 mtu 1500\n".to_owned())]
            .into(),
    };
    let devices: BTreeMap<NodeName, NetnsDevice> = [
        ("spine-01", device("frr", "10.255.0.1", &["swp1", "swp2"])),
        ("spine-02", device("frr", "10.255.0.2", &["swp1", "swp2"])),
        ("leaf-01", device("frr", "10.255.0.11", &["swp1", "swp2", "swp3", "swp4"])),
        ("leaf-02", device("bird", "10.255.0.12", &["swp1", "swp2", "swp3", "swp4"])),
    ]
    .into_iter()
    .map(|(name, device)| (name.parse().unwrap(), device))
    .collect();
    LabTopology {
        name,
        devices,
        external_routers: [("transit".parse().unwrap(), transit)].into(),
        cables: vec![
            [end("leaf-01:swp1"), end("spine-01:swp1")],
            [end("leaf-01:swp2"), end("spine-02:swp1")],
            [end("leaf-02:swp1"), end("spine-01:swp2")],
            [end("leaf-02:swp2"), end("spine-02:swp2")],
            [end("leaf-01:swp4"), end("transit:eth1")],
        ],
        hosts: vec![host("host-01", "leaf-01:swp3", 1), host("host-02", "leaf-02:swp3", 2)],
    }
}

/// One router of each pack with a cable between them.
fn pair(name: String) -> LabTopology {
    LabTopology {
        name,
        devices: [
            ("a".parse().unwrap(), device("frr", "10.255.0.1", &["swp1"])),
            ("b".parse().unwrap(), device("bird", "10.255.0.2", &["swp1"])),
        ]
        .into(),
        cables: vec![[end("a:swp1"), end("b:swp1")]],
        ..LabTopology::default()
    }
}

struct Up {
    lab: Guard,
    _dir: TempDir,
}

fn up(topology: &LabTopology) -> Up {
    let dir = TempDir::new().unwrap();
    let lab = Lab::up(topology, dir.path()).unwrap().guard();
    Up { lab, _dir: dir }
}

impl Up {
    /// Runs a program on a node; it must succeed.
    fn exec(&self, node: &str, argv: &[&str]) -> String {
        let output = self.lab.exec(node, argv).unwrap();
        let text = text(&output);
        assert!(output.status.success(), "{node}: {argv:?}: {} {text}", output.status);
        text
    }

    fn vtysh(&self, node: &str, lines: &[&str]) -> String {
        let mut argv = vec!["vtysh"];
        argv.extend(lines.iter().flat_map(|line| ["-c", line]));
        self.exec(node, &argv)
    }

    /// Logs in with the SSH client of the system, as the inventory says, and runs a command.
    fn ssh(&self, address: &str, command: &str) -> Output {
        let dir = self.lab.dir();
        let namespace = self.lab.management_namespace().unwrap();
        Command::new("nsenter")
            .arg(format!("--net={}", namespace.display()))
            .args(["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .args([
                "-o",
                "ConnectTimeout=2",
                "-o",
                "ServerAliveInterval=1",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "GlobalKnownHostsFile=/dev/null",
            ])
            .arg("-i")
            .arg(dir.join("id_ed25519"))
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", dir.join("known_hosts").display()))
            .arg(format!("root@{address}"))
            .arg(command)
            .output()
            .unwrap()
    }

    fn answers(&self, address: &str) -> bool {
        self.ssh(address, "true").status.success()
    }

    fn pings(&self, node: &str, to: &str) -> bool {
        self.lab.exec(node, &["ping", "-n", "-c", "1", "-W", "1", to]).unwrap().status.success()
    }

    fn inject(&self, fault: &str) {
        let fault: Fault = fault.parse().unwrap();
        self.lab.inject(&fault).unwrap();
        assert!(self.lab.status().unwrap().faults.contains(&fault));
    }

    fn heal(&self, fault: &str) {
        let fault: Fault = fault.parse().unwrap();
        self.lab.heal(&fault).unwrap();
        assert!(!self.lab.status().unwrap().faults.contains(&fault));
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn bare_routers_become_a_network_by_hand() {
    if !can_run("bare_routers_become_a_network_by_hand") {
        return;
    }
    let lab = up(&fabric(unique("hand")));
    for (name, node) in lab.lab.status().unwrap().nodes {
        assert!(node.running && node.daemons.values().all(|runs| *runs), "{name}: {node:?}");
        assert_eq!(node.ssh, node.management.is_some(), "{name}");
    }
    // Bare: a management address, no configuration.
    let output = lab.ssh("10.255.0.11", "hostname; ip -br addr show swp1; vtysh -c 'show running-config'");
    let login = text(&output);
    assert!(output.status.success() && login.starts_with("leaf-01\n"), "{login}");
    assert!(!login.contains("router bgp") && !login.contains("10.1.0."), "{login}");
    assert!(text(&lab.ssh("10.255.0.12", "birdc show status")).contains("up and running"));
    assert_eq!(lab.exec("leaf-01", &["cat", "/sys/class/net/swp1/mtu"]).trim(), "9216");
    assert!(!lab.pings("host-01", "10.20.2.2"));

    lab.vtysh(
        "leaf-01",
        &[
            "configure",
            "interface swp1",
            "ip address 10.1.0.1/31",
            "interface swp2",
            "ip address 10.1.0.3/31",
            "interface swp3",
            "ip address 10.20.1.1/24",
            "interface swp4",
            "ip address 192.0.2.1/31",
            "exit",
            "router bgp 64701",
            "no bgp ebgp-requires-policy",
            "bgp bestpath as-path multipath-relax",
            "neighbor 10.1.0.0 remote-as external",
            "neighbor 10.1.0.2 remote-as external",
            "neighbor 192.0.2.0 remote-as external",
            "address-family ipv4 unicast",
            "network 10.20.1.0/24",
        ],
    );
    for (spine, addresses) in [("spine-01", ["10.1.0.0", "10.1.0.4"]), ("spine-02", ["10.1.0.2", "10.1.0.6"])] {
        let [left, right] = addresses;
        let (left, right) = (format!("ip address {left}/31"), format!("ip address {right}/31"));
        let neighbors = match spine {
            "spine-01" => ["neighbor 10.1.0.1 remote-as external", "neighbor 10.1.0.5 remote-as external"],
            _ => ["neighbor 10.1.0.3 remote-as external", "neighbor 10.1.0.7 remote-as external"],
        };
        lab.vtysh(
            spine,
            &[
                "configure",
                "interface swp1",
                &left,
                "interface swp2",
                &right,
                "exit",
                "router bgp 64601",
                "no bgp ebgp-requires-policy",
                neighbors[0],
                neighbors[1],
            ],
        );
    }
    let bird = "protocol device { }\nprotocol kernel { ipv4 { export all; }; merge paths on; }\n\
        protocol direct { ipv4; interface \"swp3\"; }\n\
        protocol bgp s1 { local as 64702; neighbor 10.1.0.4 as 64601; ipv4 { import all; export all; }; }\n\
        protocol bgp s2 { local as 64702; neighbor 10.1.0.6 as 64601; ipv4 { import all; export all; }; }\n";
    let script = format!(
        "ip addr add 10.1.0.5/31 dev swp1; ip addr add 10.1.0.7/31 dev swp2; ip addr add 10.20.2.1/24 dev swp3\n\
         cat >/etc/bird/bird.conf <<'END'\n{bird}END\nbirdc configure"
    );
    lab.exec("leaf-02", &["sh", "-c", &script]);

    eventually("two equal paths from leaf to leaf", || {
        lab.exec("leaf-01", &["ip", "route", "show", "10.20.2.0/24"]).matches("nexthop").count() == 2
            && lab.exec("leaf-02", &["ip", "route", "show", "10.20.1.0/24"]).matches("nexthop").count() == 2
    });
    eventually("a ping from host to host", || lab.pings("host-01", "10.20.2.2"));
    eventually("the route of the transit on the leaf of BIRD", || {
        lab.exec("leaf-02", &["ip", "route", "show", "198.51.100.0/24"]).contains("nexthop")
    });

    // A cut is seen by both ends, and whole again afterwards; so is the cable of a host.
    lab.inject("link-down leaf-01:swp1");
    eventually("one path less on both sides", || {
        lab.exec("leaf-01", &["ip", "route", "show", "10.20.2.0/24"]).contains("10.1.0.2")
            && !lab.exec("leaf-01", &["ip", "route", "show", "10.20.2.0/24"]).contains("10.1.0.0")
            && !lab.exec("spine-01", &["ip", "route", "show", "10.20.1.0/24"]).contains("10.1.0.1")
    });
    eventually("the way around", || lab.pings("host-01", "10.20.2.2"));
    lab.heal("link-down leaf-01:swp1");
    eventually("the session over the repaired link", || {
        lab.exec("spine-01", &["ip", "route", "show", "10.20.1.0/24"]).contains("10.1.0.1")
    });
    lab.inject("link-down leaf-02:swp3");
    assert!(!lab.pings("host-01", "10.20.2.2"));
    lab.heal("link-down leaf-02:swp3");
    eventually("the host is back", || lab.pings("host-01", "10.20.2.2"));
}

#[test]
fn what_is_broken_is_repaired() {
    if !can_run("what_is_broken_is_repaired") {
        return;
    }
    let lab = up(&pair(unique("break")));
    lab.exec("a", &["ip", "addr", "add", "10.1.0.0/31", "dev", "swp1"]);
    lab.exec("b", &["ip", "addr", "add", "10.1.0.1/31", "dev", "swp1"]);
    eventually("the cable", || lab.pings("a", "10.1.0.1"));

    lab.inject("silent-drop b:swp1");
    assert!(!lab.pings("a", "10.1.0.1"));
    assert!(lab.exec("a", &["cat", "/sys/class/net/swp1/operstate"]).contains("up"));
    lab.heal("silent-drop b:swp1");
    eventually("the cable that drops no more", || lab.pings("a", "10.1.0.1"));

    for fault in ["ssh-cut a", "management-down a"] {
        assert!(lab.answers("10.255.0.1"));
        lab.inject(fault);
        assert!(!lab.answers("10.255.0.1"), "{fault}");
        assert!(lab.answers("10.255.0.2"), "{fault} leaves others alone");
        lab.heal(fault);
        eventually(fault, || lab.answers("10.255.0.1"));
    }

    for (fault, node, daemon) in [("daemon-dead a bgpd", "a", "bgpd"), ("daemon-dead b bird", "b", "bird")] {
        let runs = || lab.lab.status().unwrap().nodes[node].daemons[daemon];
        lab.inject(fault);
        assert!(!runs(), "{fault}");
        lab.heal(fault);
        eventually(fault, runs);
    }
    let unknown: Fault = "daemon-dead b bgpd".parse().unwrap();
    assert!(matches!(lab.lab.inject(&unknown), Err(LabError::NoSuchDaemon { .. })));

    // A power cycle: what was saved is there, what was not is gone, and so is what was in the kernel.
    lab.vtysh("a", &["configure", "ip prefix-list SAVED permit 10.0.0.0/8"]);
    lab.vtysh("a", &["write"]);
    lab.vtysh("a", &["configure", "ip prefix-list UNSAVED permit 10.0.0.0/8", "ip route 203.0.113.0/24 blackhole"]);
    eventually("the kernel has the route", || lab.exec("a", &["ip", "route"]).contains("203.0.113.0/24"));
    lab.inject("link-down a:swp1");
    lab.inject("node-down a");
    assert!(!lab.answers("10.255.0.1") && !lab.lab.status().unwrap().nodes["a"].running);
    assert!(matches!(lab.lab.exec("a", &["true"]), Err(LabError::NodeDown(_))));
    assert!(lab.exec("b", &["cat", "/sys/class/net/swp1/operstate"]).contains("down"));
    lab.heal("node-down a");
    assert!(lab.answers("10.255.0.1"));
    let running = lab.vtysh("a", &["show running-config"]);
    assert!(running.contains("SAVED") && !running.contains("UNSAVED"), "{running}");
    let kernel = lab.exec("a", &["ip", "addr"]) + &lab.exec("a", &["ip", "route"]);
    assert!(!kernel.contains("10.1.0.0") && !kernel.contains("203.0.113.0"), "{kernel}");
    // The cable was cut before and still is.
    assert!(lab.exec("a", &["cat", "/sys/class/net/swp1/operstate"]).contains("down"));
    lab.lab.heal_all().unwrap();
    assert!(lab.lab.status().unwrap().faults.is_empty());
    assert!(lab.exec("a", &["cat", "/sys/class/net/swp1/operstate"]).contains("up"));
}

#[test]
fn a_router_refuses_a_line_in_the_words_of_its_suite() {
    if !can_run("a_router_refuses_a_line_in_the_words_of_its_suite") {
        return;
    }
    let lab = up(&pair(unique("line")));
    let frr = "hostname a\\nrouter bgp 64701\\n bgp log-neighbor-changes\\n";
    let on_frr = format!(
        "printf '{frr}' >/tmp/new; vtysh -C -f /tmp/new; echo check $?; /usr/lib/frr/frr-reload.py --reload /tmp/new; echo reload $?"
    );
    let on_bird = "printf 'protocol device { }\\nprotocol static { ipv4; }\\n' >/tmp/new; chmod 644 /tmp/new; bird -p -c /tmp/new; echo check $?; \
        birdc 'configure check \"/tmp/new\"'; echo ask $?; birdc 'configure \"/tmp/new\" timeout 5'; echo reload $?; birdc configure confirm; echo confirm $?";
    lab.inject("reject-line a log-neighbor-changes");
    lab.inject("reject-line b ^protocol static");

    let refused = text(&lab.ssh("10.255.0.1", &on_frr));
    assert!(refused.contains("line 3: % Unknown command[25]:  bgp log-neighbor-changes"), "{refused}");
    assert!(refused.contains("check 2") && refused.contains("reload 1"), "{refused}");
    assert!(!lab.vtysh("a", &["show running-config"]).contains("router bgp"));
    let refused = text(&lab.ssh("10.255.0.2", on_bird));
    assert!(refused.contains("/tmp/new:2:1 syntax error"), "{refused}");
    assert!(refused.contains("check 1") && refused.contains("ask 1") && refused.contains("reload 1"), "{refused}");
    assert!(!lab.exec("b", &["birdc", "show", "protocols"]).contains("Static"));

    lab.heal("reject-line a log-neighbor-changes");
    lab.heal("reject-line b ^protocol static");
    let taken = text(&lab.ssh("10.255.0.1", &on_frr));
    assert!(taken.contains("check 0") && taken.contains("reload 0"), "{taken}");
    let taken = text(&lab.ssh("10.255.0.2", on_bird));
    assert!(taken.contains("check 0") && taken.contains("reload 0") && taken.contains("confirm 0"), "{taken}");
    assert!(lab.exec("b", &["birdc", "show", "protocols"]).contains("Static"));
}

#[test]
fn management_is_lost_until_the_change_is_undone() {
    if !can_run("management_is_lost_until_the_change_is_undone") {
        return;
    }
    let lab = up(&pair(unique("loss")));
    lab.inject("management-lost-after-apply a");
    lab.inject("management-lost-after-apply b");
    assert!(lab.answers("10.255.0.1") && lab.answers("10.255.0.2"));
    lab.vtysh("a", &["configure", "ip prefix-list NEW permit 10.0.0.0/8"]);
    lab.exec(
        "b",
        &[
            "sh",
            "-c",
            "printf 'protocol device { }\\n' >/tmp/new; chmod 644 /tmp/new; birdc 'configure \"/tmp/new\" timeout 6'",
        ],
    );
    eventually("both are cut off", || !lab.answers("10.255.0.1") && !lab.answers("10.255.0.2"));
    // BIRD goes back by its own timer, FRR when somebody undoes the change.
    eventually("BIRD is back", || lab.answers("10.255.0.2"));
    assert!(!lab.answers("10.255.0.1"));
    lab.vtysh("a", &["configure", "no ip prefix-list NEW permit 10.0.0.0/8"]);
    eventually("FRR is back", || lab.answers("10.255.0.1"));
    // Once.
    lab.vtysh("a", &["configure", "ip prefix-list NEW permit 10.0.0.0/8"]);
    lab.heal("management-lost-after-apply a");
    assert!(lab.answers("10.255.0.1"));
}

#[test]
fn labs_run_side_by_side_and_leave_nothing_behind() {
    if !can_run("labs_run_side_by_side_and_leave_nothing_behind") {
        return;
    }
    let names = [unique("one"), unique("two")];
    let labs: Vec<Up> = thread::scope(|scope| {
        let ups: Vec<_> = names.iter().map(|name| scope.spawn(|| up(&pair(name.clone())))).collect();
        ups.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    assert!(labs.iter().all(|lab| lab.answers("10.255.0.1") && lab.answers("10.255.0.2")));
    let dir = labs[0].lab.dir().to_owned();
    assert!(matches!(Lab::up(&pair(unique("three")), &dir), Err(LabError::AlreadyUp(_))));
    let other = TempDir::new().unwrap();
    assert!(matches!(Lab::up(&pair(names[0].clone()), other.path()), Err(LabError::NameTaken(_))));
    assert!(matches!(Lab::attach(other.path()), Err(LabError::NotUp(_))));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(dir.join("id_ed25519")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Another process finds it in its folder, and removes it with what still runs in it.
    let lab = Lab::attach(&dir).unwrap();
    lab.exec("a", &["sh", "-c", "sleep 987654 >/dev/null 2>&1 &"]).unwrap();
    lab.down().unwrap();
    assert_nothing_of(&names[0], &dir);
    assert!(labs[1].answers("10.255.0.1"), "the other lab goes on");
    assert!(matches!(lab.down(), Err(LabError::NotUp(_))));
    let dir = labs[1].lab.dir().to_owned();
    drop(labs);
    assert_nothing_of(&names[1], &dir);
}

#[test]
fn a_lab_that_does_not_boot_is_removed() {
    if !can_run("a_lab_that_does_not_boot_is_removed") {
        return;
    }
    let name = unique("bad");
    let mut topology = fabric(name.clone());
    for router in topology.external_routers.values_mut() {
        router.files.insert("frr.conf".to_owned(), "router bgp 64500\n no such line\n".to_owned());
    }
    let dir = TempDir::new().unwrap();
    let error = Lab::up(&topology, dir.path()).unwrap_err();
    assert!(error.to_string().contains("transit") && error.to_string().contains("no such line"), "{error}");
    assert_nothing_of(&name, dir.path());
}

fn assert_nothing_of(lab: &str, dir: &Path) {
    let namespaces: Vec<String> = fs::read_dir("/run/netns")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&format!("{lab}-")))
        .collect();
    assert!(namespaces.is_empty(), "{namespaces:?}");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&dir.display().to_string()), "{mounts}");
    let processes: Vec<String> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|line| line.contains(&dir.display().to_string()) || line.contains("987654"))
        .collect();
    assert!(processes.is_empty(), "{processes:?}");
    let files: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(files.is_empty(), "{files:?}");
}
