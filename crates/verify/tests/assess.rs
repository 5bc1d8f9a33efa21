//! The example network, observed as predicted and then with one thing wrong: which intents are told to be how.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use weft_compile::{Allocations, ExternalRouters};
use weft_device::{
    config::{AfiSafi, DeviceConfig, NeighborTarget},
    state::{InterfaceState, NeighborState, NextHop, OperStatus, OspfState, Route, RouteProtocol, SessionState},
};
use weft_intent::{IntentSet, SourceFile};
use weft_model::{Catalogue, InterfaceName, Network, NodeName, PackName, SecretDigests, TerminationPoint};
use weft_pack::{Pack, Rendered};
use weft_simulate::{Cable, Failed, Prediction, simulate};
use weft_verify::{
    Assessment, Compliance, Intended, Observed, ProbeOutcome, ProbeResult, ProbeResults, assess, probes,
};

/// What the tests share: the example network from the intents to the prediction.
struct Example {
    intents: IntentSet,
    network: Network,
    allocations: Allocations,
    configs: BTreeMap<NodeName, DeviceConfig>,
    rendered: BTreeMap<NodeName, Rendered>,
    external: ExternalRouters,
    cables: Vec<Cable>,
    predicted: Prediction,
    packs: BTreeMap<PackName, Arc<Pack>>,
    secrets: SecretDigests,
}

static EXAMPLE: LazyLock<Example> = LazyLock::new(|| Example::of("intents"));
/// The same with promises about ways and demands.
static PROMISES: LazyLock<Example> = LazyLock::new(|| {
    let mut texts = files(&root().join("intents"));
    let links = texts.get_mut("interconnect.yaml").unwrap();
    *links = links.replace("mtu: 9000", "mtu: 9000, capacity: 10G");
    let across = "from: node/b1-leaf-01, to: node/b2-leaf-01";
    let reachability = |name: &str, rest: &str| {
        format!(
            "---\napiVersion: weft/v1\nkind: Reachability\nmetadata: {{ name: {name} }}\nspec: {{ {across}, {rest} }}\n"
        )
    };
    let capacity = |name: &str, most: u8| {
        let demands = format!("[{{ {across}, bandwidth: 40G }}]");
        let spec = format!("{{ demands: {demands}, maximum_utilisation_percent: {most} }}");
        format!("---\napiVersion: weft/v1\nkind: Capacity\nmetadata: {{ name: {name} }}\nspec: {spec}\n")
    };
    let promises = [
        reachability("bounded", "via: [b1-dci-01, b1-dci-02], avoid: [b1-border-01], max_hops: 6"),
        reachability("past", "via: [b1-dci-01]"),
        reachability("over", "avoid: [b2-dci-02]"),
        reachability("long", "max_hops: 5"),
        capacity("enough", 100),
        capacity("full", 99),
    ];
    texts.insert("promises.yaml".to_owned(), promises.concat());
    Example::from(texts)
});
/// A network of two OSPF areas, IPv4 and IPv6.
static OSPF: LazyLock<Example> = LazyLock::new(|| Example::of("tests/labs/ospf-dual/intents"));

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the text files below a folder by their path in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fn walk(folder: &Path, at: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(folder, &path, files);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

impl Example {
    fn of(intents: &str) -> Self {
        Self::from(files(&root().join(intents)))
    }

    fn from(texts: BTreeMap<String, String>) -> Self {
        let sources: Vec<SourceFile> = texts
            .into_iter()
            .filter(|(path, _)| !path.ends_with(".lock.yaml"))
            .map(|(path, text)| SourceFile { path: path.into(), text: text.into() })
            .collect();
        let (intents, found) = weft_intent::load(&sources);
        assert!(found.is_empty(), "{found:#?}");
        let loom: PackName = "loom".parse().unwrap();
        let (pack, found) = Pack::load(loom.clone(), &files(&root().join("device-templates/loom")));
        assert!(found.is_empty(), "{found:#?}");
        let pack = pack.unwrap();
        // As in an emulated lab, one OS runs on all devices, whichever the intents name.
        let mut description = pack.description();
        description
            .features
            .extend(["bgp", "bgp.communities", "bgp.unnumbered", "bfd", "ntp", "dns", "users"].map(str::to_owned));
        let catalogue: Catalogue =
            ["frr", "bird"].iter().map(|name| (name.parse().unwrap(), description.clone())).collect();
        let (network, found) = weft_intent::validate(&intents, &catalogue);
        assert!(found.is_empty(), "{found:#?}");
        let (allocations, found) = weft_compile::allocate(&intents, &network, &Allocations::default());
        assert!(found.is_empty(), "{found:#?}");
        let (configs, found) = weft_compile::compile(&intents, &network, &allocations, jiff::Timestamp::UNIX_EPOCH);
        assert!(found.is_empty(), "{found:#?}");
        let external = weft_compile::external_routers(&intents, &network, &allocations);
        let mut all = configs.clone();
        all.extend(external.configs.clone());
        let mut cables: Vec<Cable> = network.links().map(|link| link.ends.clone()).collect();
        cables.extend(external.cables.clone());
        let predicted = simulate(&all, &cables, &Failed::default());

        let rendered = configs.iter().map(|(device, config)| {
            let (rendered, found) = pack.render(&DeviceConfig { pack: loom.clone(), ..config.clone() });
            assert!(found.is_empty(), "{found:#?}");
            (device.clone(), rendered.unwrap())
        });
        let rendered = rendered.collect();
        let packs = [(loom, Arc::new(pack))].into();
        let secrets = SecretDigests::default();
        Self { intents, network, allocations, configs, rendered, external, cables, predicted, packs, secrets }
    }

    fn intended(&self) -> Intended<'_> {
        Intended {
            intents: &self.intents,
            network: &self.network,
            allocations: &self.allocations,
            configs: &self.configs,
            rendered: &self.rendered,
            external: &self.external,
            cables: &self.cables,
            predicted: &self.predicted,
            packs: &self.packs,
            secrets: &self.secrets,
        }
    }
}

