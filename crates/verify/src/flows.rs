//! The flows that Reachability intents speak of: from which addresses of which nodes to which addresses.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use weft_compile::Family;
use weft_intent::spec::FlowEnd;
use weft_model::{IntentKind, NodeName};
use weft_simulate::{Filters, PacketEnd};

use crate::{Intended, owners::Owners};

/// Where packets of a flow start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowSource {
    /// The node: a device, or the external router of a peering.
    pub(crate) node: NodeName,
    /// The source address.
    pub(crate) address: IpAddr,
    /// The subnet that the address stands for.
    pub(crate) subnet: IpNet,
}

/// Where packets of a flow go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowDestination {
    /// The device that has the address, where it is one of the network.
    pub(crate) node: Option<NodeName>,
    /// The destination address.
    pub(crate) address: IpAddr,
    /// The subnet that the address stands for.
    pub(crate) subnet: IpNet,
}

/// Returns where packets start that come from `end`: each host port of a segment with its own address, a loopback, or an
/// external router.
pub(crate) fn sources(intended: &Intended<'_>, owners: &Owners, end: &FlowEnd) -> Vec<FlowSource> {
    match end {
        FlowEnd::Intent(intent) if intent.kind == IntentKind::Peering => {
            let Ok(node) = intent.name.as_str().parse::<NodeName>() else { return Vec::new() };
            let session = intended.intents.peerings.get(&intent.name).and_then(|peering| peering.spec.sessions.first());
            let source = |address: IpAddr| FlowSource { node, address, subnet: address.into() };
            session.map(|session| source(session.neighbor)).into_iter().collect()
        }
        FlowEnd::Intent(_) | FlowEnd::Node(_) | FlowEnd::Address(_) => destinations(intended, owners, end)
            .into_iter()
            .filter_map(|to| Some(FlowSource { node: to.node?, address: to.address, subnet: to.subnet }))
            .collect(),
    }
}

/// Returns where packets go that are sent to `end`: the gateway of each host port of a segment, a loopback, or an address.
pub(crate) fn destinations(intended: &Intended<'_>, owners: &Owners, end: &FlowEnd) -> Vec<FlowDestination> {
    match end {
        FlowEnd::Intent(intent) => owners
            .segment_ports
            .get(intent)
            .into_iter()
            .flatten()
            .flat_map(|(port, subnets)| {
                Owners::gateways(intended, port).map(|address| {
                    let subnet = subnets.iter().find(|subnet| subnet.contains(&address)).copied();
                    let subnet = subnet.unwrap_or_else(|| address.into());
                    FlowDestination { node: Some(port.node.clone()), address, subnet }
                })
            })
            .collect(),
        FlowEnd::Node(node) => Family::ALL
            .into_iter()
            .filter_map(|family| intended.allocations.loopback(node, family))
            .map(|address| FlowDestination { node: Some(node.clone()), address, subnet: address.into() })
            .collect(),
        FlowEnd::Address(address) => {
            vec![FlowDestination { node: None, address: *address, subnet: (*address).into() }]
        }
    }
}

/// Returns sources and destinations with an address of each other part of their subnets that access lists tell apart.
pub(crate) fn apart(
    filters: &Filters,
    sources: &[FlowSource],
    destinations: &[FlowDestination],
) -> (Vec<FlowSource>, Vec<FlowDestination>) {
    let from = |source: &FlowSource| {
        let parts = filters.parts(source.subnet, source.address, PacketEnd::Source);
        parts.into_iter().map(|address| FlowSource { address, ..source.clone() }).collect::<Vec<_>>()
    };
    let to = |destination: &FlowDestination| {
        let parts = filters.parts(destination.subnet, destination.address, PacketEnd::Destination);
        parts.into_iter().map(|address| FlowDestination { address, ..destination.clone() }).collect::<Vec<_>>()
    };
    (sources.iter().flat_map(from).collect(), destinations.iter().flat_map(to).collect())
}

/// Some of all pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pairs<'a> {
    /// The pairs that were chosen.
    pub(crate) chosen: Vec<(&'a FlowSource, &'a FlowDestination)>,
    /// How many there are.
    pub(crate) of: usize,
}

