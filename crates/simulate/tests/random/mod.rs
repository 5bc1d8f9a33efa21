//! Random networks: an AS whose routers run OSPF and BGP with each other, with exits to other ASes, and policies anywhere.
#![allow(clippy::unwrap_used, reason = "a failure ends the test")]
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::vec,
    option::weighted,
    prelude::*,
    sample::{Index, select},
};
use weft_device::config::{
    Action, Conditions, NeighborTarget, PeerType, PolicyDefinition, PrefixMatch, PrefixSet, Prepend, Statement,
    Transformations,
};
use weft_model::{Community, Name, Provenance};

use crate::fabric::{Fabric, prefix};

/// The AS of the routers.
pub(crate) const AS: u32 = 65_000;
/// The first of the ASes of exits.
const OTHERS: u32 = 64_496;
/// What is announced; most of it overlaps.
pub(crate) const PREFIXES: [&str; 4] = ["198.18.0.0/15", "198.18.0.0/16", "198.18.64.0/18", "203.0.113.0/24"];
/// Numbers of communities of the AS.
const COMMUNITIES: std::ops::RangeInclusive<u16> = 1..=3;

/// A statement of a policy.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The prefix that matches, as its place in [`PREFIXES`]; `None` matches every one.
    pub(crate) prefix: Option<usize>,
    /// The number of a community that a route must have.
    pub(crate) community: Option<u16>,
    pub(crate) change: Transformations,
    pub(crate) action: Action,
}

/// What a router does with the routes from or to a neighbor. What no statement decides is accepted.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) node: usize,
    pub(crate) neighbor: usize,
    pub(crate) import: bool,
    pub(crate) steps: Vec<Step>,
}

/// A network. Nodes are numbers: the routers of the AS, then the exits.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The AS of each node.
    pub(crate) asns: Vec<u32>,
    /// Links, with the metric of each direction within the AS; those to exits have none, and a session.
    pub(crate) links: Vec<(usize, usize, Option<[u16; 2]>)>,
    /// Sessions within the AS, and whether the second node is a client of the first.
    pub(crate) sessions: Vec<(usize, usize, bool)>,
    /// Nodes with the prefixes that they originate, as places in [`PREFIXES`].
    pub(crate) origins: BTreeSet<(usize, usize)>,
    pub(crate) policies: Vec<Policy>,
    /// The number of a link that is cut.
    pub(crate) cut: usize,
}

/// Returns the community of the AS with a number.
pub(crate) fn community(number: u16) -> Community {
    Community::Standard(u16::try_from(AS).unwrap(), number)
}

/// Returns the name of a node; names are in the order of the numbers.
pub(crate) fn name(node: usize) -> String {
    format!("d{node:02}")
}

fn set_of(number: u16) -> Name {
    format!("c{number}").parse().unwrap()
}

fn set_of_prefix(number: usize) -> Name {
    format!("p{number}").parse().unwrap()
}

fn prepend(asn: u32, times: u8) -> Option<Prepend> {
    (times > 0).then(|| Prepend { asn: asn.try_into().unwrap(), times })
}