/// What a test sees of the network: all as predicted, until it is changed.
struct World {
    example: &'static Example,
    observed: BTreeMap<NodeName, Observed>,
    probes: ProbeResults,
}

impl World {
    fn as_predicted() -> Self {
        Self::of(&EXAMPLE)
    }

    fn of(example: &'static Example) -> Self {
        let observed = example.configs.keys().map(|device| {
            let running = example.rendered[device].files.iter().map(|(name, file)| (name.clone(), file.text.clone()));
            let state = example.predicted.states[device].clone();
            (device.clone(), Observed { running: Some(running.collect()), state, ..Observed::default() })
        });
        let observed = observed.collect();
        let plan = probes(&example.intended(), 64);
        let results = plan.probes.iter().map(|probe| {
            let received = if probe.answer_expected { 3 } else { 0 };
            ProbeResult { probe: probe.clone(), outcome: ProbeOutcome::Done { sent: 3, received } }
        });
        Self { example, observed, probes: ProbeResults { results: results.collect(), coverage: plan.coverage.clone() } }
    }

    /// All as predicted with these cables cut; the neighbors of a numbered session need not notice by the interface.
    fn with_cut(cables: &[&str]) -> Self {
        let example = &*EXAMPLE;
        let mut all = example.configs.clone();
        all.extend(example.external.configs.clone());
        let links = cables.iter().map(|cable| port(cable)).collect();
        let states = simulate(&all, &example.cables, &Failed { links, nodes: BTreeSet::new() }).states;
        let mut world = Self::as_predicted();
        for (device, seen) in &mut world.observed {
            seen.state = states[device].clone();
        }
        world
    }

    fn device(&mut self, name: &str) -> &mut Observed {
        self.observed.get_mut(&name.parse::<NodeName>().unwrap()).unwrap()
    }

