//! Access and Baseline against real routers: which flows pass, and what the services of a device were told.

use std::{net::IpAddr, thread};

use crate::weft::{
    Project, Ran,
    lab::{self, on, wait_for},
};
use weft_lab::netns::Lab;

fn weft(project: &Project, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    project.command(arguments).env("SNMP_READ", "hunter2").output().expect("weft starts").into()
}

/// Greets whoever connects to one of its ports, and ends when somebody connects to the first.
const SERVER: &str = "
import socket, sys, select
servers = [socket.create_server((sys.argv[1], int(port))) for port in sys.argv[2:]]
while True:
    for server in select.select(servers, [], [], 120)[0] or sys.exit():
        connection = server.accept()[0]
        connection.sendall(b'hello')
        connection.close()
        if server is servers[0]:
            sys.exit()
";

/// Fails unless the server greets within two seconds.
const CLIENT: &str = "
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as connection:
    sys.exit(connection.recv(5) != b'hello')
";

/// Tells whether a host gets an answer over TCP.
fn connects(lab: &Lab, from: &str, to: IpAddr, port: u16) -> bool {
    let (to, port) = (to.to_string(), port.to_string());
    lab.exec(from, &["python3", "-c", CLIENT, &to, &port]).expect("python starts").status.success()
}

fn pings(lab: &Lab, from: &str, to: IpAddr) -> bool {
    let to = to.to_string();
    lab.exec(from, &["ping", "-n", "-q", "-i", "0.2", "-c", "3", "-W", "1", &to]).expect("ping starts").status.success()
}

#[test]
fn only_the_flows_that_are_allowed_pass() {
    if !lab::is_possible() {
        return;
    }
    let project = Project::of("tests/labs/access/intents");
    weft(&project, "compile -q").expect(0);
    weft(&project, "lab up --backend netns").expect(0);
    let lab = Lab::attach(&project.path().join(".weft/lab")).expect("the lab runs");
    weft(&project, "run").expect(0);
    weft(&project, "plan").expect(0).says("no change");

    let hosts = lab.status().expect("the lab runs").hosts;
    let of = |prefix: &str| -> (String, IpAddr) {
        let (name, address) = hosts.iter().find(|(_, a)| a.to_string().starts_with(prefix)).expect("a host");
        (name.to_string(), address.addr())
    };
    let ((web, web_address), (admin, admin_address), (db, db_address)) = (of("10.10."), of("10.11."), of("10.20."));
    thread::scope(|scope| {
        let serve = |host: &str, address: IpAddr, ports: &'static [&str]| {
            let (host, address, lab) = (host.to_owned(), address.to_string(), &lab);
            scope.spawn(move || {
                let argv: Vec<&str> = ["timeout", "90", "python3", "-c", SERVER, &address]
                    .into_iter()
                    .chain(ports.iter().copied())
                    .collect();
                drop(lab.exec(&host, &argv));
            });
        };
        serve(&db, db_address, &["1", "5432", "8005", "2222"]);
        serve(&admin, admin_address, &["1", "2222"]);
        serve(&web, web_address, &["1", "2222"]);
        let flows = || {
            // What is allowed; another port; another source; the other way, which is protected by nobody; a list that lets
            // nothing through but the answers to what its hosts have asked for.
            [
                connects(&lab, &web, db_address, 5432),
                connects(&lab, &web, db_address, 8005),
                connects(&lab, &web, db_address, 2222),
                pings(&lab, &web, db_address),
                connects(&lab, &admin, db_address, 5432),
                pings(&lab, &admin, db_address),
                connects(&lab, &db, web_address, 2222),
                connects(&lab, &web, admin_address, 2222),
                connects(&lab, &admin, web_address, 2222),
            ]
        };
        let expected = [true, true, false, false, false, true, true, false, true];
        wait_for("the server to listen", || connects(&lab, &web, db_address, 5432));
        assert_eq!(flows(), expected);
        let listed = on(&lab, "f-leaf-02", &["nft", "list", "chain", "inet", "weft", "acl/databases"]);
        assert!(!listed.contains("counter packets 0"), "every rule has been met: {listed}");

        // Rules that somebody changed are drift of the intent, and are put back.
        on(&lab, "f-leaf-02", &["nft", "insert", "rule", "inet", "weft", "acl/databases", "tcp dport 2222 accept"]);
        assert!(connects(&lab, &web, db_address, 2222));
        weft(&project, "verify --now").expect(1).says("access/databases").says("2222");
        weft(&project, "run").expect(0);
        assert_eq!(flows(), expected);

        // They are there again after a power cycle, before the routing daemons are.
        project.weft("lab fault node-down f-leaf-01").expect(0);
        project.weft("lab heal node-down f-leaf-01").expect(0);
        weft(&project, "verify").expect(0);
        assert_eq!(flows(), expected);
        for (host, address) in [(&db, db_address), (&admin, admin_address), (&web, web_address)] {
            assert!(connects(&lab, host, address, 1), "the server of {host} ends");
        }
    });
    services(&project, &lab);

    // Without the intents nothing of them is left.
    let text = std::fs::read_to_string(project.path().join("intents/network.yaml")).unwrap();
    let rest: Vec<&str> =
        text.split("---\n").filter(|d| !d.contains("kind: Access") && !d.contains("kind: Baseline")).collect();
    std::fs::write(project.path().join("intents/network.yaml"), rest.join("---\n")).unwrap();
    weft(&project, "run").expect(0);
    assert!(pings(&lab, &web, db_address));
    for leaf in ["f-leaf-01", "f-leaf-02"] {
        let left = "nft list tables; ls /etc/rsyslog.d/90-weft.conf /etc/ssh/sshd_config.d/weft.conf /etc/snmp/snmpd.conf.d/weft.conf 2>/dev/null; true";
        assert_eq!(on(&lab, leaf, &["sh", "-c", left]), "", "{leaf}");
    }
}

/// Checks what the services of both kinds of router read.
fn services(project: &Project, lab: &Lab) {
    for leaf in ["f-leaf-01", "f-leaf-02"] {
        let settings = on(lab, leaf, &["/usr/sbin/sshd", "-T"]);
        for setting in ["passwordauthentication no", "channeltimeout session:*=600", "maxstartups 90:30:90"] {
            assert!(settings.contains(setting), "{leaf}: {setting}\n{settings}");
        }
        let banner = settings.lines().find_map(|line| line.strip_prefix("banner ")).unwrap().to_owned();
        assert_eq!(on(lab, leaf, &["cat", &banner]), "Only for those who work here\n");
        let files = on(lab, leaf, &["cat", "/etc/rsyslog.d/90-weft.conf", "/etc/snmp/snmpd.conf.d/weft.conf"]);
        for line in [
            "*.* @10.255.1.251:514",
            "*.* @[2001:db8::251]:514",
            "rocommunity hunter2 10.255.1.0/24",
            "sysLocation row 7",
        ] {
            assert!(files.lines().any(|found| found == line), "{leaf}: {line}\n{files}");
        }
        let mode =
            on(lab, leaf, &["stat", "-c", "%a", "/etc/snmp/snmpd.conf.d/weft.conf", "/etc/rsyslog.d/90-weft.conf"]);
        assert_eq!(mode, "600\n644\n", "{leaf}");
    }
    // The community is on the devices and nowhere else.
    let found = std::process::Command::new("grep").args(["-rl", "hunter2", "."]).current_dir(project.path()).output();
    let found = String::from_utf8_lossy(&found.unwrap().stdout).into_owned();
    let elsewhere: Vec<&str> = found.lines().filter(|file| !file.starts_with("./.weft/lab/")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}
