//! Pools: whether they overlap, whether each need has one, and whether they suffice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{AsnRange, FabricName, IntentKind, Node, NodeName, Role};

use super::{Spot, Validation, address_family, selector, underlay::UnderlayScope};
use crate::{
    codes,
    spec::{AddressPurpose, Addressing, AsnAssignment, Families, Protocol},
    suggest::first_of,
};

/// A pool as the checks see it.
struct Pool<'a> {
    spot: Spot<'a>,
    /// Whether it gives IPv6 addresses.
    ipv6: bool,
    text: String,
    nodes: HashSet<&'a NodeName>,
    capacity: u128,
}

pub(super) fn check<'a>(validation: &mut Validation<'a>, underlays: &[UnderlayScope<'a>]) {
    let mut addresses: BTreeMap<AddressPurpose, Vec<Pool<'a>>> = BTreeMap::new();
    let (mut ranges, mut asns) = (Vec::new(), Vec::new());
    for intent in validation.set.pools.values() {
        let document = &*intent.document;
        for (index, pool) in intent.spec.addresses.iter().enumerate() {
            let pointer = format!("/spec/addresses/{index}");
            let picked = selector::select(validation, &pool.select, document, &format!("{pointer}/select"));
            addresses.entry(pool.purpose).or_default().push(Pool {
                spot: Spot::new(document, format!("{pointer}/prefix")),
                ipv6: pool.prefix.addr().is_ipv6(),
                text: pool.prefix.to_string(),
                nodes: picked.into_iter().map(|node| &node.name).collect(),
                capacity: capacity(pool.purpose, &pool.prefix),
            });
        }
        for (index, pool) in intent.spec.asns.iter().enumerate() {
            let pointer = format!("/spec/asns/{index}");
            let picked = selector::select(validation, &pool.select, document, &format!("{pointer}/select"));
            let nodes = picked.into_iter().map(|node| &node.name).collect();
            let spot = Spot::new(document, format!("{pointer}/range"));
            let capacity = u128::from(pool.range.last.get() - pool.range.first.get()) + 1 - reserved(pool.range);
            ranges.push((pool.range, pool.assign));
            asns.push(Pool { spot, ipv6: false, text: pool.range.to_string(), nodes, capacity });
        }
    }
    asn_overlaps(validation, &ranges, &asns);
    if !validation.has_all(IntentKind::Pools) || !validation.whole {
        return;
    }
    // Who needs what: every node that routes has a loopback, and by BGP an AS number.
    let mut routing: BTreeMap<&NodeName, (&Node, Spot<'a>)> = BTreeMap::new();
    let mut bgp: BTreeMap<&NodeName, (&Node, Spot<'a>)> = BTreeMap::new();
    for scope in underlays {
        let spot = || Spot::new(&scope.intent.document, "/spec/select");
        for node in &scope.nodes {
            routing.entry(&node.name).or_insert_with(|| (*node, spot()));
            if matches!(scope.intent.spec.protocol, Protocol::Ebgp) {
                bgp.entry(&node.name).or_insert_with(|| (*node, spot()));
            }
        }
    }
    // Internal BGP brings its own number.
    let internal: HashSet<&NodeName> = (underlays.iter().filter(|scope| scope.intent.spec.ibgp.is_some()))
        .flat_map(|scope| scope.nodes.iter().map(|node| &node.name))
        .collect();
    for peering in validation.set.peerings.values() {
        for (index, session) in peering.spec.sessions.iter().enumerate() {
            if let Some(node) = validation.network.node(session.port.node.as_str()) {
                let spot = || Spot::new(&peering.document, format!("/spec/sessions/{index}/port"));
                routing.entry(&node.name).or_insert_with(|| (node, spot()));
                if !internal.contains(&node.name) {
                    bgp.entry(&node.name).or_insert_with(|| (node, spot()));
                }
            }
        }
    }
    // A loopback is the router's id, too, which is IPv4 (RFC 4271 4.2, RFC 5340 2.11): every router has an IPv4 one.
    let routed = address_family::routed(underlays);
    let needs = routing.values().map(|(node, spot)| (node.name.as_str().to_owned(), vec![&node.name], spot.clone()));
    let (ipv4, ipv6) = by_family(addresses.remove(&AddressPurpose::Loopback));
    let needs = without_refused(&ipv4, &ipv6, &routed, needs.collect());
    fill(validation, "a loopback address", "loopback", &ipv4, needs);
    let needs = routing.values().filter(|(node, _)| routed.get(&node.name).is_some_and(|(_, ipv6)| *ipv6));
    let needs = needs.map(|(node, spot)| (node.name.as_str().to_owned(), vec![&node.name], spot.clone()));
    fill(validation, "an IPv6 loopback address", "loopback", &ipv6, needs.collect());

    let (ipv4, ipv6) = by_family(addresses.remove(&AddressPurpose::Link));
    let needs = |of: fn(Families) -> bool| {
        let numbered = underlays.iter().filter(move |scope| {
            matches!(scope.intent.spec.addressing, Addressing::Numbered) && of(scope.intent.spec.families)
        });
        let needs = numbered.flat_map(|scope| {
            let spot = Spot::new(&scope.intent.document, "/spec/addressing");
            scope
                .links
                .iter()
                .map(move |link| (link.to_string(), link.ends.iter().map(|end| &end.node).collect(), spot.clone()))
        });
        needs.collect()
    };
    let of_ipv4 = without_refused(&ipv4, &ipv6, &routed, needs(Families::ipv4));
    fill(validation, "a link subnet", "link", &ipv4, of_ipv4);
    fill(validation, "an IPv6 link subnet", "link", &ipv6, needs(Families::ipv6));

    // A node without a management address is one that the inventory knows how to reach: only exhaustion is a mistake.
    let management = addresses.remove(&AddressPurpose::Management).unwrap_or_default();
    let managed = of_nodes(&management);
    let needs = validation
        .network
        .nodes()
        .filter(|node| node.management.is_none() && managed.contains_key(&node.name))
        .map(|node| (node.name.as_str().to_owned(), vec![&node.name], management[0].spot.clone()));
    let needs = needs.collect();
    fill(validation, "a management address", "management", &management, needs);

    numbers(validation, &ranges, &asns, &bgp);
}

/// Something that needs an address: its name, its nodes, and where it is asked for.
type Need<'a> = (String, Vec<&'a NodeName>, Spot<'a>);

/// Returns the needs of IPv4 addresses without those that only an IPv6 pool selects which is refused, for no node of it
/// routes IPv6: that is the mistake.
fn without_refused<'a>(
    ipv4: &[Pool<'a>],
    ipv6: &[Pool<'a>],
    routed: &address_family::Routed<'_>,
    needs: Vec<Need<'a>>,
) -> Vec<Need<'a>> {
    let routes = |node: &&NodeName| routed.get(*node).is_some_and(|(_, ipv6)| *ipv6);
    let refused: Vec<&Pool<'_>> = ipv6.iter().filter(|pool| !pool.nodes.iter().any(routes)).collect();
    let all_in = |pool: &Pool<'_>, nodes: &[&NodeName]| nodes.iter().all(|node| pool.nodes.contains(node));
    needs
        .into_iter()
        .filter(|(_, nodes, _)| {
            ipv4.iter().any(|pool| all_in(pool, nodes)) || !refused.iter().any(|pool| all_in(pool, nodes))
        })
        .collect()
}

/// Parts pools into those of IPv4 and those of IPv6.
fn by_family(pools: Option<Vec<Pool<'_>>>) -> (Vec<Pool<'_>>, Vec<Pool<'_>>) {
    pools.unwrap_or_default().into_iter().partition(|pool| !pool.ipv6)
}

/// Returns the pools of each node, by their place in the list, in order.
fn of_nodes<'a>(pools: &[Pool<'a>]) -> HashMap<&'a NodeName, Vec<usize>> {
    let mut of: HashMap<&NodeName, Vec<usize>> = HashMap::new();
    for (index, pool) in pools.iter().enumerate() {
        for node in &pool.nodes {
            of.entry(node).or_default().push(index);
        }
    }
    of
}

