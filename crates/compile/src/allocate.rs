//! Allocates addresses and AS numbers: keeps what the lock file holds, gives new things the lowest free value.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::IpAddr,
};

use ipnet::IpNet;
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_intent::{
    Intent, IntentSet,
    spec::{AddressPool, AddressPurpose, Addressing, AsnAssignment, AsnPool, PoolsSpec, SegmentIpv6, SegmentSpec},
};
use weft_model::{Asn, FabricName, IntentRef, Name, Network, Node, NodeName, Role, Source, TerminationPoint};

use crate::{
    Allocations, LinkKey, PortKey, codes,
    pool::{Family, Pool, Range, address, number},
    selection::Selection,
};

/// Returns what every node, link and segment port has, and what is wrong with the pools.
///
/// What `locked` gives to a thing stays for as long as the thing is there and a pool that fits covers the value; values
/// of things that are gone are dropped. A new thing gets the lowest free value of the first pool that fits and has one, in
/// the order of the intents' names and of their lists. So nothing is renumbered because something else comes or goes.
///
/// - Management addresses are those that the topology gives, else the usable host addresses of a management pool that no
///   intent names as a server. A node that no management pool selects has none.
/// - Every node that an IPv4 loopback pool selects has a loopback; one in an underlay or with a peering must have one: it is
///   the router id. One that speaks BGP must have an AS number.
/// - Every node that an IPv6 loopback pool selects has an IPv6 loopback; one in an underlay that routes IPv6 must have one.
/// - A link has a subnet of each family of the underlay that runs over it when that is numbered.
/// - The nodes of an underlay with internal BGP have the AS number that it says.
/// - A node without a fabric has an AS number of its own, also in a pool that is shared by the nodes of a role.
pub fn allocate(intents: &IntentSet, network: &Network, locked: &Allocations) -> (Allocations, Vec<Diagnostic>) {
    let mut allocation = Allocation {
        network,
        selection: Selection::new(intents, network),
        locked,
        addresses: address_pools(intents),
        diagnostics: Vec::new(),
    };
    let ports = allocation.segment_ports();
    let allocations = Allocations {
        management: allocation.management(intents),
        loopbacks: allocation.loopbacks(Family::Ipv4),
        loopbacks_ipv6: allocation.loopbacks(Family::Ipv6),
        asns: allocation.asns(&asn_pools(intents)),
        links: allocation.links(Family::Ipv4),
        links_ipv6: allocation.links(Family::Ipv6),
        segments: allocation.segments(intents, &ports, &locked.segments, SegmentRange::first),
        segments_ipv6: allocation.segments(intents, &ports, &locked.segments_ipv6, SegmentRange::beside),
    };
    allocation.diagnostics.sort();
    (allocations, allocation.diagnostics)
}

/// A pool of the user's, with the place of its range.
#[derive(Clone, Copy)]
pub(crate) struct PoolSpec<'a, S> {
    intent: &'a Intent<PoolsSpec>,
    list: &'static str,
    index: usize,
    pub(crate) spec: &'a S,
}

impl<S> PoolSpec<'_, S> {
    fn pointer(&self, field: &str) -> String {
        format!("/spec/{}/{}/{field}", self.list, self.index)
    }

    fn span(&self, field: &str) -> SourceSpan {
        self.intent.document.span(&self.pointer(field))
    }

    /// Returns the source that names the line of a field of the pool.
    pub(crate) fn source(&self, field: &str) -> Source {
        self.intent.source_at(&self.pointer(field))
    }
}

/// Returns the address pools in the order in which they are used.
pub(crate) fn address_pools(intents: &IntentSet) -> Vec<PoolSpec<'_, AddressPool>> {
    let pools = |intent| of_intent(intent, "addresses", &intent.spec.addresses);
    intents.pools.values().flat_map(pools).collect()
}