/// Chooses pairs of a source and a destination on different nodes, of one address family: all of them when they are no more
/// than `limit`, else so many, and more where that is needed for each source and each destination to be in one.
pub(crate) fn cover<'a>(sources: &'a [FlowSource], destinations: &'a [FlowDestination], limit: usize) -> Pairs<'a> {
    let of = |ipv6: bool| {
        let from: Vec<&FlowSource> = sources.iter().filter(|from| from.address.is_ipv6() == ipv6).collect();
        let to: Vec<&FlowDestination> = destinations.iter().filter(|to| to.address.is_ipv6() == ipv6).collect();
        (from, to)
    };
    let families: Vec<_> =
        [false, true].into_iter().map(of).filter(|(from, to)| !from.is_empty() && !to.is_empty()).collect();
    let mut all = Pairs { chosen: Vec::new(), of: 0 };
    for (from, to) in &families {
        let pairs = cover_family(from, to, limit.div_ceil(families.len()));
        all.chosen.extend(pairs.chosen);
        all.of += pairs.of;
    }
    all
}

fn cover_family<'a>(sources: &[&'a FlowSource], destinations: &[&'a FlowDestination], limit: usize) -> Pairs<'a> {
    let fits = |from: &FlowSource, to: &FlowDestination| to.node.as_ref() != Some(&from.node);
    let on_same_node: usize = {
        let mut nodes: Vec<&NodeName> = destinations.iter().filter_map(|to| to.node.as_ref()).collect();
        nodes.sort_unstable();
        let count = |node| nodes.partition_point(|n| *n <= node) - nodes.partition_point(|n| *n < node);
        sources.iter().map(|from| count(&from.node)).sum()
    };
    let of = sources.len() * destinations.len() - on_same_node;
    let mut chosen = BTreeSet::new();
    let (mut from_left, mut to_left) =
        ((0..sources.len()).collect::<BTreeSet<_>>(), (0..destinations.len()).collect::<BTreeSet<_>>());
    let longer = sources.len().max(destinations.len());
    // Each round goes along both lists at once, shifted by one more; as many rounds as the longer list make all pairs.
    'rounds: for shift in 0..longer {
        for step in 0..longer {
            let enough = chosen.len() >= limit;
            if chosen.len() == of || (enough && (shift > 1 || (from_left.is_empty() && to_left.is_empty()))) {
                break 'rounds;
            }
            let (from, to) = (step % sources.len(), (step + shift) % destinations.len());
            let needed = !enough || from_left.contains(&from) || to_left.contains(&to);
            if needed && fits(sources[from], destinations[to]) {
                chosen.insert((from, to));
                from_left.remove(&from);
                to_left.remove(&to);
            }
        }
    }
    // What the walk missed when the lengths of the lists have a common divisor.
    if chosen.len() < of && chosen.len() < limit {
        let all = (0..sources.len()).flat_map(|from| (0..destinations.len()).map(move |to| (from, to)));
        for (from, to) in all.filter(|&(from, to)| fits(sources[from], destinations[to])) {
            if chosen.len() >= limit {
                break;
            }
            chosen.insert((from, to));
        }
    }
    Pairs { chosen: chosen.into_iter().map(|(from, to)| (sources[from], destinations[to])).collect(), of }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(node: usize) -> FlowSource {
        let address = IpAddr::from([10, 0, 0, 1]);
        FlowSource { node: format!("n{node}").parse().unwrap(), address, subnet: address.into() }
    }

    fn destination(node: usize) -> FlowDestination {
        let address = IpAddr::from([10, 0, 0, 2]);
        FlowDestination { node: Some(format!("n{node}").parse().unwrap()), address, subnet: address.into() }
    }

    #[test]
    fn few_pairs_are_all_chosen_and_many_are_covered() {
        for (sources, destinations, limit, least, of) in [
            (0..4, 4..8, 16, 16, 16),
            (0..4, 0..4, 100, 12, 12),
            (0..6, 10..14, 24, 24, 24),
            (0..1, 0..1, 10, 0, 0),
            (0..0, 0..3, 10, 0, 0),
            (0..100, 100..200, 10, 100, 10_000),
            (0..100, 0..100, 10, 100, 9_900),
            (0..100, 200..207, 150, 150, 700),
        ] {
            let sources: Vec<FlowSource> = sources.map(source).collect();
            let destinations: Vec<FlowDestination> = destinations.map(destination).collect();
            let pairs = cover(&sources, &destinations, limit);
            assert_eq!(pairs.of, of);
            assert!(
                pairs.chosen.len() >= least && pairs.chosen.len() <= least.max(limit) + 100,
                "{}",
                pairs.chosen.len()
            );
            if of > 0 {
                let from: BTreeSet<_> = pairs.chosen.iter().map(|(from, _)| from).collect();
                let to: BTreeSet<_> = pairs.chosen.iter().map(|(_, to)| to).collect();
                assert_eq!((from.len(), to.len()), (sources.len(), destinations.len()));
            }
        }
    }
}
