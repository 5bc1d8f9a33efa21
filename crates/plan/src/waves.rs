//! Which devices change together.
//!
//! While a device changes it may be away. So the members of a wave are chosen such that every promise that holds is kept while all of
//! them are away, as the predicted network says. What nobody promised has a floor: the devices that stay can still reach each
//! other, and no two devices of the role that holds a fabric together are away at once.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use weft_model::{FabricName, IntentRef, Network, NodeName, Role};

use crate::{Wave, WavePolicy};

/// The most devices of a wave of which it is said why they were not in an earlier one.
const MOST_REASONS: usize = 3;

/// Says which intents that hold would not hold while some devices are away.
pub type Absences<'a> = dyn Fn(&BTreeSet<NodeName>) -> BTreeSet<IntentRef> + 'a;

/// Orders the devices that change into waves. `bare` are those that carry no traffic yet: nothing is lost while they are
/// away.
pub(crate) fn order(
    changing: &BTreeSet<NodeName>,
    bare: &BTreeSet<NodeName>,
    network: &Network,
    policy: &WavePolicy,
    absences: &Absences<'_>,
) -> Vec<Wave> {
    let topology = Topology::of(network);
    let asked = Asked { absences, known: RefCell::default() };
    let mut waiting: Vec<&NodeName> = changing.iter().collect();
    // What nobody misses goes first, and of that a leaf with few links: its loss harms least.
    waiting.sort_by_cached_key(|name| {
        let role = network.node(name.as_str()).map(|node| node.role.as_str());
        let missed = !bare.contains(*name) && !asked.alone(name).is_empty();
        (missed, role != Some("leaf"), topology.links(name), *name)
    });
    let mut waves: Vec<Wave> = Vec::new();
    // Why a device that waits was not taken before.
    let mut kept: BTreeMap<&NodeName, String> = BTreeMap::new();
    let mut number = 0;
    while !waiting.is_empty() {
        let is_canary = waves.is_empty() && policy.canary > 0;
        let most = if is_canary { policy.canary } else { policy.size.max(1) };
        let name = if is_canary {
            "canary".to_owned()
        } else {
            number += 1;
            format!("wave {number}")
        };
        let mut forming = Forming { name: &name, members: Vec::new(), away: Away::default(), breaks: BTreeSet::new() };
        waiting.retain(|device| {
            if forming.members.len() >= most {
                return true;
            }
            let refused = if bare.contains(*device) { None } else { forming.refuses(device, &topology, &asked) };
            match refused {
                Some(why) => {
                    kept.insert(device, why);
                    true
                }
                None => {
                    forming.members.push(device);
                    false
                }
            }
        });
        let Forming { mut members, breaks, .. } = forming;
        let reason = reason(&members, bare, &topology, is_canary, &breaks, &kept);
        members.sort();
        waves.push(Wave { name, devices: members.into_iter().cloned().collect(), reason, breaks });
    }
    waves
}

/// The questions that were asked already.
struct Asked<'a> {
    absences: &'a Absences<'a>,
    known: RefCell<BTreeMap<BTreeSet<NodeName>, BTreeSet<IntentRef>>>,
}

impl Asked<'_> {
    fn alone(&self, device: &NodeName) -> BTreeSet<IntentRef> {
        self.together([device.clone()].into())
    }

    /// Few devices are asked for again and again, many hardly ever.
    fn together(&self, devices: BTreeSet<NodeName>) -> BTreeSet<IntentRef> {
        if devices.len() > 2 {
            return (self.absences)(&devices);
        }
        if let Some(known) = self.known.borrow().get(&devices) {
            return known.clone();
        }
        let broken = (self.absences)(&devices);
        self.known.borrow_mut().insert(devices, broken.clone());
        broken
    }
}

/// A wave that is not yet full.
struct Forming<'w, 'n> {
    name: &'w str,
    members: Vec<&'n NodeName>,
    away: Away,
    /// What does not hold while its devices are away: only of one that goes alone.
    breaks: BTreeSet<IntentRef>,
}

