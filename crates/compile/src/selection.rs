//! Which intents touch which node: every selector is resolved once, before the nodes are compiled.

use std::collections::{BTreeMap, BTreeSet};

use weft_intent::{
    Intent, IntentSet,
    spec::{
        AccessSpec, BaselineSpec, IbgpSpec, PeeringSession, PeeringSpec, Protocol, Scope, SegmentSpec, Selector,
        UnderlaySpec,
    },
};
use weft_model::{FabricName, IntentRef, InterfaceName, Link, Network, Node, NodeName, SiteName};

use crate::pool::Family;

/// The intents that touch one node, each list in the order of the intents' names.
#[derive(Debug, Default)]
pub(crate) struct Touching<'a> {
    pub(crate) underlays: Vec<&'a Intent<UnderlaySpec>>,
    pub(crate) ports: Vec<SegmentPort<'a>>,
    pub(crate) sessions: Vec<Session<'a>>,
    pub(crate) baselines: Vec<&'a Intent<BaselineSpec>>,
}

impl<'a> Touching<'a> {
    /// Returns the underlays of a protocol.
    pub(crate) fn underlays_of(&self, protocol: Protocol) -> impl Iterator<Item = &'a Intent<UnderlaySpec>> {
        self.underlays.iter().copied().filter(move |underlay| underlay.spec.protocol == protocol)
    }

    /// Returns the underlay with internal BGP, and what it says of that.
    pub(crate) fn ibgp(&self) -> Option<(&'a Intent<UnderlaySpec>, &'a IbgpSpec)> {
        self.underlays.iter().find_map(|underlay| Some((*underlay, underlay.spec.ibgp.as_ref()?)))
    }

    /// Tells whether the node runs BGP: between the nodes, or with an external neighbor.
    pub(crate) fn speaks_bgp(&self) -> bool {
        self.underlays_of(Protocol::Ebgp).next().is_some() || self.ibgp().is_some() || !self.sessions.is_empty()
    }

    /// Tells whether an underlay routes a family on the node.
    pub(crate) fn routes(&self, family: Family) -> bool {
        self.underlays.iter().any(|underlay| family.is_in(underlay.spec.families))
    }
}

/// A port of a segment on the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentPort<'a> {
    pub(crate) segment: &'a Intent<SegmentSpec>,
    pub(crate) interface: &'a InterfaceName,
    /// The place in the segment's list of ports.
    pub(crate) selection: usize,
}

/// A session of a peering on the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) peering: &'a Intent<PeeringSpec>,
    pub(crate) session: &'a PeeringSession,
    /// The place in the peering's list of sessions.
    pub(crate) index: usize,
}

impl Session<'_> {
    /// Returns the JSON pointer of a field of the session.
    pub(crate) fn pointer(&self, field: &str) -> String {
        format!("/spec/sessions/{}/{field}", self.index)
    }
}

/// The intents of a file set by the nodes they touch.
pub(crate) struct Selection<'a> {
    nodes: BTreeMap<&'a str, Touching<'a>>,
    /// The nodes of each underlay with internal BGP.
    pub(crate) internal: BTreeMap<&'a IntentRef, Vec<&'a Node>>,
    /// Segments whose subnets stay in their site.
    pub(crate) site_segments: Vec<&'a Intent<SegmentSpec>>,
    /// The Access intents by the segments that they protect.
    pub(crate) protected: BTreeMap<&'a IntentRef, &'a Intent<AccessSpec>>,
    nothing: Touching<'a>,
}

