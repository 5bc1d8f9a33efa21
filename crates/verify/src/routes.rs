//! Compares the predicted with the observed routes, entry by entry, and charges the differences to the intents behind the
//! prefixes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_device::state::{DeviceState, NextHop, Route, RouteProtocol, RouteTable};
use weft_model::{IntentKind, IntentRef, NodeName};

use crate::{
    Cause, CauseGroup, Compliance, Evidence, Intended, Observed, Part,
    cause::{self, Detective},
    faults::Faults,
    ledger::{CAUSE, Ledger, Topic},
    owners::{Claims, Owners},
};

/// So many differing entries are listed; all are counted.
const MOST_MISMATCHES: usize = 1000;
/// So many prefixes are named in one piece of evidence.
const PREFIXES_NAMED: usize = 3;

/// How far the observed routes are the predicted ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteComparison {
    /// Entries of RIBs and FIBs that were compared.
    pub compared: usize,
    /// Entries that differ.
    pub mismatched: usize,
    /// The entries that differ, by device, table and prefix; the first thousand.
    pub mismatches: Vec<RouteMismatch>,
    /// What most likely causes them, by device, those first that explain most.
    pub causes: Vec<CauseGroup>,
}

/// An entry that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteMismatch {
    /// The device.
    pub device: NodeName,
    /// The table.
    pub table: Table,
    /// The prefix.
    pub prefix: IpNet,
    /// How it differs.
    pub is: MismatchKind,
    /// The predicted next hops; none where no route was predicted.
    pub expected: BTreeSet<NextHop>,
    /// The observed next hops; none where there is no route.
    pub found: BTreeSet<NextHop>,
    /// What most likely causes it.
    pub cause: Cause,
}

/// A table of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// What the routing daemon selected.
    Rib,
    /// What forwards packets.
    Fib,
}

/// How an entry differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MismatchKind {
    /// There is no route.
    Missing,
    /// Nobody predicted a route.
    Unexpected,
    /// Some of the predicted next hops are not there.
    Thinner,
    /// There are next hops that were not predicted.
    Different,
}

impl Table {
    /// Returns what is read to have it.
    fn part(self) -> Part {
        match self {
            Self::Rib => Part::Rib,
            Self::Fib => Part::Fib,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rib => "RIB",
            Self::Fib => "FIB",
        })
    }
}

/// Evidence of one device for one intent, gathered over prefixes: the tables each prefix differs in, and one mismatch.
type Gathered<'m> =
    BTreeMap<(IntentRef, Compliance, MismatchKind), BTreeMap<IpNet, (BTreeSet<Table>, &'m RouteMismatch)>>;

/// Compares the routes of the devices that were observed with those that are predicted, entry by entry, whosever they are. It
/// does not look for causes.
pub fn compare_routes(
    predicted: &BTreeMap<NodeName, DeviceState>,
    observed: &BTreeMap<NodeName, Observed>,
) -> RouteComparison {
    let mut comparison = RouteComparison::default();
    for (device, seen) in observed {
        let Some(predicted) = predicted.get(device) else { continue };
        for (table, expected, found) in tables(predicted, Some(seen)) {
            let (Some(expected), Some(found)) = (expected, found) else { continue };
            comparison.compared += compare(device, table, expected, found, &mut comparison.mismatches, |_, _| {});
        }
    }
    comparison.mismatched = comparison.mismatches.len();
    comparison
}

/// Returns each table as it was predicted and as it was observed.
fn tables<'a>(
    predicted: &'a DeviceState,
    seen: Option<&'a Observed>,
) -> [(Table, Option<&'a RouteTable>, Option<&'a RouteTable>); 2] {
    let of = |table, state: fn(&DeviceState) -> Option<&RouteTable>| {
        (table, state(predicted), seen.and_then(|seen| state(&seen.state)))
    };
    [of(Table::Rib, |state| state.rib.as_deref()), of(Table::Fib, |state| state.fib.as_deref())]
}

