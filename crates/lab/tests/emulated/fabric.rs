//! Two leaves, two spines, a transit router and hosts; and that what they are sent is what they do.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt,
};

use tempfile::TempDir;
use weft_compile::{ExternalRouters, Host};
use weft_device::config::{
    AfiSafi, Bgp, DeviceConfig, Interface, InterfaceAddress, InterfaceKind, Neighbor, NeighborTarget, Network,
    PeerType, RoutingPolicy, SshServer, StaticNextHop, StaticRoute, System,
};
use weft_lab::emulated::{Client, Lab, LabTopology};
use weft_model::{BehaviorProfile, Provenance, TerminationPoint};

use crate::ssh::{Shell, answers, answers_with};

pub(crate) fn end(text: &str) -> TerminationPoint {
    let (node, interface) = text.split_once(':').unwrap();
    TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
}

/// `l1` and `l2`, each with a link to `s1` and `s2`, a host `h1` and `h2` on swp1, and `transit` behind swp9 of `l1`.
pub(crate) async fn start() -> (TempDir, Lab) {
    let dir = tempfile::tempdir().unwrap();
    let cables = [("l1:swp2", "s1:swp1"), ("l1:swp3", "s2:swp1"), ("l2:swp2", "s1:swp2"), ("l2:swp3", "s2:swp2")];
    let host = |number: u8| Host {
        ipv6: None,
        name: format!("h{number}"),
        port: end(&format!("l{number}:swp1")),
        address: format!("172.16.{number}.2/24").parse().unwrap(),
        gateway: format!("172.16.{number}.1").parse().unwrap(),
        segment: "web".parse().unwrap(),
    };
    let topology = LabTopology {
        devices: ["l1", "l2", "s1", "s2"].iter().map(|name| name.parse().unwrap()).collect(),
        cables: cables.iter().map(|(a, b)| [end(a), end(b)]).collect(),
        external: ExternalRouters {
            configs: BTreeMap::from([("transit".parse().unwrap(), transit())]),
            cables: vec![[end("l1:swp9"), end("transit:eth1")]],
        },
        hosts: vec![host(1), host(2)],
        ..LabTopology::default()
    };
    let lab = Lab::start(topology, dir.path()).await.unwrap();
    (dir, lab)
}

fn transit() -> DeviceConfig {
    let interface = |kind, prefix: &str| Interface {
        kind,
        description: "somebody else's".to_owned(),
        mtu: None,
        addresses: vec![InterfaceAddress { prefix: prefix.parse().unwrap(), provenance: Provenance::default() }],
        unnumbered: false,
        egress_acl: None,
        provenance: Provenance::default(),
    };
    let neighbor = Neighbor {
        description: String::new(),
        interface: "eth1".parse().unwrap(),
        peer_as: 65_001.try_into().unwrap(),
        local_address: None,
        route_reflector_client: false,
        next_hop_self: false,
        peer_type: PeerType::External,
        timers: None,
        bfd: None,
        authentication: None,
        import_policy: None,
        export_policy: None,
        maximum_prefixes: None,
        afi_safis: [AfiSafi::Ipv4Unicast].into(),
        provenance: Provenance::default(),
    };
    let default: ipnet::IpNet = "0.0.0.0/0".parse().unwrap();
    DeviceConfig {
        ospf: None,
        acl_sets: BTreeMap::new(),
        device: "transit".parse().unwrap(),
        pack: "frr".parse().unwrap(),
        profile: BehaviorProfile::default(),
        system: System {
            hostname: "transit".parse().unwrap(),
            ntp_servers: Vec::new(),
            dns_servers: Vec::new(),
            syslog_servers: Vec::new(),
            banner: None,
            ssh: SshServer::default(),
            snmp: None,
            users: BTreeMap::new(),
            provenance: Provenance::default(),
        },
        interfaces: [
            ("lo".parse().unwrap(), interface(InterfaceKind::Loopback, "198.51.100.1/32")),
            ("eth1".parse().unwrap(), interface(InterfaceKind::External, "192.0.2.1/31")),
        ]
        .into(),
        routing_policy: RoutingPolicy::default(),
        static_routes: [(default, StaticRoute { next_hop: StaticNextHop::Discard, provenance: Provenance::default() })]
            .into(),
        bgp: Some(Bgp {
            asn: 64_496.try_into().unwrap(),
            router_id: Ipv4Addr::new(192, 0, 2, 1),
            cluster_id: None,
            maximum_paths: 1,
            networks: [(default, Network { provenance: Provenance::default() })].into(),
            neighbors: [(NeighborTarget::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0))), neighbor)].into(),
            provenance: Provenance::default(),
        }),
    }
}

