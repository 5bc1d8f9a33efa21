//! The configured network, indexed once for all rules.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use weft_device::config::{
    AfiSafi, Bgp, DeviceConfig, Interface, InterfaceAddress, InterfaceKind, Neighbor, NeighborTarget, PeerType,
};
use weft_diagnostics::{Code, Diagnostic, SourceSpan};
use weft_intent::{Intent, IntentSet, spec::UnderlaySpec};
use weft_model::{InterfaceName, Link, Network, NodeName, Source, Sources, TerminationPoint};

/// The intents, the topology and the configurations, with the links and sessions put together from both of their ends.
///
/// Building it costs `O((n * u + l + s) log n)` with `n` nodes, `u` underlays, `l` links and `s` sessions; a rule passes over
/// it once.
pub struct Fleet<'a> {
    /// The configurations.
    pub(crate) configs: &'a BTreeMap<NodeName, DeviceConfig>,
    /// The links, in order.
    pub(crate) links: Vec<ConfiguredLink<'a>>,
    /// Internal sessions over an interface that is no end of a link.
    pub(crate) stray_sessions: Vec<SessionEnd<'a>>,
    /// Sessions between loopbacks, each end with the other where that knows it.
    pub(crate) loopback_sessions: Vec<(SessionEnd<'a>, Option<SessionEnd<'a>>)>,
}

/// A link and what is configured at its ends.
pub(crate) struct ConfiguredLink<'a> {
    pub(crate) link: &'a Link,
    /// The underlay that is to run over it.
    pub(crate) underlay: Option<&'a Intent<UnderlaySpec>>,
    pub(crate) ends: [LinkEnd<'a>; 2],
}

/// What is configured at one end of a link.
pub(crate) struct LinkEnd<'a> {
    pub(crate) point: &'a TerminationPoint,
    pub(crate) interface: Option<&'a Interface>,
    /// The sessions over it, IPv4 first.
    pub(crate) sessions: Vec<SessionEnd<'a>>,
}

/// One end of a session.
#[derive(Clone, Copy)]
pub(crate) struct SessionEnd<'a> {
    pub(crate) device: &'a NodeName,
    pub(crate) bgp: &'a Bgp,
    pub(crate) target: &'a NeighborTarget,
    pub(crate) neighbor: &'a Neighbor,
}

/// An address of an interface.
#[derive(Clone, Copy)]
pub(crate) struct ConfiguredAddress<'a> {
    pub(crate) device: &'a NodeName,
    pub(crate) name: &'a InterfaceName,
    pub(crate) interface: &'a Interface,
    pub(crate) address: &'a InterfaceAddress,
}