impl<'a> Selection<'a> {
    /// Resolves every selector of `intents`.
    pub(crate) fn new(intents: &'a IntentSet, network: &'a Network) -> Self {
        let picker = Picker::new(network);
        let mut nodes: BTreeMap<&'a str, Touching<'a>> =
            network.nodes().map(|node| (node.name.as_str(), Touching::default())).collect();
        let mut touch = |selector: &Selector, add: &mut dyn FnMut(&mut Touching<'a>)| {
            for node in picker.picked(selector) {
                if let Some(touching) = nodes.get_mut(node.name.as_str()) {
                    add(touching);
                }
            }
        };
        for underlay in intents.underlays.values() {
            touch(&underlay.spec.select, &mut |node| node.underlays.push(underlay));
        }
        let with_ibgp = intents.underlays.values().filter(|underlay| underlay.spec.ibgp.is_some());
        let internal = with_ibgp.map(|underlay| (&underlay.reference, picker.picked(&underlay.spec.select))).collect();
        for baseline in intents.baselines.values() {
            touch(&baseline.spec.select, &mut |node| node.baselines.push(baseline));
        }
        for segment in intents.segments.values() {
            for (selection, ports) in segment.spec.ports.iter().enumerate() {
                touch(&ports.select, &mut |node| {
                    for interface in &ports.interfaces {
                        node.ports.push(SegmentPort { segment, interface, selection });
                    }
                });
            }
        }
        for touching in nodes.values_mut() {
            // A port that two selections of one segment name is one port; the first selection stands for it.
            touching.ports.sort_by_key(|port| (&port.segment.reference, port.interface, port.selection));
            touching.ports.dedup_by_key(|port| (&port.segment.reference, port.interface));
        }
        for peering in intents.peerings.values() {
            for (index, session) in peering.spec.sessions.iter().enumerate() {
                if let Some(touching) = nodes.get_mut(session.port.node.as_str()) {
                    touching.sessions.push(Session { peering, session, index });
                }
            }
        }
        let site_segments =
            intents.segments.values().filter(|segment| segment.spec.scope == Scope::Site).collect::<Vec<_>>();
        let protected = intents
            .accesses
            .values()
            .flat_map(|access| access.spec.protect.iter().map(move |segment| (segment, access)));
        let protected = protected.collect();
        Self { nodes, internal, site_segments, protected, nothing: Touching::default() }
    }

    /// Returns the intents that touch `node`.
    pub(crate) fn of(&self, node: &NodeName) -> &Touching<'a> {
        self.nodes.get(node.as_str()).unwrap_or(&self.nothing)
    }

    /// Returns the underlay that runs over `link`: the first that selects both ends.
    pub(crate) fn underlay_of(&self, link: &Link) -> Option<&'a Intent<UnderlaySpec>> {
        let [near, far] = [self.of(&link.ends[0].node), self.of(&link.ends[1].node)];
        near.underlays.iter().find(|near| far.underlays.iter().any(|far| far.reference == near.reference)).copied()
    }
}

/// Finds the nodes a selector picks without asking every node where the selector names some.
struct Picker<'a> {
    network: &'a Network,
    fabrics: BTreeMap<&'a FabricName, Vec<&'a Node>>,
    sites: BTreeMap<&'a SiteName, Vec<&'a Node>>,
}

impl<'a> Picker<'a> {
    fn new(network: &'a Network) -> Self {
        let mut picker = Self { network, fabrics: BTreeMap::new(), sites: BTreeMap::new() };
        for node in network.nodes() {
            if let Some(fabric) = &node.fabric {
                picker.fabrics.entry(fabric).or_default().push(node);
            }
            if let Some(site) = &node.site {
                picker.sites.entry(site).or_default().push(node);
            }
        }
        picker
    }

    /// Returns the nodes in the order of their names, each once.
    fn picked(&self, selector: &Selector) -> Vec<&'a Node> {
        let candidates: Vec<&'a Node> = if !selector.names.is_empty() {
            let names: BTreeSet<&NodeName> = selector.names.iter().collect();
            names.into_iter().filter_map(|name| self.network.node(name.as_str())).collect()
        } else if !selector.fabrics.is_empty() {
            let fabrics: BTreeSet<&FabricName> = selector.fabrics.iter().collect();
            fabrics.into_iter().filter_map(|name| self.fabrics.get(name)).flatten().copied().collect()
        } else if !selector.sites.is_empty() {
            let sites: BTreeSet<&SiteName> = selector.sites.iter().collect();
            sites.into_iter().filter_map(|name| self.sites.get(name)).flatten().copied().collect()
        } else {
            self.network.nodes().collect()
        };
        let mut picked: Vec<&'a Node> = candidates.into_iter().filter(|node| selector.picks(node)).collect();
        picked.sort_by_key(|node| &node.name);
        picked
    }
}