/// Compares every device.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    owners: &Owners,
    faults: &Faults,
    ledger: &mut Ledger,
) -> RouteComparison {
    let mut compared = 0;
    let mut mismatches = Vec::new();
    for device in intended.configs.keys() {
        let Some(predicted) = intended.predicted.states.get(device) else { continue };
        let seen = observed.get(device);
        let mut good: HashMap<&IntentRef, usize> = HashMap::new();
        for (table, expected, found) in tables(predicted, seen) {
            let Some(expected) = expected else { continue };
            match found {
                Some(found) => {
                    compared += compare(device, table, expected, found, &mut mismatches, |prefix, route| {
                        let Some(claims) = owners.prefix(prefix) else { return };
                        for intent in answering(claims, owners, device, &route.next_hops) {
                            *good.entry(intent).or_default() += 1;
                        }
                    });
                }
                None => {
                    let answering: BTreeSet<&IntentRef> = expected
                        .iter()
                        .filter_map(|(prefix, route)| Some((owners.prefix(prefix)?, route)))
                        .flat_map(|(claims, route)| answering(claims, owners, device, &route.next_hops))
                        .collect();
                    for intent in answering {
                        ledger.unread(intent, device, seen, table.part());
                    }
                }
            }
        }
        for (intent, number) in good {
            ledger.holds(intent, Topic::Route, number);
        }
    }
    let causes: Vec<Cause> = {
        let detective = Detective::new(intended, observed, owners, faults, &mismatches);
        mismatches.iter().map(|mismatch| detective.of_route(mismatch)).collect()
    };
    for (mismatch, cause) in mismatches.iter_mut().zip(causes) {
        mismatch.cause = cause;
    }
    for of_device in mismatches.chunk_by(|a, b| a.device == b.device) {
        let device = &of_device[0].device;
        for ((intent, compliance, kind), prefixes) in gather(of_device, owners, faults) {
            ledger.fails(&intent, Topic::Route, evidence(device, compliance, kind, &prefixes));
        }
    }
    for mismatch in &mismatches {
        ledger.unsettled(Some(&mismatch.device), mismatch.table.part());
    }
    let (mismatched, causes) = (mismatches.len(), cause::group(&mismatches));
    mismatches.truncate(MOST_MISMATCHES);
    RouteComparison { compared, mismatched, mismatches, causes }
}

/// Returns the intents that want this prefix on this device to have these next hops: the underlays that carry a loopback
/// there, the segment of a subnet, the peerings of the device.
fn answering<'a>(
    claims: &'a Claims,
    owners: &'a Owners,
    device: &NodeName,
    hops: &BTreeSet<NextHop>,
) -> Vec<&'a IntentRef> {
    let loopback = claims.loopback.iter().flat_map(|_| owners.carrying(device, hops));
    let host_port = claims.host_port.iter().map(|(segment, _)| segment);
    let peerings = claims.accepted.iter().chain(&claims.announced);
    loopback.chain(host_port).chain(peerings.filter(|peering| owners.peers_at(peering, device))).collect()
}