/// Leaf `number`: numbered towards s1, unnumbered towards s2.
pub(crate) fn leaf(number: u8) -> String {
    let external = match number {
        1 => [
            "interface swp9\n  address 192.0.2.0/31\n",
            "prefix-set own\n  172.16.0.0/16 least 16 greatest 24\npolicy own\n  statement 10 accept\n    match prefix-set own\n",
            "  neighbor 192.0.2.1\n    interface swp9\n    remote-as 64496\n    external\n    export-policy own\n",
        ],
        _ => ["", "", ""],
    };
    format!(
        "hostname l{number}
interface lo
  address 10.0.0.{number}/32
interface swp1
  description \"hosts\"
  mtu 9000
  address 172.16.{number}.1/24
interface swp2
  mtu 9100
  address 10.1.{number}.1/31
interface swp3
  unnumbered
{}{}bgp 6500{number}
  router-id 10.0.0.{number}
  maximum-paths 16
  network 10.0.0.{number}/32
  network 172.16.{number}.0/24
  neighbor 10.1.{number}.0
    interface swp2
    remote-as 65100
    bfd interval 300 multiplier 3
  neighbor interface swp3
    remote-as 65100
{}",
        external[0], external[1], external[2]
    )
}

/// Spine `number`: s1 is numbered, s2 is not.
pub(crate) fn spine(number: u8) -> String {
    let head = format!("hostname s{number}\ninterface lo\n  address 10.0.1.{number}/32\n");
    let (mut ports, mut neighbors) = (String::new(), String::new());
    for leaf in [1, 2] {
        if number == 1 {
            ports += &format!("interface swp{leaf}\n  mtu 9100\n  address 10.1.{leaf}.0/31\n");
            neighbors += &format!("  neighbor 10.1.{leaf}.1\n    interface swp{leaf}\n    remote-as 6500{leaf}\n");
            neighbors += "    bfd interval 300 multiplier 3\n";
        } else {
            ports += &format!("interface swp{leaf}\n  unnumbered\n");
            neighbors += &format!("  neighbor interface swp{leaf}\n    remote-as 6500{leaf}\n");
        }
    }
    format!(
        "{head}{ports}bgp 65100\n  router-id 10.0.1.{number}\n  maximum-paths 16\n  network 10.0.1.{number}/32\n{neighbors}"
    )
}

/// Brings the whole fabric up.
pub(crate) async fn configure(dir: &TempDir) {
    for (name, text) in [("l1", leaf(1)), ("l2", leaf(2)), ("s1", spine(1)), ("s2", spine(2))] {
        let mut shell = Shell::open(dir.path(), name).await;
        assert_eq!(shell.load(&text).await, "");
        assert_eq!(shell.run_all(&["check", "commit confirmed 60 comment t1", "end", "confirm t1"]).await, [""; 4]);
        assert_eq!(shell.run("show running-config").await + "\n", text);
    }
}