impl<'a> Fleet<'a> {
    /// Returns the index of a configured network.
    pub fn new(intents: &'a IntentSet, network: &'a Network, configs: &'a BTreeMap<NodeName, DeviceConfig>) -> Self {
        let mut underlays: BTreeMap<&NodeName, Vec<&'a Intent<UnderlaySpec>>> = BTreeMap::new();
        for node in network.nodes() {
            let picking = intents.underlays.values().filter(|underlay| underlay.spec.select.picks(node));
            underlays.insert(&node.name, picking.collect());
        }
        let mut sessions: BTreeMap<(&NodeName, &InterfaceName), Vec<SessionEnd<'a>>> = BTreeMap::new();
        let mut stray_sessions = Vec::new();
        let between: Vec<SessionEnd<'_>> =
            internal_sessions(configs).filter(SessionEnd::is_between_loopbacks).collect();
        let by_address: BTreeMap<[IpAddr; 2], SessionEnd<'_>> =
            between.iter().filter_map(|end| Some((end.addresses()?, *end))).collect();
        let other = |end: SessionEnd<'a>| {
            let other = end.addresses().and_then(|[near, far]| by_address.get(&[far, near]).copied());
            (end, other)
        };
        let loopback_sessions = between.iter().copied().map(other).collect();
        for end in internal_sessions(configs).filter(|end| !end.is_between_loopbacks()) {
            let point = TerminationPoint { node: end.device.clone(), interface: end.neighbor.interface.clone() };
            if network.link_at(&point).is_some() {
                sessions.entry((end.device, &end.neighbor.interface)).or_default().push(end);
            } else {
                stray_sessions.push(end);
            }
        }
        let end = |point: &'a TerminationPoint| LinkEnd {
            point,
            interface: configs.get(&point.node).and_then(|config| config.interfaces.get(&point.interface)),
            sessions: sessions.get(&(&point.node, &point.interface)).cloned().unwrap_or_default(),
        };
        let links = network
            .links()
            .map(|link| {
                let [a, b] = &link.ends;
                let far: &[&'a Intent<UnderlaySpec>] = underlays.get(&b.node).map_or(&[], Vec::as_slice);
                let shared = |near: &&&'a Intent<UnderlaySpec>| far.iter().any(|far| far.reference == near.reference);
                let underlay = underlays.get(&a.node).and_then(|near| near.iter().find(shared)).copied();
                ConfiguredLink { link, underlay, ends: [end(a), end(b)] }
            })
            .collect();
        Self { configs, links, stray_sessions, loopback_sessions }
    }

    /// Returns the links that have their interface at both ends, with both.
    pub(crate) fn interface_pairs(&self) -> impl Iterator<Item = (&Link, [(&TerminationPoint, &'a Interface); 2])> {
        self.links.iter().filter_map(|link| {
            let [a, b] = &link.ends;
            Some((link.link, [(a.point, a.interface?), (b.point, b.interface?)]))
        })
    }

    /// Returns the sessions that are configured at both ends, with both: on a link those of one sort, or the first of each end where
    /// no two are.
    pub(crate) fn session_pairs(&self) -> impl Iterator<Item = [SessionEnd<'a>; 2]> {
        let each_once = |(end, other): &(SessionEnd<'a>, Option<SessionEnd<'a>>)| {
            let other = (*other)?;
            (end.addresses() < other.addresses()).then_some([*end, other])
        };
        self.link_session_pairs().chain(self.loopback_sessions.iter().filter_map(each_once))
    }

    /// Returns the sessions that are configured at both ends of their link.
    pub(crate) fn link_session_pairs(&self) -> impl Iterator<Item = [SessionEnd<'a>; 2]> {
        self.links.iter().flat_map(|link| {
            let [near, far] = [&link.ends[0].sessions, &link.ends[1].sessions];
            let same = |a: &SessionEnd<'a>| Some([*a, *far.iter().find(|b| b.sort() == a.sort())?]);
            let mut pairs: Vec<[SessionEnd<'a>; 2]> = near.iter().filter_map(same).collect();
            if let (true, [a, ..], [b, ..]) = (pairs.is_empty(), &near[..], &far[..]) {
                pairs.push([*a, *b]);
            }
            pairs
        })
    }

    /// Returns the neighbors that are somebody else's.
    pub(crate) fn external_neighbors(&self) -> impl Iterator<Item = SessionEnd<'a>> {
        neighbors(self.configs).filter(|end| end.neighbor.peer_type == PeerType::External)
    }

    /// Returns all addresses in the order of device and interface.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = ConfiguredAddress<'a>> {
        self.configs.iter().flat_map(|(device, config)| {
            config.interfaces.iter().flat_map(move |(name, interface)| {
                let address = move |address| ConfiguredAddress { device, name, interface, address };
                interface.addresses.iter().map(address)
            })
        })
    }
}

/// How the neighbor of a session is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    /// By an address of this family.
    Address(AfiSafi),
    /// By the interface.
    Interface,
}

impl<'a> SessionEnd<'a> {
    /// Returns how the neighbor is named.
    pub(crate) fn sort(&self) -> Sort {
        match self.target {
            NeighborTarget::Address(address) if address.is_ipv4() => Sort::Address(AfiSafi::Ipv4Unicast),
            NeighborTarget::Address(_) => Sort::Address(AfiSafi::Ipv6Unicast),
            NeighborTarget::Interface(_) => Sort::Interface,
        }
    }

