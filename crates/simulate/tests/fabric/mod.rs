//! Networks for tests and benchmarks: leaf-spine, fat-tree, and any graph.
#![allow(clippy::unwrap_used, reason = "a failure ends the test")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::IpNet;
use weft_device::config::{
    Action, AfiSafi, Bgp, CommunitySet, Conditions, DeviceConfig, Interface, InterfaceAddress, InterfaceKind, Neighbor,
    NeighborTarget, Network, Ospf, OspfInterface, PeerType, PolicyDefinition, PrefixMatch, PrefixSet, RoutingPolicy,
    Seconds, SshServer, Statement, StaticNextHop, StaticRoute, System, Transformations,
};
use weft_model::{BehaviorProfile, Community, InterfaceName, Name, NodeName, Provenance, TerminationPoint};
use weft_simulate::{Cable, Failed, Prediction, simulate};

/// A network under construction.
#[derive(Default)]
pub(crate) struct Fabric {
    pub(crate) configs: BTreeMap<NodeName, DeviceConfig>,
    pub(crate) cables: Vec<Cable>,
}

pub(crate) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(crate) fn end(text: &str) -> TerminationPoint {
    let (node, interface) = text.split_once(':').unwrap();
    TerminationPoint { node: node.parse().unwrap(), interface: interface.parse().unwrap() }
}