pub(crate) async fn json(shell: &mut Shell, command: &str) -> serde_json::Value {
    let output = shell.run(command).await;
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{command}: {error}: {output}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_do_what_their_configuration_says() {
    let (dir, lab) = start().await;
    let mut shell = Shell::open(dir.path(), "l1").await;
    assert_eq!(shell.run("show running-config").await, "hostname l1");
    let bare = json(&mut shell, "show interfaces json").await;
    assert_eq!(bare["interfaces"]["swp2"]["oper_status"], "up", "ports are there before they are configured");
    configure(&dir).await;

    let rib = json(&mut shell, "show route json").await["rib"].clone();
    let next_hops = &rib["172.16.2.0/24"]["next_hops"];
    assert_eq!(next_hops.as_array().unwrap().len(), 2, "{rib}");
    assert_eq!(next_hops[0]["Interface"], serde_json::json!({"interface": "swp2", "via": "10.1.1.0"}));
    assert_eq!(next_hops[1]["Interface"], serde_json::json!({"interface": "swp3", "via": null}));
    assert_eq!(rib["0.0.0.0/0"]["protocol"], "bgp");
    assert_eq!(json(&mut shell, "show forwarding json").await["fib"], rib);
    let neighbors = json(&mut shell, "show bgp neighbors json").await["neighbors"].clone();
    assert_eq!(neighbors["10.1.1.0"]["session_state"], "established");
    assert_eq!(neighbors["10.1.1.0"]["bfd_up"], true);
    assert_eq!(neighbors["swp3"]["bfd_up"], serde_json::Value::Null);
    let advertised = json(&mut shell, "show bgp neighbor 192.0.2.1 advertised json").await;
    assert_eq!(advertised, serde_json::json!({"advertised": ["172.16.1.0/24", "172.16.2.0/24"]}));
    assert_eq!(shell.run("show bgp neighbor 10.1.1.0 advertised json").await, "% 10.1.1.0 is not an external neighbor");
    let interfaces = json(&mut shell, "show interfaces json").await["interfaces"].clone();
    let expected = serde_json::json!({"oper_status": "up", "mtu": 9000, "addresses": ["172.16.1.1/24"]});
    assert_eq!(interfaces["swp1"], expected);

    let answered = "3 packets transmitted, 3 received";
    let lost = "3 packets transmitted, 0 received";
    assert_eq!(shell.run("ping 172.16.2.2 source 172.16.1.1 count 3").await, answered);
    assert_eq!(shell.run("ping 198.51.100.1 source 172.16.1.1 count 3").await, answered);
    // The way back is part of it: transit does not know the loopbacks.
    assert_eq!(shell.run("ping 198.51.100.1 source 10.0.0.1 count 3").await, lost);
    assert_eq!(shell.run("ping 172.16.2.99 source 172.16.1.1 count 3").await, lost, "there is no such host");
    assert_eq!(shell.run("ping 172.16.2.2 source 10.9.9.9").await, "% 10.9.9.9 is not an address of this device");
    assert_eq!(lab.exec("h1", "ping 172.16.2.2 count 3").unwrap().output.trim(), answered);
    assert_eq!(lab.exec("h2", "ping 198.51.100.1 count 3").unwrap().output.trim(), answered);

    let status = Client::open(dir.path()).unwrap().status().unwrap();
    assert_eq!(status, lab.status());
    let l1 = &status.devices["l1"];
    assert_eq!((l1.established, l1.neighbors, l1.transaction.as_str()), (3, 3, "confirmed t1"));
    assert_eq!(status.devices["transit"].established, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_is_found_by_its_folder_and_leaves_nothing_behind() {
    let (dir, lab) = start().await;
    let mode = std::fs::metadata(dir.path().join("id_ed25519")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(dir.path().join("known_hosts")).unwrap().lines().count(), 4);
    assert!(answers(dir.path(), "l1").await);
    let (other_dir, other) = start().await;
    assert!(!answers_with(dir.path(), "l1", &other_dir.path().join("id_ed25519")).await, "another lab's key");
    drop(other);
    let again = Lab::start(LabTopology::default(), dir.path()).await.unwrap_err();
    assert!(again.to_string().contains("runs in"), "{again}");

    let client = Client::open(dir.path()).unwrap();
    assert_eq!(client.exec("transit", "show transaction").unwrap().output, "none\n");
    assert!(client.exec("nobody", "show transaction").unwrap_err().to_string().contains("no device or host nobody"));
    let until_down = tokio::spawn(lab.run_until_down());
    tokio::task::spawn_blocking(move || client.down()).await.unwrap().unwrap();
    until_down.await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(Client::open(dir.path()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_does_not_fit_together_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let topology = LabTopology {
        devices: ["a".parse().unwrap()].into(),
        cables: vec![[end("a:swp1"), end("b:swp1")]],
        ..LabTopology::default()
    };
    let error = Lab::start(topology, dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("b:swp1, which is not there"), "{error}");
}
