//! Which devices change together.
//!
//! While a device changes it may be away. So the members of a wave are chosen such that the devices that stay can still
//! reach each other, and such that no two devices of the role that holds a fabric together are away at once.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{FabricName, Network, NodeName, Role};

use crate::{Wave, WavePolicy};

/// Orders the devices that change into waves. `bare` are those that carry no traffic yet: nothing is lost while they are
/// away.
pub(crate) fn order(
    changing: &BTreeSet<NodeName>,
    bare: &BTreeSet<NodeName>,
    network: &Network,
    policy: &WavePolicy,
) -> Vec<Wave> {
    let topology = Topology::of(network);
    let mut waiting: Vec<&NodeName> = changing.iter().collect();
    // A leaf with few links first: its loss harms least.
    waiting.sort_by_key(|name| {
        let role = network.node(name.as_str()).map(|node| node.role.as_str());
        (role != Some("leaf"), topology.links(name), *name)
    });
    let mut waves = Vec::new();
    let mut number = 0;
    while !waiting.is_empty() {
        let is_canary = waves.is_empty() && policy.canary > 0;
        let most = if is_canary { policy.canary } else { policy.size.max(1) };
        let mut members: Vec<&NodeName> = Vec::new();
        let mut away = Away::default();
        waiting.retain(|name| {
            let joins = members.len() < most && (bare.contains(*name) || topology.may_join(&mut away, name));
            if joins {
                members.push(name);
            }
            !joins
        });
        let reason = reason(&members, bare, &topology, is_canary);
        members.sort();
        let name = if is_canary {
            "canary".to_owned()
        } else {
            number += 1;
            format!("wave {number}")
        };
        waves.push(Wave { name, devices: members.into_iter().cloned().collect(), reason });
    }
    waves
}

fn reason(members: &[&NodeName], bare: &BTreeSet<NodeName>, topology: &Topology<'_>, is_canary: bool) -> String {
    let new = members.iter().filter(|name| bare.contains(**name)).count();
    let in_use = members.len() - new;
    let mut reasons = Vec::new();
    if is_canary {
        let links: Vec<String> = members.iter().map(|name| topology.links(name).to_string()).collect();
        let plural = if links.len() == 1 && links[0] == "1" { "link" } else { "links" };
        reasons.push(format!("first alone, as its loss would harm least: {} {plural}", links.join(", ")));
    }
    if new > 0 {
        reasons.push(match (new, in_use) {
            (1, 0) => "it carries no traffic yet".to_owned(),
            (_, 0) => "they carry no traffic yet".to_owned(),
            (new, _) => format!("{new} of them carry no traffic yet"),
        });
    }
    if in_use > 1 {
        reasons.push(
            "the others still reach each other while these are away, and each fabric keeps all but one of its most \
             connected devices"
                .to_owned(),
        );
    } else if reasons.is_empty() {
        reasons.push("alone: it may not be away together with another one".to_owned());
    }
    reasons.join("; ")
}

/// The devices in use that one wave takes away.
#[derive(Default)]
struct Away {
    nodes: BTreeSet<usize>,
    fabrics: BTreeSet<FabricName>,
    parts: usize,
}

/// Who is linked to whom, by number.
struct Topology<'a> {
    numbers: BTreeMap<&'a str, usize>,
    neighbors: Vec<Vec<usize>>,
    /// The fabric of each device that holds one together.
    central: BTreeMap<usize, FabricName>,
}

impl<'a> Topology<'a> {
    fn of(network: &'a Network) -> Self {
        let numbers: BTreeMap<&str, usize> =
            network.nodes().enumerate().map(|(number, node)| (node.name.as_str(), number)).collect();
        let mut neighbors = vec![Vec::new(); numbers.len()];
        for link in network.links() {
            let [a, b] = [&link.ends[0], &link.ends[1]].map(|end| numbers[end.node.as_str()]);
            neighbors[a].push(b);
            neighbors[b].push(a);
        }
        // The role whose devices have the most links on average, by fabric.
        let mut roles: BTreeMap<&FabricName, BTreeMap<&Role, (usize, usize)>> = BTreeMap::new();
        for node in network.nodes() {
            if let Some(fabric) = &node.fabric {
                let (links, devices) = roles.entry(fabric).or_default().entry(&node.role).or_default();
                *links += neighbors[numbers[node.name.as_str()]].len();
                *devices += 1;
            }
        }
        let most: BTreeMap<&FabricName, &Role> = roles
            .into_iter()
            .filter_map(|(fabric, roles)| {
                let best = roles.into_iter().max_by(|(_, (l, d)), (_, (m, e))| (l * e).cmp(&(m * d)))?;
                Some((fabric, best.0))
            })
            .collect();
        let central = network
            .nodes()
            .filter_map(|node| {
                let fabric = node.fabric.as_ref()?;
                (most.get(fabric) == Some(&&node.role)).then(|| (numbers[node.name.as_str()], fabric.clone()))
            })
            .collect();
        Self { numbers, neighbors, central }
    }

    fn links(&self, name: &NodeName) -> usize {
        self.numbers.get(name.as_str()).map_or(0, |&number| self.neighbors[number].len())
    }

    /// Takes a device into a wave, unless that would cut off devices which neither it nor the wave cuts off alone.
    fn may_join(&self, away: &mut Away, name: &NodeName) -> bool {
        let Some(&number) = self.numbers.get(name.as_str()) else { return away.nodes.is_empty() };
        let fabric = self.central.get(&number);
        if fabric.is_some_and(|fabric| away.fabrics.contains(fabric)) {
            return false;
        }
        let mut nodes = away.nodes.clone();
        nodes.insert(number);
        let parts = self.parts(&nodes);
        let alone = self.parts(&BTreeSet::from([number]));
        if !away.nodes.is_empty() && parts > alone.max(away.parts) {
            return false;
        }
        *away = Away { nodes, parts, fabrics: std::mem::take(&mut away.fabrics) };
        away.fabrics.extend(fabric.cloned());
        true
    }

    /// Returns into how many parts the rest falls when some devices are away.
    fn parts(&self, away: &BTreeSet<usize>) -> usize {
        let mut seen: Vec<bool> = (0..self.neighbors.len()).map(|number| away.contains(&number)).collect();
        let mut parts = 0;
        for start in 0..seen.len() {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            parts += 1;
            let mut next = vec![start];
            while let Some(number) = next.pop() {
                for &neighbor in &self.neighbors[number] {
                    if !std::mem::replace(&mut seen[neighbor], true) {
                        next.push(neighbor);
                    }
                }
            }
        }
        parts
    }
}