/// Walks both tables at once, adds the entries that differ, calls `same` for those that do not, and returns how many
/// entries there were.
fn compare(
    device: &NodeName,
    table: Table,
    expected: &RouteTable,
    found: &RouteTable,
    mismatches: &mut Vec<RouteMismatch>,
    mut same: impl FnMut(&IpNet, &Route),
) -> usize {
    let mut compared = 0;
    let mut differs = |prefix: IpNet, is, expected: Option<&Route>, found: Option<&Route>| {
        let hops = |route: Option<&Route>| route.map(|route| BTreeSet::clone(&route.next_hops)).unwrap_or_default();
        let (expected, found, device) = (hops(expected), hops(found), device.clone());
        mismatches.push(RouteMismatch { device, table, prefix, is, expected, found, cause: Cause::unknown() });
    };
    let (mut left, mut right) = (expected.iter().peekable(), found.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return compared,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let expected = if order.is_le() { left.next() } else { None };
        let found = if order.is_ge() { right.next() } else { None };
        match (expected, found) {
            (Some((prefix, expected)), Some((_, found))) => {
                compared += 1;
                match difference(&expected.next_hops, &found.next_hops) {
                    None => same(prefix, expected),
                    Some(kind) => differs(*prefix, kind, Some(expected), Some(found)),
                }
            }
            // A forwarding table need not hold the addresses of the device itself: Linux has a table of its own for them.
            (Some((prefix, expected)), None) if table == Table::Fib && is_own_address(prefix, expected) => {}
            (Some((prefix, expected)), None) => {
                compared += 1;
                differs(*prefix, MismatchKind::Missing, Some(expected), None);
            }
            (None, Some((prefix, found))) if is_own_address(prefix, found) || !matters(prefix) => {}
            (None, Some((prefix, found))) => {
                compared += 1;
                differs(*prefix, MismatchKind::Unexpected, None, Some(found));
            }
            (None, None) => return compared,
        }
    }
}

fn is_own_address(prefix: &IpNet, route: &Route) -> bool {
    prefix.prefix_len() == prefix.max_prefix_len() && route.protocol == RouteProtocol::Connected
}

/// Tells whether routes to the prefix are the network's business: link-local and multicast ones are each device's own.
fn matters(prefix: &IpNet) -> bool {
    match prefix.addr() {
        IpAddr::V4(address) => !is_link_local(&prefix.addr()) && !address.is_multicast() && !address.is_loopback(),
        IpAddr::V6(address) => !is_link_local(&prefix.addr()) && !address.is_multicast() && !address.is_loopback(),
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        // RFC 4291 2.5.6.
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// Compares next hops: outgoing interfaces, and addresses where both sides have one that is not link-local.
pub(crate) fn difference(expected: &BTreeSet<NextHop>, found: &BTreeSet<NextHop>) -> Option<MismatchKind> {
    if expected == found {
        return None;
    }
    let known = |hop: &NextHop, among: &BTreeSet<NextHop>| among.iter().any(|other| same_hop(hop, other));
    let extra = found.iter().any(|hop| !known(hop, expected));
    let missing = expected.iter().any(|hop| !known(hop, found));
    match (missing, extra) {
        (_, true) => Some(MismatchKind::Different),
        (true, false) => Some(MismatchKind::Thinner),
        (false, false) => None,
    }
}

fn same_hop(a: &NextHop, b: &NextHop) -> bool {
    match (a, b) {
        (NextHop::Discard, NextHop::Discard) => true,
        (NextHop::Interface { interface: i, via: v }, NextHop::Interface { interface: j, via: w }) => {
            let known = |via: &Option<IpAddr>| via.filter(|address| !is_link_local(address));
            i == j && (known(v).is_none() || known(w).is_none() || v == w)
        }
        (NextHop::Discard, NextHop::Interface { .. }) | (NextHop::Interface { .. }, NextHop::Discard) => false,
    }
}

/// Returns the expected next hops that were not found.
pub(crate) fn lost(mismatch: &RouteMismatch) -> impl Iterator<Item = &NextHop> {
    mismatch.expected.iter().filter(|hop| !mismatch.found.iter().any(|other| same_hop(hop, other)))
}

/// Puts the differences together that speak in the same way against the same intent.
fn gather<'m>(mismatches: &'m [RouteMismatch], owners: &Owners, faults: &Faults) -> Gathered<'m> {
    let mut gathered = Gathered::new();
    for mismatch in mismatches {
        let Some(claims) = owners.prefix(&mismatch.prefix) else { continue };
        for (intent, compliance) in charged(mismatch, claims, owners, faults) {
            let prefixes = gathered.entry((intent.clone(), compliance, mismatch.is)).or_default();
            prefixes.entry(mismatch.prefix).or_insert_with(|| (BTreeSet::new(), mismatch)).0.insert(mismatch.table);
        }
    }
    gathered
}