fn change() -> impl Strategy<Value = Transformations> {
    let local_preference = weighted(0.3, select(vec![50, 100, 150, 200]));
    let asn = select(vec![AS, OTHERS, 64_900, 64_901]);
    let communities = (weighted(0.3, COMMUNITIES), weighted(0.2, COMMUNITIES));
    (local_preference, weighted(0.2, 0_u32..3), communities, weighted(0.15, (asn, 1_u8..3))).prop_map(
        |(local_preference, med, (add, remove), before)| Transformations {
            local_preference,
            med,
            add_communities: add.into_iter().map(community).collect(),
            remove_communities: remove.map(set_of),
            prepend: before.and_then(|(asn, times)| prepend(asn, times)),
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![5 => Just(Action::Accept), 3 => Just(Action::Next), 1 => Just(Action::Reject)];
    let step = (weighted(0.4, 0..PREFIXES.len()), weighted(0.5, COMMUNITIES), change(), action)
        .prop_map(|(prefix, community, change, action)| Step { prefix, community, change, action });
    vec(step, 0..4)
}

/// Returns how an exit announces a prefix: with so many ASes more on its path, a MED and communities.
fn announcement(number: usize) -> impl Strategy<Value = Step> {
    let special = prop_oneof![
        18 => Just(None),
        1 => Just(Some(Community::NO_EXPORT)),
        1 => Just(Some(Community::NO_ADVERTISE)),
    ];
    let communities = (vec(COMMUNITIES, 0..3), special);
    (0_u8..3, select(vec![64_900, 64_901]), 0_u32..3, communities).prop_map(
        move |(times, asn, med, (some, special))| {
            let change = Transformations {
                med: Some(med),
                add_communities: some.into_iter().map(community).chain(special).collect(),
                prepend: prepend(asn, times),
                ..Transformations::default()
            };
            Step { prefix: Some(number), community: None, change, action: Action::Accept }
        },
    )
}

/// A link of an exit: the border, how the exit announces each prefix, and what the border does with what comes and goes.
type Uplink = (Index, Vec<Step>, Vec<Step>, Vec<Step>);
/// An exit: its AS, the prefixes that it originates, its links.
type Exit = (u32, Vec<bool>, Vec<Uplink>);

fn exit() -> impl Strategy<Value = Exit> {
    let announcements: Vec<_> = (0..PREFIXES.len()).map(announcement).collect();
    let uplink = (any::<Index>(), announcements, steps(), steps());
    (0_u32..3, vec(prop::bool::weighted(0.6), PREFIXES.len()), vec(uplink, 1..3))
}

/// Reflectors: how many levels there are, of which no level is a full mesh; the reflectors, and for each router those of which it is a
/// client.
type Reflection = (usize, Vec<Index>, Vec<Vec<Index>>);

fn sessions(routers: usize, (levels, reflectors, clients): &Reflection) -> Vec<(usize, usize, bool)> {
    let mut sessions = BTreeMap::new();
    let mut add = |a: usize, b: usize, client: bool| {
        if a != b && !sessions.contains_key(&(b, a)) {
            sessions.entry((a, b)).or_insert(client);
        }
    };
    let mut chosen: Vec<usize> = Vec::new();
    for reflector in reflectors.iter().map(|index| index.index(routers)) {
        if !chosen.contains(&reflector) {
            chosen.push(reflector);
        }
    }
    let (above, below) = match levels {
        0 => {
            (0..routers).for_each(|a| (a + 1..routers).for_each(|b| add(a, b, false)));
            (&chosen[..0], &chosen[..0])
        }
        1 => (&chosen[..0], &chosen[..]),
        _ => chosen.split_at(1),
    };
    let meshed = if above.is_empty() { below } else { above };
    meshed.iter().for_each(|&a| meshed.iter().filter(|b| a < **b).for_each(|&b| add(a, b, false)));
    above.iter().for_each(|&a| below.iter().for_each(|&b| add(a, b, true)));
    let reflecting = if below.is_empty() { above } else { below };
    for (router, of) in (0..routers).zip(clients).filter(|(router, _)| !chosen.contains(router)) {
        of.iter().filter(|_| !reflecting.is_empty()).for_each(|index| add(*index.get(reflecting), router, true));
    }
    sessions.into_iter().map(|((a, b), client)| (a, b, client)).collect()
}

/// Returns networks of 4 to 12 routers with 2 to 4 exits. `metrics` are what links cost; with `inner`, there are policies between
/// routers of the AS too, and routers that originate prefixes.
pub(crate) fn plans(metrics: std::ops::Range<u16>, inner: bool) -> impl Strategy<Value = Plan> {
    let metric = (metrics.clone(), metrics);
    let link = (any::<Index>(), any::<Index>(), metric);
    let reflection = (0_usize..3, vec(any::<Index>(), 1..4), vec(vec(any::<Index>(), 1..3), 12));
    let policy = (any::<Index>(), any::<bool>(), any::<bool>(), steps());
    let most = if inner { 3 } else { 1 };
    let within = (vec(policy, 0..most), vec((any::<Index>(), 0..PREFIXES.len()), 0..most));
    let outside = (vec(exit(), 2..5), any::<Index>());
    (4_usize..=12, vec(link.clone(), 11), vec(link, 0..8), reflection, within, outside).prop_map(
        |(routers, tree, chords, reflection, (inner, own), (exits, cut))| {
            let mut links: BTreeMap<(usize, usize), Option<[u16; 2]>> = BTreeMap::new();
            for (router, (earlier, _, (there, back))) in (1..routers).zip(tree) {
                links.insert((earlier.index(router), router), Some([there, back]));
            }
            for (a, b, (there, back)) in chords {
                let (a, b) = (a.index(routers), b.index(routers));
                if a < b {
                    links.entry((a, b)).or_insert(Some([there, back]));
                }
            }
            let mut asns = vec![AS; routers];
            let mut policies = Vec::new();
            let mut origins: BTreeSet<(usize, usize)> = BTreeSet::new();
            for (asn, announces, uplinks) in exits {
                let node = asns.len();
                asns.push(OTHERS + asn);
                origins.extend(announces.iter().enumerate().filter(|(_, yes)| **yes).map(|(prefix, _)| (node, prefix)));
                for (border, announced, import, export) in uplinks {
                    let border = border.index(routers);
                    if links.insert((border, node), None).is_none() {
                        policies.push(Policy { node, neighbor: border, import: false, steps: announced });
                        policies.push(Policy { node: border, neighbor: node, import: true, steps: import });
                        policies.push(Policy { node: border, neighbor: node, import: false, steps: export });
                    }
                }
            }
            let sessions = sessions(routers, &reflection);
            for (session, first, import, steps) in inner.into_iter().filter(|_| !sessions.is_empty()) {
                let &(a, b, _) = session.get(&sessions);
                let (node, neighbor) = if first { (a, b) } else { (b, a) };
                if !policies.iter().any(|p: &Policy| (p.node, p.neighbor, p.import) == (node, neighbor, import)) {
                    policies.push(Policy { node, neighbor, import, steps });
                }
            }
            origins.extend(own.into_iter().map(|(router, prefix)| (router.index(routers), prefix)));
            let cut = cut.index(links.len());
            let links = links.into_iter().map(|((a, b), metrics)| (a, b, metrics)).collect();
            Plan { asns, links, sessions, origins, policies, cut }
        },
    )
}

impl Plan {
    /// Returns the network, whose routers use up to so many exits together; cables have the numbers of links.
    pub(crate) fn fabric(&self, maximum_paths: u16) -> Fabric {
        let mut fabric = Fabric::default();
        for (node, &asn) in self.asns.iter().enumerate() {
            if asn == AS {
                fabric.member(&name(node), asn, maximum_paths);
            } else {
                fabric.device(&name(node), asn, maximum_paths);
                fabric.bgp(&name(node)).networks.clear();
            }
        }
        for &(a, b, metrics) in &self.links {
            let ends = [name(a), name(b)];
            match metrics {
                Some(metrics) => {
                    fabric.adjacency(&ends[0], &ends[1], "0", metrics, true);
                }
                None => {
                    let cable = fabric.link(&ends[0], &ends[1], true);
                    ends.iter().for_each(|end| fabric.neighbor(end, cable).peer_type = PeerType::External);
                }
            }
        }
        for &(a, b, client) in &self.sessions {
            fabric.internal_session(&name(a), &name(b), client);
        }
        for &(node, number) in &self.origins {
            fabric.discard(&name(node), PREFIXES[number]);
            fabric.originate(&name(node), PREFIXES[number]);
        }
        COMMUNITIES.for_each(|number| fabric.community_set(set_of(number).as_str(), &[community(number)]));
        for (number, policy) in self.policies.iter().enumerate() {
            let policy_name: Name = format!("policy-{number}").parse().unwrap();
            let (node, neighbor) = (name(policy.node), self.target(&fabric, policy.node, policy.neighbor));
            let config = fabric.config(&node);
            for (number, text) in PREFIXES.iter().enumerate() {
                let (prefix, provenance) = (prefix(text), Provenance::default());
                let [least_length, greatest_length] = [prefix.prefix_len(); 2];
                let exactly = PrefixMatch { prefix, least_length, greatest_length, provenance };
                let set = PrefixSet { prefixes: vec![exactly], provenance: Provenance::default() };
                config.routing_policy.prefix_sets.insert(set_of_prefix(number), set);
            }
            let definition = PolicyDefinition { statements: statements(policy), provenance: Provenance::default() };
            config.routing_policy.policy_definitions.insert(policy_name.clone(), definition);
            let neighbor = config.bgp.as_mut().unwrap().neighbors.get_mut(&neighbor).unwrap();
            let place = if policy.import { &mut neighbor.import_policy } else { &mut neighbor.export_policy };
            *place = Some(policy_name);
        }
        fabric
    }

    /// Returns how a node names a neighbor.
    pub(crate) fn target(&self, fabric: &Fabric, node: usize, neighbor: usize) -> NeighborTarget {
        if self.asns[node] == self.asns[neighbor] {
            return NeighborTarget::Address(fabric.loopback(&name(neighbor)).addr());
        }
        let between = |(a, b, _): &(usize, usize, _)| [(node, neighbor), (neighbor, node)].contains(&(*a, *b));
        let cable = self.links.iter().position(between).unwrap();
        let far = fabric.cables[cable].iter().find(|end| end.node.as_str() == name(neighbor)).unwrap();
        let interface = &fabric.configs[&far.node].interfaces[&far.interface];
        NeighborTarget::Address(interface.addresses[0].prefix.addr())
    }
}

fn statements(policy: &Policy) -> Vec<Statement> {
    let rest = Step { prefix: None, community: None, change: Transformations::default(), action: Action::Accept };
    let statement = |(step, sequence): (&Step, u16)| Statement {
        sequence,
        conditions: Conditions {
            prefix_set: step.prefix.map(set_of_prefix),
            community_set: step.community.map(set_of),
        },
        transformations: step.change.clone(),
        action: step.action,
        provenance: Provenance::default(),
    };
    policy.steps.iter().chain([&rest]).zip(1..).map(statement).collect()
}