    fn interface(&mut self, at: &str) -> &mut InterfaceState {
        let port = port(at);
        self.device(port.node.as_str()).state.interfaces.as_mut().unwrap().get_mut(&port.interface).unwrap()
    }

    fn neighbor(&mut self, device: &str, target: &str) -> &mut NeighborState {
        self.device(device).state.neighbors.as_mut().unwrap().get_mut(&target_of(target)).unwrap()
    }

    fn assess(&self) -> Assessment {
        assess(&self.example.intended(), &self.observed, &self.probes)
    }
}

fn port(text: &str) -> TerminationPoint {
    let (node, interface) = text.split_once(':').unwrap();
    TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
}

fn target_of(text: &str) -> NeighborTarget {
    NeighborTarget::try_from(text.to_owned()).unwrap()
}

/// Returns the numbered neighbor of a device behind an interface.
fn neighbor_at(device: &str, interface: &str) -> String {
    let interface: InterfaceName = interface.parse().unwrap();
    let bgp = EXAMPLE.configs[&device.parse::<NodeName>().unwrap()].bgp.as_ref().unwrap();
    bgp.neighbors.iter().find(|(_, neighbor)| neighbor.interface == interface).unwrap().0.to_string()
}

/// Says what is not compliant, as a person would want to read it.
fn text(assessment: &Assessment) -> String {
    let mut text = String::new();
    for (compliance, number) in assessment.counts() {
        writeln!(text, "{number} {compliance}").unwrap();
    }
    for result in assessment.intents.iter().filter(|result| result.compliance != Compliance::Compliant) {
        writeln!(text, "\n{} {}: {}", result.compliance, result.source, result.summary).unwrap();
        for evidence in result.evidence.iter().take(6) {
            let device = evidence.device.as_ref().map_or("-".to_owned(), ToString::to_string);
            writeln!(
                text,
                "  {} {device}: {}\n    expected {}\n    observed {}",
                evidence.compliance, evidence.subject, evidence.expected, evidence.observed
            )
            .unwrap();
        }
        if result.evidence.len() > 6 {
            writeln!(text, "  and {} more", result.evidence.len() - 6).unwrap();
        }
    }
    for drift in &assessment.drift {
        for (file, lines) in &drift.files {
            writeln!(text, "\ndrift {} {file}", drift.device).unwrap();
            for line in lines {
                writeln!(text, "  {:?} {}: {}", line.is, line.line, line.text).unwrap();
            }
        }
    }
    if assessment.routes.mismatched > 0 {
        writeln!(text, "\n{} of {} routes differ", assessment.routes.mismatched, assessment.routes.compared).unwrap();
        for mismatch in assessment.routes.mismatches.iter().take(5) {
            let hops = |hops: &BTreeSet<NextHop>| {
                let hops: Vec<String> = hops.iter().map(ToString::to_string).collect();
                hops.join(" ")
            };
            writeln!(
                text,
                "  {} {} {} {:?}: [{}] not [{}]: {}",
                mismatch.device,
                mismatch.table,
                mismatch.prefix,
                mismatch.is,
                hops(&mismatch.found),
                hops(&mismatch.expected),
                mismatch.cause
            )
            .unwrap();
        }
    }
    text
}

/// Compares with `tests/cases/NAME.txt`; `UPDATE_EXPECT=1` writes it.
fn golden(name: &str, world: &World) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(format!("{name}.txt"));
    let found = text(&world.assess());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, found, "{} differs; UPDATE_EXPECT=1 rewrites it", path.display());
}

#[test]
fn a_network_as_predicted_is_compliant() {
    let assessment = World::as_predicted().assess();
    assert_eq!(assessment.worst(), Compliance::Compliant, "{}", text(&assessment));
    assert_eq!(assessment.routes.mismatched, 0);
    assert!(assessment.routes.compared > 1000, "{}", assessment.routes.compared);
    for result in &assessment.intents {
        assert!(result.observations > 0, "{}", result.intent);
    }
    let summaries: Vec<String> =
        assessment.intents.iter().map(|result| format!("{}: {}\n", result.intent, result.summary)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/as-predicted.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, summaries.concat()).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), summaries.concat());
}