impl Forming<'_, '_> {
    /// Takes a device in use into the wave, or says why not.
    fn refuses(&mut self, device: &NodeName, topology: &Topology<'_>, asked: &Asked<'_>) -> Option<String> {
        let alone = asked.alone(device);
        if self.away.devices.is_empty() {
            self.breaks = alone;
            topology.take(&mut self.away, device);
            return None;
        }
        if !alone.is_empty() {
            return Some(format!("alone, as {} while it is away", fail(&alone)));
        }
        if !self.breaks.is_empty() {
            let other = self.away.devices.first().map(ToString::to_string).unwrap_or_default();
            return Some(format!("not together with {other}, which goes alone"));
        }
        // Which one of the others it is tells most.
        let pair = |other: &NodeName| {
            let broken = asked.together([other.clone(), device.clone()].into());
            (!broken.is_empty()).then(|| format!("not together with {other}: {}", would_fail(&broken)))
        };
        let pairs = || self.away.devices.iter().find_map(pair);
        match topology.floor(&self.away, device) {
            Some((Some(other), why)) => {
                return pair(&other).or_else(|| Some(format!("not together with {other}: {why}")));
            }
            Some((None, why)) => return pairs().or_else(|| Some(format!("not in {}: {why}", self.name))),
            None => {}
        }
        let mut all = self.away.devices.clone();
        all.insert(device.clone());
        let broken = asked.together(all);
        if !broken.is_empty() {
            return pairs().or_else(|| Some(format!("not in {}: {}", self.name, would_fail(&broken))));
        }
        topology.take(&mut self.away, device);
        None
    }
}

/// Returns which intents fail, as a subject with its verb.
fn fail(broken: &BTreeSet<IntentRef>) -> String {
    format!("{} {}", some(broken), if broken.len() == 1 { "fails" } else { "fail" })
}

fn would_fail(broken: &BTreeSet<IntentRef>) -> String {
    format!("{} would fail", some(broken))
}

fn some(intents: &BTreeSet<IntentRef>) -> String {
    const MOST: usize = 2;
    let mut names: Vec<String> = intents.iter().take(MOST).map(|intent| intent.name.to_string()).collect();
    if intents.len() > MOST {
        names.push(format!("{} more", intents.len() - MOST));
    }
    names.join(", ")
}

fn reason(
    members: &[&NodeName],
    bare: &BTreeSet<NodeName>,
    topology: &Topology<'_>,
    is_canary: bool,
    breaks: &BTreeSet<IntentRef>,
    kept: &BTreeMap<&NodeName, String>,
) -> String {
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
        reasons.push("every Reachability holds, and the others reach each other, while these are away".to_owned());
    }
    // Of many that waited, the first tell why there is one more wave.
    let waited = members.iter().filter_map(|name| Some((name, kept.get(*name)?)));
    for (device, why) in waited.take(MOST_REASONS) {
        reasons.push(if members.len() == 1 { why.clone() } else { format!("{device} {why}") });
    }
    if !breaks.is_empty() && !reasons.iter().any(|reason| reason.starts_with("alone, as")) {
        reasons.push(format!("alone, as {} while it is away", fail(breaks)));
    }
    if reasons.is_empty() {
        reasons.push("there was no room before".to_owned());
    }
    reasons.join("; ")
}

/// The devices in use that one wave takes away.
#[derive(Default)]
struct Away {
    devices: BTreeSet<NodeName>,
    nodes: BTreeSet<usize>,
    fabrics: BTreeMap<FabricName, NodeName>,
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

    /// Takes a device into a wave.
    fn take(&self, away: &mut Away, name: &NodeName) {
        away.devices.insert(name.clone());
        let Some(&number) = self.numbers.get(name.as_str()) else { return };
        away.nodes.insert(number);
        away.parts = self.parts(&away.nodes);
        away.fabrics.extend(self.central.get(&number).map(|fabric| (fabric.clone(), name.clone())));
    }

    /// Says why a device may not be away together with a wave whatever is promised, and because of which of its devices.
    fn floor(&self, away: &Away, name: &NodeName) -> Option<(Option<NodeName>, &'static str)> {
        const CENTRAL: &str = "a fabric keeps all but one of its most connected devices";
        const APART: &str = "devices would be cut off that neither cuts off alone";
        let Some(&number) = self.numbers.get(name.as_str()) else {
            return Some((None, "it has no place in the topology"));
        };
        if let Some(other) = self.central.get(&number).and_then(|fabric| away.fabrics.get(fabric)) {
            return Some((Some(other.clone()), CENTRAL));
        }
        let mut nodes = away.nodes.clone();
        nodes.insert(number);
        let alone = self.parts(&BTreeSet::from([number]));
        (self.parts(&nodes) > alone.max(away.parts)).then_some((None, APART))
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