/// Returns the AS number pools in the order in which they are used.
pub(crate) fn asn_pools(intents: &IntentSet) -> Vec<PoolSpec<'_, AsnPool>> {
    let pools = |intent| of_intent(intent, "asns", &intent.spec.asns);
    intents.pools.values().flat_map(pools).collect()
}

fn of_intent<'a, S>(
    intent: &'a Intent<PoolsSpec>,
    list: &'static str,
    pools: &'a [S],
) -> impl Iterator<Item = PoolSpec<'a, S>> {
    pools.iter().enumerate().map(move |(index, spec)| PoolSpec { intent, list, index, spec })
}

/// Something that wants a value from a pool.
struct Wish<K> {
    key: K,
    /// What the lock file gives it.
    locked: Option<u128>,
    /// The pools that fit, by place, in the order in which they are used.
    pools: Vec<usize>,
    /// Where it comes from.
    source: Source,
    /// Whether it is a mistake that no pool fits.
    needed: bool,
}

/// A range of a segment, of which each of its ports has a subnet.
struct SegmentRange<'a> {
    intent: &'a Intent<SegmentSpec>,
    prefix: IpNet,
    subnet_length: u8,
    pointer: &'static str,
}

impl<'a> SegmentRange<'a> {
    fn first(intent: &'a Intent<SegmentSpec>) -> Option<Self> {
        let SegmentSpec { prefix, subnet_length, .. } = intent.spec;
        Some(Self { intent, prefix, subnet_length, pointer: "/spec" })
    }

    /// Returns the IPv6 range beside the first one.
    fn beside(intent: &'a Intent<SegmentSpec>) -> Option<Self> {
        let SegmentIpv6 { prefix, subnet_length } = intent.spec.ipv6?;
        Some(Self { intent, prefix, subnet_length, pointer: "/spec/ipv6" })
    }
}