#[test]
fn a_link_that_is_down_degrades() {
    golden("link-down", &World::with_cut(&["b1-leaf-01:swp15"]));
}

#[test]
fn a_node_without_links_is_cut_off() {
    golden("node-cut-off", &World::with_cut(&["b1-leaf-01:swp15", "b1-leaf-01:swp16"]));
}

#[test]
fn a_session_that_is_down_while_routes_stay_degrades() {
    let mut world = World::as_predicted();
    let target = neighbor_at("b1-leaf-01", "swp15");
    let neighbor = world.neighbor("b1-leaf-01", &target);
    (neighbor.session_state, neighbor.bfd_up) = (SessionState::Active, Some(false));
    golden("session-active", &world);
}

#[test]
fn a_neighbor_of_another_as_violates() {
    let mut world = World::as_predicted();
    world.neighbor("b2-leaf-01", "swp15").peer_as = Some(65_000.try_into().unwrap());
    golden("wrong-peer-as", &world);
}

#[test]
fn a_missing_prefix_violates_its_intent() {
    let mut world = World::as_predicted();
    let subnet =
        EXAMPLE.allocations.segments[&"web".parse::<weft_model::Name>().unwrap()].values().next().unwrap().trunc();
    let state = &mut world.device("b2-leaf-03").state;
    state.rib.as_mut().unwrap().remove(&subnet).unwrap();
    state.fib.as_mut().unwrap().remove(&subnet).unwrap();
    golden("missing-prefix", &world);
}

#[test]
fn ways_and_loads_are_judged_over_the_observed_tables() {
    let assessment = World::of(&PROMISES).assess();
    let found = |name: &str| assessment.intents.iter().find(|result| result.intent.to_string() == name).unwrap();
    for (name, words) in [
        ("reachability/bounded", None),
        ("reachability/past", Some("b1-leaf-01:swp15 > b1-spine-01:swp14 > b1-dci-02")),
        ("reachability/over", Some("b2-dci-02 instead of not over b2-dci-02")),
        ("reachability/long", Some("instead of at most 5 devices")),
        ("capacity/enough", None),
        ("capacity/full", Some("100.0 % instead of at most 99 % of 10G; and 3 more")),
    ] {
        let result = found(name);
        match words {
            None => assert_eq!(result.compliance, Compliance::Compliant, "{}", result.summary),
            Some(words) => {
                assert_eq!(result.compliance, Compliance::Violated, "{name}");
                assert!(result.summary.contains(words), "{}", result.summary);
            }
        }
    }
}

#[test]
fn ospf_in_both_families_is_compliant_as_predicted() {
    let assessment = World::of(&OSPF).assess();
    assert_eq!(text(&assessment), format!("{} compliant\n", assessment.intents.len()));
    let underlay =
        assessment.intents.iter().find(|result| result.source.intent.to_string() == "underlay/routing").unwrap();
    assert!(underlay.summary.contains("36 adjacencies"), "{}", underlay.summary);
}

#[test]
fn an_adjacency_that_is_not_full_degrades_its_underlay() {
    let mut world = World::of(&OSPF);
    let neighbors = world.device("edge-1").state.ospf_neighbors.as_mut().unwrap();
    let families = neighbors.get_mut(&"swp1".parse::<InterfaceName>().unwrap()).unwrap();
    families.remove(&AfiSafi::Ipv6Unicast).unwrap();
    families.get_mut(&AfiSafi::Ipv4Unicast).unwrap().state = OspfState::Exchange;
    let neighbors = world.device("core-1").state.ospf_neighbors.as_mut().unwrap();
    let families = neighbors.get_mut(&"swp1".parse::<InterfaceName>().unwrap()).unwrap();
    families.get_mut(&AfiSafi::Ipv4Unicast).unwrap().router_id = "10.0.0.99".parse().unwrap();
    golden("adjacency", &world);
}