    /// Tells whether it is a session between loopbacks.
    fn is_between_loopbacks(&self) -> bool {
        self.neighbor.local_address.is_some()
    }

    /// Returns our address and that of the neighbor, of a session between loopbacks.
    fn addresses(&self) -> Option<[IpAddr; 2]> {
        match self.target {
            NeighborTarget::Address(address) => Some([self.neighbor.local_address?, *address]),
            NeighborTarget::Interface(_) => None,
        }
    }

    /// Returns the addresses of the interface that leads to the neighbor.
    pub(crate) fn interface(&self, fleet: &Fleet<'a>) -> Option<&'a Interface> {
        fleet.configs.get(self.device).and_then(|config| config.interfaces.get(&self.neighbor.interface))
    }
}

impl ConfiguredAddress<'_> {
    pub(crate) fn subnet(&self) -> IpNet {
        self.address.prefix.trunc()
    }

    /// Returns what the subnet belongs to: the link by its smaller end, or else the interface itself.
    pub(crate) fn medium(&self) -> (&NodeName, &InterfaceName) {
        let own = (self.device, self.name);
        match &self.interface.kind {
            InterfaceKind::Link { peer } => own.min((&peer.node, &peer.interface)),
            InterfaceKind::Loopback | InterfaceKind::Host | InterfaceKind::External => own,
        }
    }
}

fn neighbors(configs: &BTreeMap<NodeName, DeviceConfig>) -> impl Iterator<Item = SessionEnd<'_>> {
    configs.iter().flat_map(|(device, config)| {
        config.bgp.iter().flat_map(move |bgp| {
            bgp.neighbors.iter().map(move |(target, neighbor)| SessionEnd { device, bgp, target, neighbor })
        })
    })
}

fn internal_sessions(configs: &BTreeMap<NodeName, DeviceConfig>) -> impl Iterator<Item = SessionEnd<'_>> {
    neighbors(configs).filter(|end| end.neighbor.peer_type == PeerType::Internal)
}

/// Returns an error at the intent that caused a thing.
pub(crate) fn error(code: Code, message: String, sources: &Sources) -> Diagnostic {
    placed(Diagnostic::error(code, message), sources)
}

/// Returns a warning at the intent that caused a thing.
pub(crate) fn warning(code: Code, message: String, sources: &Sources) -> Diagnostic {
    placed(Diagnostic::warning(code, message), sources)
}

/// Returns an error about two ends that disagree, at the intent that caused the first, with the intent of the other
/// as a related place where it is another one.
pub(crate) fn disagreement(code: Code, message: String, [one, other]: [&Sources; 2]) -> Diagnostic {
    let finding = error(code, message, one);
    match place(other) {
        Some(span) if Some(&span) != finding.span.as_ref() => finding.label(span, "the other end"),
        Some(_) | None => finding,
    }
}

fn placed(finding: Diagnostic, sources: &Sources) -> Diagnostic {
    match place(sources) {
        Some(span) => finding.at(span),
        None => finding,
    }
}

/// Returns the first line of the most specific of several intents: kinds sort from the graph to what runs over it.
pub(crate) fn place(sources: &Sources) -> Option<SourceSpan> {
    cause(sources).map(line)
}

/// Returns the most specific of several intents, with its first line.
pub(crate) fn cause(sources: &Sources) -> Option<&Source> {
    let most_specific = &sources.last()?.intent;
    sources.iter().find(|source| source.intent == *most_specific)
}

/// Returns the name of an address family.
pub(crate) fn family_name(family: AfiSafi) -> &'static str {
    match family {
        AfiSafi::Ipv4Unicast => "IPv4",
        AfiSafi::Ipv6Unicast => "IPv6",
    }
}

/// Returns the line of a source.
pub(crate) fn line(source: &Source) -> SourceSpan {
    SourceSpan::point(source.file.clone(), source.line, 1)
}