/// Returns the intents that a difference speaks against, and how much.
fn charged<'a>(
    mismatch: &RouteMismatch,
    claims: &'a Claims,
    owners: &'a Owners,
    faults: &Faults,
) -> Vec<(&'a IntentRef, Compliance)> {
    let device = &mismatch.device;
    let lost: BTreeSet<NextHop> = lost(mismatch).cloned().collect();
    let hops = if lost.is_empty() { &mismatch.expected } else { &lost };
    match mismatch.is {
        // A default route that is missing is a matter of the peerings that give one, wherever it is missing.
        MismatchKind::Missing => {
            let everywhere =
                claims.accepted.iter().filter(|_| !claims.accepted.iter().any(|p| owners.peers_at(p, device)));
            let all = answering(claims, owners, device, hops).into_iter().chain(everywhere);
            // A device that only passes packets on, and that has lost its own way to the prefix, is no longer asked to.
            let passed_by = owners.only_passes_on(device)
                && hops
                    .iter()
                    .all(|hop| hop.interface().is_some_and(|interface| faults.at(device, interface).is_some()));
            all.map(|intent| match intent.kind {
                IntentKind::Segment if passed_by => (intent, Compliance::Degraded),
                _ => (intent, Compliance::Violated),
            })
            .collect()
        }
        MismatchKind::Thinner | MismatchKind::Different => {
            answering(claims, owners, device, hops).into_iter().map(|intent| (intent, Compliance::Degraded)).collect()
        }
        // It is where it must not be.
        MismatchKind::Unexpected => {
            claims.host_port.iter().map(|(segment, _)| (segment, Compliance::Violated)).collect()
        }
    }
}

/// Says what differs for a number of prefixes.
fn evidence(
    device: &NodeName,
    compliance: Compliance,
    kind: MismatchKind,
    prefixes: &BTreeMap<IpNet, (BTreeSet<Table>, &RouteMismatch)>,
) -> Evidence {
    let tables: BTreeSet<Table> = prefixes.values().flat_map(|(tables, _)| tables).copied().collect();
    let tables: Vec<String> = tables.iter().map(Table::to_string).collect();
    let named: Vec<String> = prefixes.keys().take(PREFIXES_NAMED).map(ToString::to_string).collect();
    let which = match prefixes.len() {
        1 => format!("route {}", named.join(", ")),
        many if many <= PREFIXES_NAMED => format!("routes {}", named.join(", ")),
        many => format!("{many} routes, such as {}", named.join(", ")),
    };
    let example = prefixes.values().next().map(|(_, mismatch)| *mismatch);
    let hops = |of: fn(&RouteMismatch) -> &BTreeSet<NextHop>| example.map(of).map(words).unwrap_or_default();
    let (expected, found) = (hops(|mismatch| &mismatch.expected), hops(|mismatch| &mismatch.found));
    let why = example.and_then(|mismatch| mismatch.cause.known()).map(|cause| format!("{CAUSE}{cause}"));
    let why = why.unwrap_or_default();
    let (expected, observed) = match kind {
        MismatchKind::Missing => (format!("next hop {expected}"), format!("no route{why}")),
        MismatchKind::Unexpected => ("no route".to_owned(), format!("next hop {found}{why}")),
        MismatchKind::Thinner | MismatchKind::Different => {
            (format!("next hop {expected}"), format!("next hop {found}{why}"))
        }
    };
    let subject = format!("{which} in the {}", tables.join(" and "));
    Evidence { compliance, device: Some(device.clone()), subject, expected, observed }
}

/// Lists next hops, such as `10.1.0.0 (swp15), 10.1.0.2 (swp16)`.
pub(crate) fn words(hops: &BTreeSet<NextHop>) -> String {
    let hops: Vec<String> = hops.iter().map(ToString::to_string).collect();
    if hops.is_empty() { "none".to_owned() } else { hops.join(", ") }
}