#[test]
fn ipv6_routes_are_compared_like_ipv4_ones() {
    let mut world = World::of(&OSPF);
    let state = &mut world.device("core-1").state;
    let is_users = |prefix: &ipnet::IpNet| prefix.to_string().starts_with("2001:db8:20:");
    state.rib.as_mut().unwrap().retain(|prefix, _| !is_users(prefix));
    // The address of the next hop is link-local, which nobody predicts.
    for route in state.fib.as_mut().unwrap().iter_mut().filter(|(prefix, _)| is_users(prefix)).map(|(_, route)| route) {
        let link_local = |hop: &NextHop| match hop {
            NextHop::Interface { interface, .. } => {
                NextHop::Interface { interface: interface.clone(), via: Some("fe80::1".parse().unwrap()) }
            }
            NextHop::Discard => NextHop::Discard,
        };
        route.next_hops = route.next_hops.iter().map(link_local).collect();
    }
    golden("missing-ipv6", &world);
}

#[test]
fn a_forwarding_table_that_keeps_one_next_hop_degrades() {
    let mut world = World::as_predicted();
    for route in world.device("b1-leaf-01").state.fib.as_mut().unwrap().values_mut() {
        while route.next_hops.len() > 1 {
            route.next_hops.pop_last();
        }
    }
    golden("thinner-fib", &world);
}

#[test]
fn an_extra_announcement_is_a_route_leak() {
    let mut world = World::as_predicted();
    let advertised = world.device("b1-border-01").state.advertised.as_mut().unwrap();
    advertised.get_mut(&target_of("192.0.2.1")).unwrap().insert("10.20.0.0/24".parse().unwrap());
    golden("route-leak", &world);
}

#[test]
fn a_route_beyond_the_accepted_ones_violates_the_peering() {
    let mut world = World::as_predicted();
    let next_hop = NextHop::Interface { interface: "swp1".parse().unwrap(), via: Some("192.0.2.1".parse().unwrap()) };
    let route = Route { protocol: RouteProtocol::Bgp, next_hops: [next_hop].into() };
    world.device("b1-border-01").state.rib.as_mut().unwrap().insert("8.0.0.0/9".parse().unwrap(), route);
    golden("accepted-beyond", &world);
}

#[test]
fn a_prefix_of_one_site_at_another_is_a_leak() {
    let mut world = World::as_predicted();
    let storage = &EXAMPLE.allocations.segments[&"storage".parse::<weft_model::Name>().unwrap()];
    let subnet = storage.values().next().unwrap().trunc();
    let next_hop = NextHop::Interface { interface: "swp15".parse().unwrap(), via: None };
    let route = Route { protocol: RouteProtocol::Bgp, next_hops: [next_hop].into() };
    world.device("b2-leaf-01").state.rib.as_mut().unwrap().insert(subnet, route);
    golden("site-leak", &world);
}

#[test]
fn changed_lines_violate_the_intents_behind_them() {
    let mut world = World::as_predicted();
    let text = world.device("b1-leaf-02").running.as_mut().unwrap().get_mut("running.conf").unwrap();
    *text = text.replace("ntp server 10.255.0.251\n", "").replacen("mtu 9100", "mtu 1500", 1);
    text.push_str("static-route 192.0.2.128/25 discard\n");
    golden("drift", &world);
}

#[test]
fn a_device_that_does_not_answer_makes_unknown() {
    let mut world = World::as_predicted();
    let reason = "connection refused by 127.0.0.1:2201: no SSH server listens there";
    *world.device("b1-leaf-01") = Observed::unreachable(reason);
    for result in world.probes.results.iter_mut().filter(|result| result.probe.from.as_str() == "b1-leaf-01") {
        result.outcome = ProbeOutcome::NotDone { reason: reason.to_owned() };
    }
    golden("unreachable-device", &world);
}