/// Returns how many addresses or subnets a pool gives.
fn capacity(purpose: AddressPurpose, prefix: &IpNet) -> u128 {
    let bits = u32::from(prefix.max_prefix_len() - prefix.prefix_len());
    let all = 1_u128.checked_shl(bits).unwrap_or(u128::MAX);
    match purpose {
        AddressPurpose::Link => all / 2,
        // Without the network and broadcast address, where a subnet has them.
        AddressPurpose::Loopback | AddressPurpose::Management => match (bits, prefix) {
            (0 | 1, _) => all,
            (_, IpNet::V4(_)) => all - 2,
            (_, IpNet::V6(_)) => all - 1,
        },
    }
}

/// Returns how many numbers of a range no router may use.
fn reserved(range: AsnRange) -> u128 {
    let inside = [23_456, 65_535].into_iter().filter(|number| (range.first.get()..=range.last.get()).contains(number));
    inside.count() as u128
}

/// Gives each need the first pool that fits and has something left, as the allocation does, and reports the rest: once
/// for each place of the needs that no pool fits, and once for each pool that ran out.
fn fill<'a>(validation: &mut Validation<'a>, what: &str, purpose: &str, pools: &[Pool<'a>], needs: Vec<Need<'a>>) {
    let fitting = of_nodes(pools);
    let none = Vec::new();
    let mut left: Vec<u128> = pools.iter().map(|pool| pool.capacity).collect();
    let mut short: BTreeMap<usize, usize> = BTreeMap::new();
    let mut without: Vec<(Spot<'a>, usize, String)> = Vec::new();
    for (name, nodes, spot) in needs {
        let mut last = None;
        let mut given = false;
        let mut lists = nodes.iter().map(|node| fitting.get(*node).unwrap_or(&none));
        let (first, others) = (lists.next().unwrap_or(&none), lists.collect::<Vec<_>>());
        for &index in first.iter().filter(|&index| others.iter().all(|list| list.binary_search(index).is_ok())) {
            last = Some(index);
            if left[index] > 0 {
                left[index] -= 1;
                given = true;
                break;
            }
        }
        match (given, last) {
            (true, _) => {}
            (false, Some(index)) => *short.entry(index).or_default() += 1,
            (false, None) => {
                let same = |(other, ..): &&mut (Spot<'a>, usize, String)| {
                    std::ptr::eq(other.document, spot.document) && other.pointer == spot.pointer
                };
                match without.iter_mut().find(same) {
                    Some((_, count, _)) => *count += 1,
                    None => without.push((spot, 1, name)),
                }
            }
        }
    }
    for (spot, count, first) in without {
        let message = format!("no pool gives {what} to {}", first_of(&first, count));
        let pool = if purpose == "asns" {
            "a range to `asns`".to_owned()
        } else if what.contains("IPv6") {
            format!("an IPv6 pool with `purpose: {purpose}`")
        } else {
            format!("a pool with `purpose: {purpose}`")
        };
        let help = match (pools.is_empty(), count) {
            (true, _) => format!("add {pool} in a Pools intent"),
            (false, 1) => format!("add {pool} that selects it"),
            (false, _) => format!("add {pool} that selects them"),
        };
        validation
            .report(Diagnostic::error(codes::NO_POOL, message).at(spot.document.key_span(&spot.pointer)).help(help));
    }
    for (index, count) in short {
        exhausted(validation, &pools[index], count, what);
    }
}

fn exhausted(validation: &mut Validation<'_>, pool: &Pool<'_>, short: usize, what: &str) {
    let message =
        format!("the pool {} gives {}, and {short} more than that need {what} from it", pool.text, pool.capacity);
    let finding = Diagnostic::error(codes::POOL_EXHAUSTED, message).at(pool.spot.span());
    validation.report(finding.help("widen the pool, or add another one behind it"));
}

fn asn_overlaps(validation: &mut Validation<'_>, ranges: &[(AsnRange, AsnAssignment)], pools: &[Pool<'_>]) {
    let mut order: Vec<usize> = (0..pools.len()).collect();
    order.sort_by_key(|&index| (ranges[index].0.first, ranges[index].0.last, index));
    let mut open: Vec<usize> = Vec::new();
    for index in order {
        open.retain(|&other| ranges[other].0.last >= ranges[index].0.first);
        let overlapping = open.iter().copied().find(|&other| !pools[other].nodes.is_disjoint(&pools[index].nodes));
        if let Some(other) = overlapping {
            let (first, second) = (&pools[other.min(index)], &pools[other.max(index)]);
            let message = format!("the AS numbers {} and {} overlap, and so do their nodes", first.text, second.text);
            let finding = Diagnostic::error(codes::POOLS_OVERLAP, message)
                .at(second.spot.span())
                .label(first.spot.span(), "the other pool");
            validation.report(finding.help("part the ranges, or the selections"));
        }
        open.push(index);
    }
}

/// Counts the AS numbers that the routing nodes need.
fn numbers<'a>(
    validation: &mut Validation<'a>,
    ranges: &[(AsnRange, AsnAssignment)],
    pools: &[Pool<'a>],
    routing: &BTreeMap<&'a NodeName, (&'a Node, Spot<'a>)>,
) {
    let fitting = of_nodes(pools);
    let mut shared: HashMap<usize, BTreeSet<(&FabricName, &Role)>> = HashMap::new();
    let mut needs: Vec<Need<'a>> = Vec::new();
    for (node, spot) in routing.values() {
        let first = fitting.get(&node.name).and_then(|list| list.first().copied());
        // Of the nodes that share a number, one needs it.
        if let (Some(index), Some(fabric)) = (first, &node.fabric)
            && ranges[index].1 == AsnAssignment::PerFabricRole
            && !shared.entry(index).or_default().insert((fabric, &node.role))
        {
            continue;
        }
        needs.push((node.name.as_str().to_owned(), vec![&node.name], spot.clone()));
    }
    fill(validation, "an AS number", "asns", pools, needs);
}