pub(crate) fn prefix(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn interface(kind: InterfaceKind, addresses: &[IpNet], unnumbered: bool) -> Interface {
    Interface {
        kind,
        description: String::new(),
        mtu: None,
        addresses: addresses
            .iter()
            .map(|&prefix| InterfaceAddress { prefix, provenance: Provenance::default() })
            .collect(),
        unnumbered,
        egress_acl: None,
        provenance: Provenance::default(),
    }
}

/// Returns a neighbor without policies.
fn neighbor(interface: InterfaceName, peer_as: u32) -> Neighbor {
    Neighbor {
        description: String::new(),
        interface,
        peer_as: peer_as.try_into().unwrap(),
        local_address: None,
        route_reflector_client: false,
        next_hop_self: false,
        peer_type: PeerType::Internal,
        timers: None,
        bfd: None,
        authentication: None,
        import_policy: None,
        export_policy: None,
        maximum_prefixes: None,
        afi_safis: [AfiSafi::Ipv4Unicast].into(),
        provenance: Provenance::default(),
    }
}

/// Returns an address of a cable.
fn on_cable(index: usize, end: usize) -> Ipv4Addr {
    Ipv4Addr::from(0x0a80_0000 + u32::try_from(2 * index + end).unwrap())
}

impl Fabric {
    /// Adds a device that originates its loopback, `10.0.0.0 + its number`.
    pub(crate) fn device(&mut self, name: &str, asn: u32, maximum_paths: u16) {
        let number = u32::try_from(self.configs.len()).unwrap() + 1;
        let router_id = Ipv4Addr::from(0x0a00_0000 + number);
        let loopback: IpNet = format!("{router_id}/32").parse().unwrap();
        let config = DeviceConfig {
            device: node(name),
            pack: "loom".parse().unwrap(),
            profile: BehaviorProfile::default(),
            system: System {
                hostname: node(name),
                ntp_servers: Vec::new(),
                dns_servers: Vec::new(),
                syslog_servers: Vec::new(),
                banner: None,
                ssh: SshServer::default(),
                snmp: None,
                users: BTreeMap::new(),
                provenance: Provenance::default(),
            },
            interfaces: [(InterfaceName::loopback(), interface(InterfaceKind::Loopback, &[loopback], false))].into(),
            routing_policy: RoutingPolicy::default(),
            static_routes: BTreeMap::new(),
            ospf: None,
            acl_sets: BTreeMap::new(),
            bgp: Some(Bgp {
                asn: asn.try_into().unwrap(),
                router_id,
                cluster_id: None,
                maximum_paths,
                networks: [(loopback, Network { provenance: Provenance::default() })].into(),
                neighbors: BTreeMap::new(),
                provenance: Provenance::default(),
            }),
        };
        self.configs.insert(node(name), config);
    }

    pub(crate) fn config(&mut self, name: &str) -> &mut DeviceConfig {
        self.configs.get_mut(name).unwrap()
    }

    pub(crate) fn bgp(&mut self, name: &str) -> &mut Bgp {
        self.config(name).bgp.as_mut().unwrap()
    }

    pub(crate) fn loopback(&self, name: &str) -> IpNet {
        self.configs[name].interfaces["lo".parse::<InterfaceName>().as_ref().unwrap()].addresses[0].prefix
    }

    pub(crate) fn port(&mut self, name: &str) -> InterfaceName {
        format!("swp{}", self.configs[name].interfaces.len()).parse().unwrap()
    }

    /// Adds a cable, with addresses from 10.128/9 at its ends or unnumbered; returns its number.
    pub(crate) fn cable(&mut self, a: &str, b: &str, numbered: bool) -> usize {
        let index = self.cables.len();
        let ends = [a, b].map(|name| TerminationPoint { node: node(name), interface: self.port(name) });
        for (near, far) in [(0, 1), (1, 0)] {
            let address: IpNet = format!("{}/31", on_cable(index, near)).parse().unwrap();
            let on_it: &[IpNet] = if numbered { &[address] } else { &[] };
            let kind = InterfaceKind::Link { peer: ends[far].clone() };
            let config = self.configs.get_mut(&ends[near].node).unwrap();
            config.interfaces.insert(ends[near].interface.clone(), interface(kind, on_it, !numbered));
        }
        self.cables.push(ends);
        index
    }

    /// Adds a cable with a session over it; returns its number.
    pub(crate) fn link(&mut self, a: &str, b: &str, numbered: bool) -> usize {
        let index = self.cable(a, b, numbered);
        let ends = self.cables[index].clone();
        for (near, far) in [(0, 1), (1, 0)] {
            let peer_as = self.bgp(ends[far].node.clone().as_str()).asn;
            let target = if numbered {
                NeighborTarget::Address(on_cable(index, far).into())
            } else {
                NeighborTarget::Interface(ends[near].interface.clone())
            };
            let neighbor = neighbor(ends[near].interface.clone(), peer_as.get());
            self.bgp(ends[near].node.as_str()).neighbors.insert(target, neighbor);
        }
        index
    }

    /// Adds a device with OSPF for both families in place of BGP, and the loopbacks `10.0.0.0 + its number` and
    /// `2001:db8:: + its number` in the backbone with metric 1.
    pub(crate) fn router(&mut self, name: &str) {
        self.device(name, 65_000, 64);
        let number = self.configs.len();
        let bgp = self.config(name).bgp.take().unwrap();
        self.config(name).ospf = Some(Ospf {
            router_id: bgp.router_id,
            families: [AfiSafi::Ipv4Unicast, AfiSafi::Ipv6Unicast].into(),
            maximum_paths: 64,
            areas: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            maximum_metric: false,
            redistribute_bgp: None,
            provenance: Provenance::default(),
        });
        self.address(&format!("{name}:lo"), &format!("2001:db8::{number:x}/128"));
        self.announce(&format!("{name}:lo"), "0", 1, true);
    }

    /// Adds a router of an AS that runs OSPF for IPv4 between its loopbacks, and BGP without networks.
    pub(crate) fn member(&mut self, name: &str, asn: u32, maximum_paths: u16) {
        self.router(name);
        let ospf = self.ospf(name);
        ospf.families = [AfiSafi::Ipv4Unicast].into();
        let router_id = ospf.router_id;
        let (networks, neighbors) = Default::default();
        self.config(name).bgp = Some(Bgp {
            asn: asn.try_into().unwrap(),
            router_id,
            cluster_id: None,
            maximum_paths,
            networks,
            neighbors,
            provenance: Provenance::default(),
        });
    }

    /// Adds a session between the loopbacks of two members of an AS; `client` tells whether the second is a client of the first.
    pub(crate) fn internal_session(&mut self, a: &str, b: &str, client: bool) {
        for (near, far, client) in [(a, b, client), (b, a, false)] {
            let [near_address, far_address] = [near, far].map(|name| self.loopback(name).addr());
            let asn = self.bgp(near).asn.get();
            let neighbor = Neighbor {
                local_address: Some(near_address),
                route_reflector_client: client,
                next_hop_self: true,
                ..neighbor(InterfaceName::loopback(), asn)
            };
            self.bgp(near).neighbors.insert(NeighborTarget::Address(far_address), neighbor);
        }
    }

    pub(crate) fn ospf(&mut self, name: &str) -> &mut Ospf {
        self.config(name).ospf.as_mut().unwrap()
    }

    /// Puts an interface into an area.
    pub(crate) fn announce(&mut self, at: &str, area: &str, metric: u16, passive: bool) {
        let end = end(at);
        let on = OspfInterface {
            area: area.parse().unwrap(),
            metric,
            passive,
            hello: Seconds(1),
            dead: Seconds(4),
            bfd: None,
            provenance: Provenance::default(),
        };
        self.ospf(end.node.as_str()).interfaces.insert(end.interface, on);
    }

    /// Adds a cable within an area, with a metric for each direction; returns its number.
    pub(crate) fn adjacency(&mut self, a: &str, b: &str, area: &str, metrics: [u16; 2], numbered: bool) -> usize {
        let index = self.cable(a, b, numbered);
        for (end, metric) in self.cables[index].clone().iter().zip(metrics) {
            self.announce(&end.to_string(), area, metric, false);
        }
        index
    }

    /// Adds a port for hosts, and originates its subnet.
    pub(crate) fn segment(&mut self, name: &str, gateway: &str) -> InterfaceName {
        let port = self.port(name);
        let gateway = prefix(gateway);
        self.config(name).interfaces.insert(port.clone(), interface(InterfaceKind::Host, &[gateway], false));
        self.originate(name, &gateway.trunc().to_string());
        port
    }

    pub(crate) fn originate(&mut self, name: &str, network: &str) {
        self.bgp(name).networks.insert(prefix(network), Network { provenance: Provenance::default() });
    }

    pub(crate) fn discard(&mut self, name: &str, network: &str) {
        let route = StaticRoute { next_hop: StaticNextHop::Discard, provenance: Provenance::default() };
        self.config(name).static_routes.insert(prefix(network), route);
    }

    /// Adds an address to an interface.
    pub(crate) fn address(&mut self, at: &str, address: &str) {
        let end = end(at);
        let address = InterfaceAddress { prefix: prefix(address), provenance: Provenance::default() };
        self.config(end.node.as_str()).interfaces.get_mut(&end.interface).unwrap().addresses.push(address);
    }

    /// Defines a set of communities on every device.
    pub(crate) fn community_set(&mut self, name: &str, communities: &[Community]) {
        for config in self.configs.values_mut() {
            let set = CommunitySet { communities: communities.to_vec(), provenance: Provenance::default() };
            config.routing_policy.community_sets.insert(name.parse().unwrap(), set);
        }
    }

    /// Defines a policy on every device: communities that a route has one of, what is changed, what is done.
    pub(crate) fn policy(&mut self, name: &str, statements: &[(Option<&str>, Transformations, Action)]) -> Name {
        let name: Name = name.parse().unwrap();
        let statement = |((communities, transformations, action), sequence): (&(_, Transformations, _), u16)| {
            let communities: &Option<&str> = communities;
            let conditions =
                Conditions { prefix_set: None, community_set: communities.map(|set| set.parse().unwrap()) };
            let transformations = transformations.clone();
            Statement { sequence, conditions, transformations, action: *action, provenance: Provenance::default() }
        };
        let statements: Vec<Statement> = statements.iter().zip(1..).map(statement).collect();
        for config in self.configs.values_mut() {
            let policy = PolicyDefinition { statements: statements.clone(), provenance: Provenance::default() };
            config.routing_policy.policy_definitions.insert(name.clone(), policy);
        }
        name
    }

    /// Returns the neighbor of `name` over the cable number `index`.
    pub(crate) fn neighbor(&mut self, name: &str, index: usize) -> &mut Neighbor {
        let port = self.cables[index].iter().find(|end| end.node.as_str() == name).unwrap().interface.clone();
        self.bgp(name).neighbors.values_mut().find(|neighbor| neighbor.interface == port).unwrap()
    }

    pub(crate) fn simulate(&self) -> Prediction {
        simulate(&self.configs, &self.cables, &Failed::default())
    }
}

/// Leaves `l1..` in an AS each, spines `s1..` that share one; every leaf has one link to every spine.
pub(crate) fn leaf_spine(leaves: u32, spines: u32, numbered: bool) -> Fabric {
    let mut fabric = Fabric::default();
    for spine in 1..=spines {
        fabric.device(&format!("s{spine}"), 64_600, 64);
    }
    for leaf in 1..=leaves {
        fabric.device(&format!("l{leaf}"), 4_200_000_000 + leaf, 64);
        for spine in 1..=spines {
            fabric.link(&format!("l{leaf}"), &format!("s{spine}"), numbered);
        }
    }
    fabric
}

/// A k-ary fat-tree: k pods of k/2 edges `e-POD-N` and k/2 aggregations `a-POD-N`, and (k/2)^2 cores `c-GROUP-N`. The cores
/// share an AS, so do the aggregations of a pod; every edge has its own and a subnet with hosts.
pub(crate) fn fat_tree(k: u32) -> Fabric {
    let half = k / 2;
    let mut fabric = Fabric::default();
    for group in 0..half {
        for core in 0..half {
            fabric.device(&format!("c-{group}-{core}"), 4_200_000_000, 64);
        }
    }
    for pod in 0..k {
        for aggregation in 0..half {
            let name = format!("a-{pod}-{aggregation}");
            fabric.device(&name, 4_200_001_000 + pod, 64);
            for core in 0..half {
                fabric.link(&name, &format!("c-{aggregation}-{core}"), false);
            }
        }
        for edge in 0..half {
            let name = format!("e-{pod}-{edge}");
            fabric.device(&name, 4_200_010_000 + pod * half + edge, 64);
            for aggregation in 0..half {
                fabric.link(&name, &format!("a-{pod}-{aggregation}"), false);
            }
            fabric.segment(&name, &format!("172.{}.{edge}.1/24", 16 + pod));
        }
    }
    fabric
}

/// The same fat-tree with policies for each tier, as fabrics have them, and the subnets with hosts alone: edges announce these
/// and mark them, and the others pass on what is marked.
pub(crate) fn tiered_fat_tree(k: u32) -> Fabric {
    let mut fabric = fat_tree(k);
    let mark = Community::Standard(64_496, 1);
    let subnets = PrefixMatch {
        prefix: prefix("172.0.0.0/8"),
        least_length: 24,
        greatest_length: 24,
        provenance: Provenance::default(),
    };
    let name = |text: &str| -> Name { text.parse().unwrap() };
    let statement = |conditions, transformations| Statement {
        sequence: 10,
        conditions,
        transformations,
        action: Action::Accept,
        provenance: Provenance::default(),
    };
    for (device, config) in &mut fabric.configs {
        let edge = device.as_str().starts_with('e');
        let (conditions, transformations) = if edge {
            let set = PrefixSet { prefixes: vec![subnets.clone()], provenance: Provenance::default() };
            config.routing_policy.prefix_sets.insert(name("subnets"), set);
            let add = Transformations { add_communities: vec![mark], ..Default::default() };
            (Conditions { prefix_set: Some(name("subnets")), community_set: None }, add)
        } else {
            let set = CommunitySet { communities: vec![mark], provenance: Provenance::default() };
            config.routing_policy.community_sets.insert(name("marked"), set);
            (Conditions { prefix_set: None, community_set: Some(name("marked")) }, Transformations::default())
        };
        let policy = PolicyDefinition {
            statements: vec![statement(conditions, transformations)],
            provenance: Provenance::default(),
        };
        config.routing_policy.policy_definitions.insert(name("out"), policy);
        let bgp = config.bgp.as_mut().unwrap();
        bgp.networks.retain(|prefix, _| prefix.prefix_len() == 24);
        for neighbor in bgp.neighbors.values_mut() {
            neighbor.export_policy = Some(name("out"));
        }
    }
    fabric
}

/// The same fat-tree with OSPF in one area: the loopbacks and the subnets of cables are what it routes.
pub(crate) fn ospf_fat_tree(k: u32) -> Fabric {
    let half = k / 2;
    let mut fabric = Fabric::default();
    for core in 0..half * half {
        fabric.router(&format!("c-{}-{}", core / half, core % half));
    }
    for pod in 0..k {
        for aggregation in 0..half {
            let name = format!("a-{pod}-{aggregation}");
            fabric.router(&name);
            for core in 0..half {
                fabric.adjacency(&name, &format!("c-{aggregation}-{core}"), "0", [1, 1], true);
            }
        }
        for edge in 0..half {
            let name = format!("e-{pod}-{edge}");
            fabric.router(&name);
            for aggregation in 0..half {
                fabric.adjacency(&name, &format!("a-{pod}-{aggregation}"), "0", [1, 1], true);
            }
        }
    }
    fabric
}