#[test]
fn a_probe_without_an_answer_violates() {
    let mut world = World::as_predicted();
    let result = world
        .probes
        .results
        .iter_mut()
        .find(|result| result.probe.intent.to_string() == "reachability/web-to-internet")
        .unwrap();
    result.outcome = ProbeOutcome::Done { sent: 3, received: 0 };
    golden("failed-ping", &world);
}

#[test]
fn a_host_port_without_its_gateway_violates_the_segment() {
    let mut world = World::as_predicted();
    world.interface("b1-leaf-01:swp1").addresses.clear();
    world.interface("b1-leaf-02:swp1").oper_status = OperStatus::Down;
    golden("host-ports", &world);
}

#[test]
fn a_wrong_mtu_and_a_missing_loopback_address_violate() {
    let mut world = World::as_predicted();
    world.interface("b1-spine-01:swp1").mtu = Some(1500);
    world.interface("b2-spine-01:lo").addresses.clear();
    golden("mtu-and-loopback", &world);
}

#[test]
fn a_transit_that_is_gone_degrades_its_peering() {
    golden("transit-session-down", &World::with_cut(&["b1-border-01:swp1"]));
}

/// Returns what the differences of routes are put down to, such as `2 of b1-leaf-01: session-down: ...`.
fn causes(world: &World) -> Vec<String> {
    let assessment = world.assess();
    let groups = assessment.routes.causes.iter();
    groups
        .map(|group| format!("{} of {}: {}: {}", group.routes, group.device, group.cause.kind.as_str(), group.cause))
        .collect()
}

/// Returns the first subnet of a segment, and the device that has it.
fn subnet_of(segment: &str) -> (String, ipnet::IpNet) {
    let subnets = &EXAMPLE.allocations.segments[&segment.parse::<weft_model::Name>().unwrap()];
    let (port, subnet) = subnets.iter().next().unwrap();
    (port.to_string().split(':').next().unwrap().to_owned(), subnet.trunc())
}

#[test]
fn one_session_that_is_down_explains_every_route_that_went_over_it() {
    let mut world = World::with_cut(&["b1-leaf-01:swp15"]);
    // The ports look well, as where a cable delivers nothing.
    for port in ["b1-leaf-01:swp15", "b1-spine-01:swp1"] {
        world.interface(port).oper_status = OperStatus::Up;
    }
    let found = causes(&world);
    let session = format!(
        "session-down: session down: b1-leaf-01 session swp15 to b1-spine-01 ({})",
        neighbor_at("b1-leaf-01", "swp15")
    );
    assert!(found.iter().any(|cause| cause.contains(" of b1-leaf-01: ") && cause.contains(&session)), "{found:#?}");
    assert!(found.iter().all(|cause| cause.contains("session-down")), "{found:#?}");
    let sessions = world.assess().sessions;
    assert_eq!(sessions.mismatches.len(), 2, "{sessions:#?}");
    assert!(sessions.compared > 60, "{}", sessions.compared);
}

#[test]
fn a_session_between_ports_that_are_down_is_put_down_to_them() {
    let sessions = World::with_cut(&["b1-leaf-01:swp15"]).assess().sessions;
    let words: Vec<String> = sessions
        .mismatches
        .iter()
        .map(|session| {
            format!(
                "{} {}: {} not {}: {}",
                session.device, session.neighbor, session.found, session.expected, session.cause
            )
        })
        .collect();
    let neighbor = neighbor_at("b1-leaf-01", "swp15");
    assert_eq!(
        words[0],
        format!(
            "b1-leaf-01 BGP {neighbor}: not established not established with AS 64601: link down: b1-leaf-01:swp15"
        )
    );
    assert_eq!(words.len(), 2);
}

#[test]
fn a_prefix_that_its_own_device_lacks_has_a_missing_origin() {
    let mut world = World::as_predicted();
    let (origin, subnet) = subnet_of("web");
    for seen in world.observed.values_mut() {
        seen.state.rib.as_mut().unwrap().remove(&subnet);
        seen.state.fib.as_mut().unwrap().remove(&subnet);
    }
    let found = causes(&world);
    let missing = format!("missing-origin: missing origin: {origin} has no {subnet}");
    assert!(found.len() > 10 && found.iter().all(|cause| cause.ends_with(&missing)), "{found:#?}");
}