struct Allocation<'a> {
    network: &'a Network,
    selection: Selection<'a>,
    locked: &'a Allocations,
    addresses: Vec<PoolSpec<'a, AddressPool>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Allocation<'a> {
    fn management(&mut self, intents: &IntentSet) -> BTreeMap<NodeName, IpAddr> {
        let mut given: BTreeMap<u128, &Node> = BTreeMap::new();
        let mut result = BTreeMap::new();
        for node in self.network.nodes() {
            let Some(management) = node.management else { continue };
            result.insert(node.name.clone(), management);
            if let Some(other) = given.insert(number(management), node) {
                self.management_taken(node, management, &format!("`{}` has it too", other.name), Some(&other.source));
            }
        }
        let mut wishes = Vec::new();
        for node in self.network.nodes().filter(|node| node.management.is_none()) {
            let locked = self.locked.management.get(&node.name).copied();
            if let Some((address, taker)) = locked.and_then(|a| given.get(&number(a)).map(|taker| (a, *taker))) {
                let why = format!("the lock file gives it to `{}`", node.name);
                self.management_taken(taker, address, &why, Some(&node.source));
            }
            wishes.push(Wish {
                key: node.name.clone(),
                locked: locked.map(number),
                pools: self.fitting(AddressPurpose::Management, &[node], None),
                source: node.source.clone(),
                needed: false,
            });
        }
        // Servers often live in the management network.
        let servers = intents.baselines.values().flat_map(|b| b.spec.ntp.servers.iter().chain(&b.spec.dns.servers));
        let reserved = given.keys().copied().chain(servers.map(|server| number(*server))).collect();
        let ranges = self.ranges(Range::hosts);
        let values = self.fill("management address", wishes, &ranges, reserved);
        result.extend(values.into_iter().map(|(node, value)| (node, address(value))));
        result
    }

    fn management_taken(&mut self, node: &Node, address: IpAddr, why: &str, other: Option<&Source>) {
        let message = format!("the management address {address} of `{}` is taken: {why}", node.name);
        let mut diagnostic = Diagnostic::error(codes::MANAGEMENT_TAKEN, message)
            .at(place(&node.source))
            .help("give it another address, or remove the other node's line from the lock file to have it renumbered");
        if let Some(other) = other {
            diagnostic = diagnostic.label(place(other), "the other node");
        }
        self.diagnostics.push(diagnostic);
    }

    fn loopbacks(&mut self, family: Family) -> BTreeMap<NodeName, IpAddr> {
        let what = match family {
            Family::Ipv4 => "loopback",
            Family::Ipv6 => "IPv6 loopback",
        };
        let wishes = self.network.nodes().map(|node| Wish {
            key: node.name.clone(),
            locked: self.locked.loopback(&node.name, family).map(number),
            pools: self.fitting(AddressPurpose::Loopback, &[node], Some(family)),
            source: node.source.clone(),
            needed: match family {
                // Without one there is no router id.
                Family::Ipv4 => self.routes(node),
                Family::Ipv6 => self.selection.of(&node.name).routes(family),
            },
        });
        let wishes = wishes.collect();
        let ranges = self.ranges(Range::hosts);
        let values = self.fill(what, wishes, &ranges, BTreeSet::new());
        values.into_iter().map(|(node, value)| (node, address(value))).collect()
    }

    fn links(&mut self, family: Family) -> BTreeMap<LinkKey, IpNet> {
        let (what, length) = match family {
            Family::Ipv4 => ("link subnet", 31),
            Family::Ipv6 => ("IPv6 link subnet", 127),
        };
        let mut wishes = Vec::new();
        for link in self.network.links() {
            let numbered = |underlay: &Intent<weft_intent::spec::UnderlaySpec>| match underlay.spec.addressing {
                Addressing::Numbered => family.is_in(underlay.spec.families),
                Addressing::Unnumbered => false,
            };
            if !self.selection.underlay_of(link).is_some_and(numbered) {
                continue;
            }
            let nodes: Vec<&Node> = link.ends.iter().filter_map(|end| self.network.node(end.node.as_str())).collect();
            let locked = self.locked.link(link, family).filter(|subnet| subnet.prefix_len() == length);
            wishes.push(Wish {
                key: LinkKey::from(link),
                locked: locked.map(|subnet| number(subnet.network())),
                pools: self.fitting(AddressPurpose::Link, &nodes, Some(family)),
                source: link.source.clone(),
                needed: true,
            });
        }
        let ranges = self.ranges(|prefix| Range::subnets(prefix, pair_length(prefix)));
        let values = self.fill(what, wishes, &ranges, BTreeSet::new());
        let subnet = |(link, value)| Some((link, IpNet::new(address(value), length).ok()?));
        values.into_iter().filter_map(subnet).collect()
    }

    /// Returns the ports of each segment.
    fn segment_ports(&self) -> BTreeMap<IntentRef, Vec<TerminationPoint>> {
        let mut ports: BTreeMap<IntentRef, Vec<TerminationPoint>> = BTreeMap::new();
        for node in self.network.nodes() {
            for port in &self.selection.of(&node.name).ports {
                let point = TerminationPoint { node: node.name.clone(), interface: port.interface.clone() };
                ports.entry(port.segment.reference.clone()).or_default().push(point);
            }
        }
        ports
    }

    /// Returns a subnet for each port of the segments that have the range.
    fn segments(
        &mut self,
        intents: &'a IntentSet,
        ports: &BTreeMap<IntentRef, Vec<TerminationPoint>>,
        locked: &BTreeMap<Name, BTreeMap<PortKey, IpNet>>,
        range: impl Fn(&'a Intent<SegmentSpec>) -> Option<SegmentRange<'a>>,
    ) -> BTreeMap<Name, BTreeMap<PortKey, IpNet>> {
        let mut result = BTreeMap::new();
        for (name, segment) in &intents.segments {
            let ports = ports.get(&segment.reference).map_or(&[][..], Vec::as_slice);
            if let Some(range) = range(segment) {
                result.insert(name.clone(), self.segment(&range, locked.get(name), ports));
            }
        }
        result
    }

    fn segment(
        &mut self,
        segment: &SegmentRange<'_>,
        locked: Option<&BTreeMap<PortKey, IpNet>>,
        ports: &[TerminationPoint],
    ) -> BTreeMap<PortKey, IpNet> {
        let length = segment.subnet_length;
        let range = Range::subnets(&segment.prefix, length);
        let (mut pool, mut used) = (Pool::new(range), BTreeSet::new());
        let (mut values, mut new, mut left_out) = (BTreeMap::new(), Vec::new(), 0_usize);
        for port in ports {
            let key = PortKey::from(port);
            let kept = locked
                .and_then(|ports| ports.get(&key))
                .filter(|subnet| subnet.prefix_len() == length && range.contains(number(subnet.network())));
            match kept.map(|subnet| number(subnet.network())) {
                Some(value) if used.insert(value) => _ = values.insert(key, value),
                Some(value) => {
                    self.allocated_twice(&format!("subnet {}", address(value)), &key);
                    new.push(key);
                }
                None => new.push(key),
            }
        }
        for key in new {
            match pool.take(&mut used) {
                Some(value) => _ = values.insert(key, value),
                None => left_out += 1,
            }
        }
        if left_out > 0 {
            let message = format!(
                "{} has no subnet of length {length} left for {left_out} of its {} ports",
                segment.prefix,
                ports.len()
            );
            let span = |field: &str| segment.intent.document.span(&format!("{}/{field}", segment.pointer));
            self.diagnostics.push(
                Diagnostic::error(codes::POOL_EXHAUSTED, message)
                    .at(span("prefix"))
                    .label(span("subnet_length"), "the length of each port's subnet")
                    .help("widen the prefix, make the subnets smaller, or split the segment"),
            );
        }
        values.into_iter().filter_map(|(key, value)| Some((key, IpNet::new(address(value), length).ok()?))).collect()
    }

    fn asns(&mut self, pools: &[PoolSpec<'_, AsnPool>]) -> BTreeMap<NodeName, Asn> {
        let range = |pool: &PoolSpec<'_, AsnPool>| {
            let range = pool.spec.range;
            Range::numbers(range.first.get(), range.last.get())
        };
        let ranges: Vec<Range> = pools.iter().map(range).collect();
        // Numbers that lie in a range and that no router may use.
        let reserved = [0, 23_456, 65_535, u32::MAX].map(u128::from);
        let mut used: BTreeSet<u128> = reserved.into();
        used.extend(self.network.nodes().filter_map(|node| Some(u128::from(self.internal_as(node)?.get()))));
        let mut shared: BTreeMap<(&FabricName, &Role), u128> = BTreeMap::new();
        let mut result: BTreeMap<NodeName, u128> = BTreeMap::new();
        let mut new = Vec::new();
        let network = self.network;
        for node in network.nodes() {
            if !self.selection.of(&node.name).speaks_bgp() {
                continue;
            }
            if let Some(asn) = self.internal_as(node) {
                result.insert(node.name.clone(), u128::from(asn.get()));
                continue;
            }
            let fitting: Vec<usize> = (0..pools.len()).filter(|&at| pools[at].spec.select.picks(node)).collect();
            let locked = self.locked.asns.get(&node.name).map(|asn| u128::from(asn.get()));
            let covering = |value: &u128| fitting.iter().copied().find(|&at| ranges[at].contains(*value));
            let kept = locked.and_then(|value| covering(&value).map(|at| (value, at)));
            let Some((value, at)) = kept else {
                new.push((node, fitting));
                continue;
            };
            let group = shared_by(node, pools[at].spec.assign);
            let before = group.and_then(|group| shared.get(&group).copied());
            if before == Some(value) {
                result.insert(node.name.clone(), value);
            } else if before.is_none() && used.insert(value) {
                result.insert(node.name.clone(), value);
                if let Some(group) = group {
                    shared.insert(group, value);
                }
            } else {
                if before.is_none() {
                    self.allocated_twice(&format!("AS number {value}"), &node.name);
                }
                new.push((node, fitting));
            }
        }
        let mut free: Vec<Pool> = ranges.into_iter().map(Pool::new).collect();
        let mut left_out: Vec<Wish<NodeName>> = Vec::new();
        for (node, fitting) in new {
            let value = fitting.iter().find_map(|&at| match shared_by(node, pools[at].spec.assign) {
                Some(group) => match shared.get(&group).copied() {
                    Some(value) => Some(value),
                    None => {
                        let value = free[at].take(&mut used)?;
                        shared.insert(group, value);
                        Some(value)
                    }
                },
                None => free[at].take(&mut used),
            });
            match value {
                Some(value) => _ = result.insert(node.name.clone(), value),
                None => left_out.push(Wish {
                    key: node.name.clone(),
                    locked: None,
                    pools: fitting,
                    source: node.source.clone(),
                    needed: true,
                }),
            }
        }
        let places: Vec<(SourceSpan, String)> =
            pools.iter().map(|pool| (pool.span("range"), pool.spec.range.to_string())).collect();
        self.report("AS number", &left_out, &places);
        let asn = |value| Asn::try_from(u32::try_from(value).ok()?).ok();
        result.into_iter().filter_map(|(node, value)| Some((node, asn(value)?))).collect()
    }

    /// Returns the AS number of a node that an underlay with internal BGP selects.
    fn internal_as(&self, node: &Node) -> Option<Asn> {
        self.selection.of(&node.name).ibgp().map(|(_, ibgp)| ibgp.asn)
    }

    /// Tells whether a node runs a routing protocol.
    fn routes(&self, node: &Node) -> bool {
        let touching = self.selection.of(&node.name);
        !touching.underlays.is_empty() || !touching.sessions.is_empty()
    }

    /// Returns the pools of a purpose, and of a family where it matters, that all of `nodes` are in.
    fn fitting(&self, purpose: AddressPurpose, nodes: &[&Node], family: Option<Family>) -> Vec<usize> {
        let fits = |pool: &PoolSpec<'_, AddressPool>| {
            pool.spec.purpose == purpose
                && family.is_none_or(|family| Family::of(&pool.spec.prefix) == family)
                && nodes.iter().all(|node| pool.spec.select.picks(node))
        };
        (0..self.addresses.len()).filter(|&at| fits(&self.addresses[at])).collect()
    }

    fn ranges(&self, range: impl Fn(&IpNet) -> Range) -> Vec<Range> {
        self.addresses.iter().map(|pool| range(&pool.spec.prefix)).collect()
    }

    /// Returns a value for each wish that can have one, and reports the others.
    fn fill<K: Ord + Clone + Display>(
        &mut self,
        what: &str,
        wishes: Vec<Wish<K>>,
        ranges: &[Range],
        mut used: BTreeSet<u128>,
    ) -> BTreeMap<K, u128> {
        let (mut values, mut new, mut left_out) = (BTreeMap::new(), Vec::new(), Vec::new());
        // A server's address that the lock file gives to a node stays the node's: nothing is renumbered.
        let mut kept = BTreeSet::new();
        for wish in wishes {
            let covered = |value: &u128| wish.pools.iter().any(|&at| ranges[at].contains(*value));
            match wish.locked.filter(covered) {
                Some(value) if kept.insert(value) => _ = values.insert(wish.key, value),
                Some(value) => {
                    self.allocated_twice(&format!("{what} {}", address(value)), &wish.key);
                    new.push(wish);
                }
                None => new.push(wish),
            }
        }
        used.extend(kept);
        let mut free: Vec<Pool> = ranges.iter().copied().map(Pool::new).collect();
        for wish in new {
            match wish.pools.iter().find_map(|&at| free[at].take(&mut used)) {
                Some(value) => _ = values.insert(wish.key, value),
                None if wish.needed || !wish.pools.is_empty() => left_out.push(wish),
                None => {}
            }
        }
        let places: Vec<(SourceSpan, String)> =
            self.addresses.iter().map(|pool| (pool.span("prefix"), pool.spec.prefix.to_string())).collect();
        self.report(what, &left_out, &places);
        values
    }

    /// Reports what got nothing: once for each list of pools, and once for each line whose things no pool fits.
    fn report<K: Display>(&mut self, what: &str, left_out: &[Wish<K>], pools: &[(SourceSpan, String)]) {
        let mut exhausted: BTreeMap<&[usize], Vec<&Wish<K>>> = BTreeMap::new();
        let mut unfit: BTreeMap<&Source, Vec<&Wish<K>>> = BTreeMap::new();
        for wish in left_out {
            if wish.pools.is_empty() {
                unfit.entry(&wish.source).or_default().push(wish);
            } else {
                exhausted.entry(&wish.pools).or_default().push(wish);
            }
        }
        for (fitting, wishes) in exhausted {
            let (span, range) = &pools[fitting[0]];
            let message = format!("{range} is exhausted: no {what} is left for {}", names(&wishes));
            let mut diagnostic = Diagnostic::error(codes::POOL_EXHAUSTED, message)
                .at(span.clone())
                .help("add a pool behind it; what is allocated keeps its numbers");
            for &at in &fitting[1..] {
                diagnostic = diagnostic.label(pools[at].0.clone(), "this one fits too and is exhausted");
            }
            self.diagnostics.push(diagnostic);
        }
        for (source, wishes) in unfit {
            let message = format!("no pool gives a {what} to {}", names(&wishes));
            let help = match what {
                "link subnet" => "add an address pool with `purpose: link` that selects both nodes of the link",
                "loopback" => "add an address pool with `purpose: loopback` that selects the node",
                "IPv6 link subnet" => {
                    "add an address pool with `purpose: link` and an IPv6 prefix that selects both nodes of the link"
                }
                "IPv6 loopback" => {
                    "add an address pool with `purpose: loopback` and an IPv6 prefix that selects the node"
                }
                _ => "add a pool that selects the node",
            };
            self.diagnostics.push(Diagnostic::error(codes::NO_POOL, message).at(place(source)).help(help));
        }
    }

    fn allocated_twice(&mut self, what: &str, key: &impl Display) {
        let message = format!("the lock file gives the {what} to two; `{key}` gets a new one");
        let help = "look at the change of the lock file: a device that runs with the old value is renumbered";
        self.diagnostics.push(Diagnostic::warning(codes::ALLOCATED_TWICE, message).help(help));
    }
}

/// Returns who shares an AS number with the node, and `None` where it has its own.
fn shared_by(node: &Node, assign: AsnAssignment) -> Option<(&FabricName, &Role)> {
    match assign {
        AsnAssignment::PerNode => None,
        AsnAssignment::PerFabricRole => node.fabric.as_ref().map(|fabric| (fabric, &node.role)),
    }
}

/// Returns the length of a subnet of two addresses (RFC 3021, RFC 6164).
fn pair_length(prefix: &IpNet) -> u8 {
    prefix.max_prefix_len() - 1
}

fn place(source: &Source) -> SourceSpan {
    SourceSpan::point(source.file.clone(), source.line, 1)
}

/// Returns the names of at most five things, and how many more there are.
fn names<K: Display>(wishes: &[&Wish<K>]) -> String {
    const MOST: usize = 5;
    let shown: Vec<String> = wishes.iter().take(MOST).map(|wish| format!("`{}`", wish.key)).collect();
    match wishes.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