#[test]
fn a_route_that_is_kept_back_while_the_session_is_up_is_a_matter_of_policies() {
    let mut world = World::as_predicted();
    let (_, subnet) = subnet_of("web");
    let state = &mut world.device("b1-leaf-03").state;
    state.rib.as_mut().unwrap().remove(&subnet).unwrap();
    state.fib.as_mut().unwrap().remove(&subnet).unwrap();
    assert_eq!(causes(&world), ["1 of b1-leaf-03: unknown: unknown"]);
    let neighbor = world.neighbor("b1-leaf-03", &neighbor_at("b1-leaf-03", "swp15"));
    let predicted = neighbor.prefixes_received.unwrap();
    neighbor.prefixes_received = Some(predicted - 1);
    let words = format!(
        "policy: {} of {predicted} prefixes are accepted from b1-spine-01, and the session is up",
        predicted - 1
    );
    assert_eq!(causes(&world), [format!("1 of b1-leaf-03: policy: {words}")]);
}

#[test]
fn what_is_let_in_though_it_should_not_is_a_matter_of_policies() {
    let mut world = World::as_predicted();
    let (_, subnet) = subnet_of("storage");
    let next_hop = NextHop::Interface { interface: "swp15".parse().unwrap(), via: None };
    let route = Route { protocol: RouteProtocol::Bgp, next_hops: [next_hop].into() };
    world.device("b2-leaf-01").state.rib.as_mut().unwrap().insert(subnet, route);
    let neighbor = world.neighbor("b2-leaf-01", "swp15");
    let predicted = neighbor.prefixes_received.unwrap();
    neighbor.prefixes_received = Some(predicted + 1);
    let words = format!("policy: {} prefixes are accepted from b2-spine-01, and {predicted} were to be", predicted + 1);
    assert_eq!(causes(&world), [format!("1 of b2-leaf-01: policy: {words}")]);
}

#[test]
fn a_daemon_that_never_uses_more_than_one_path_has_a_limit() {
    let mut world = World::as_predicted();
    let state = &mut world.device("b1-leaf-01").state;
    for route in [&mut state.rib, &mut state.fib].into_iter().flat_map(|table| table.as_mut().unwrap().values_mut()) {
        while route.next_hops.len() > 1 {
            route.next_hops.pop_last();
        }
    }
    let found = causes(&world);
    let words = "of b1-leaf-01: multipath-limit: no route of b1-leaf-01 is wider than 1, and 16 next hops are allowed";
    assert!(found.len() == 1 && found[0].ends_with(words), "{found:#?}");
}

#[test]
fn a_kernel_that_does_not_follow_its_daemon_is_stale() {
    let mut world = World::as_predicted();
    let (_, subnet) = subnet_of("db");
    world.device("b1-leaf-01").state.fib.as_mut().unwrap().remove(&subnet).unwrap();
    let words = "stale-forwarding: the forwarding table does not follow the routing daemon";
    assert_eq!(causes(&world), [format!("1 of b1-leaf-01: {words}")]);
}

#[test]
fn every_golden_file_belongs_to_a_test() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assess.rs")).unwrap();
    for name in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")).into_keys() {
        let name = name.strip_suffix(".txt").unwrap_or(&name);
        assert!(source.contains(&format!("\"{name}\"")) || name == "as-predicted", "{name} belongs to no test");
    }
}

#[test]
fn a_version_whose_behavior_was_not_predicted_is_noted() {
    let mut world = World::as_predicted();
    world.device("b1-leaf-01").version = Some("2.1".parse().unwrap());
    let assessment = world.assess();
    let note = "b1-leaf-01 runs version 2.1, and is predicted to behave as 1 does";
    assert!(assessment.intents.iter().any(|result| result.summary.ends_with(note)), "{}", text(&assessment));
}
