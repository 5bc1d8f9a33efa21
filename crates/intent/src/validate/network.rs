//! Builds the topology graph from the Fabric and Topology intents.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use petgraph::unionfind::UnionFind;
use weft_diagnostics::Diagnostic;
use weft_model::{
    Catalogue, Endpoint, FabricName, IntentKind, InterfaceName, Link, Name, Network, Node, NodeName, PackName,
    Platform, PlatformName, TerminationPoint,
};

use super::{Ports, Spot, unknown, unknown_node};
use crate::{
    Document, Intent, IntentSet, codes,
    spec::{FabricSpec, NodeOverride, Tier, TopologyNode, TopologySpec},
    suggest::{Suggester, first_of},
};

/// The topology graph, and what was found while it was built.
pub(super) struct Built<'a> {
    pub(super) network: Network,
    pub(super) ports: Ports<'a>,
    /// Whether every node that the texts ask for is in the network.
    pub(super) whole: bool,
    /// Whether every link that the texts ask for is in the network.
    pub(super) linked: bool,
    pub(super) findings: Vec<Diagnostic>,
}

pub(super) fn build<'a>(set: &'a IntentSet, catalogue: &'a Catalogue, suggester: &'a Suggester) -> Built<'a> {
    let whole = !set.lacks(IntentKind::Fabric) && !set.lacks(IntentKind::Topology);
    let mut builder = Builder {
        catalogue,
        suggester,
        network: Network::default(),
        ports: Ports::of(catalogue),
        nodes: HashMap::new(),
        management: HashMap::new(),
        whole,
        linked: whole,
        findings: Vec::new(),
    };
    for fabric in set.fabrics.values() {
        builder.fabric(fabric);
    }
    for topology in set.topologies.values() {
        builder.topology_nodes(topology);
    }
    // Links may end on nodes of another intent.
    for topology in set.topologies.values() {
        builder.topology_links(topology);
    }
    if builder.linked {
        builder.connected();
    }
    let Builder { network, ports, whole, linked, findings, .. } = builder;
    Built { network, ports, whole, linked, findings }
}

struct Builder<'a> {
    catalogue: &'a Catalogue,
    suggester: &'a Suggester,
    network: Network,
    ports: Ports<'a>,
    /// Where each node is asked for.
    nodes: HashMap<NodeName, Spot<'a>>,
    /// The nodes with management addresses of their own.
    management: HashMap<IpAddr, (NodeName, Spot<'a>)>,
    whole: bool,
    /// Whether every link that the texts ask for is in the network.
    linked: bool,
    findings: Vec<Diagnostic>,
}

/// A node of a fabric with its platform, where that is known.
type FabricNode<'a> = (NodeName, Option<&'a Platform>);

impl<'a> Builder<'a> {
    /// Returns the platform, or reports why there is none.
    fn platform(
        &mut self,
        document: &Document,
        (pack, pack_at): (&PackName, &str),
        (platform, platform_at): (&PlatformName, &str),
    ) -> Option<&'a Platform> {
        let Some(description) = self.catalogue.get(pack) else {
            let packs = self.catalogue.keys().map(|name| name.as_str());
            let finding = unknown(self.suggester, codes::UNKNOWN_PACK, "pack", pack.as_str(), packs);
            self.findings.push(finding.at(document.span(pack_at)));
            return None;
        };
        let found = description.platforms.get(platform);
        if found.is_none() {
            let message = format!("the pack `{pack}` has no platform `{platform}`");
            let platforms = description.platforms.keys().map(|name| name.as_str());
            let help = self.suggester.help(platform.as_str(), platforms, "platforms").unwrap_or_default();
            let finding = Diagnostic::error(codes::UNKNOWN_PLATFORM, message).at(document.span(platform_at));
            self.findings.push(finding.help(help));
        }
        found
    }

    /// Adds a node, or reports that its name is taken.
    fn add(&mut self, node: Node, spot: Spot<'a>) -> bool {
        if let Some(first) = self.nodes.get(&node.name) {
            let finding = Diagnostic::error(codes::DUPLICATE_NODE, format!("there are two nodes `{}`", node.name))
                .at(spot.span())
                .label(first.span(), "the first one is here")
                .help("give one of them another name");
            self.findings.push(finding);
            return false;
        }
        self.nodes.insert(node.name.clone(), spot);
        self.network.add_node(node).is_ok()
    }

    fn fabric(&mut self, intent: &'a Intent<FabricSpec>) {
        let (spec, document) = (&intent.spec, &*intent.document);
        let fabric = &intent.reference.name;
        if self.too_long(intent) {
            return;
        }
        let mut overrides: BTreeMap<&NodeName, (usize, &NodeOverride, bool)> = BTreeMap::new();
        for (index, entry) in spec.overrides.iter().enumerate() {
            if let Some((first, ..)) = overrides.get(&entry.node) {
                let message = format!("there are two overrides for `{}`", entry.node);
                let finding = Diagnostic::error(codes::OVERRIDE_TWICE, message)
                    .at(document.span(&format!("/spec/overrides/{index}/node")))
                    .label(document.span(&format!("/spec/overrides/{first}/node")), "the first one is here");
                self.findings.push(finding.help("join them"));
            } else {
                overrides.insert(&entry.node, (index, entry, false));
            }
        }
        let spines = self.tier(intent, "spine", &spec.spine, &mut overrides);
        let leaves = self.tier(intent, "leaf", &spec.leaf, &mut overrides);
        let borders = match &spec.border {
            Some(border) => self.tier(intent, "border", border, &mut overrides),
            None => Vec::new(),
        };
        let names: Vec<&str> =
            [&spines, &leaves, &borders].into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        for (name, (index, _, used)) in overrides {
            if !used && !names.is_empty() {
                let message = format!("the fabric `{fabric}` has no node `{name}`");
                let help = self.suggester.help(name.as_str(), names.iter().copied(), "nodes").unwrap_or_default();
                let finding = Diagnostic::error(codes::UNKNOWN_NODE, message);
                self.findings.push(finding.at(document.span(&format!("/spec/overrides/{index}/node"))).help(help));
            }
        }
        if !self.enough_ports(intent, &spines, &leaves, &borders) {
            self.linked = false;
            return;
        }
        for (k, leaf) in leaves.iter().enumerate() {
            self.uplinks(intent, "leaf", leaf, &spines, |ports| ports.get(k));
        }
        for (k, border) in borders.iter().enumerate() {
            self.uplinks(intent, "border", border, &spines, |ports| ports.iter().nth_back(k));
        }
    }

    /// Tells whether the names of the fabric's nodes are too long, and reports it.
    fn too_long(&mut self, intent: &Intent<FabricSpec>) -> bool {
        let tiers = [
            ("spine", Some(&intent.spec.spine)),
            ("leaf", Some(&intent.spec.leaf)),
            ("border", intent.spec.border.as_ref()),
        ];
        let names =
            tiers.into_iter().filter_map(|(role, tier)| Some(node_name(&intent.reference.name, role, tier?.count)));
        let Some(long) = names.max_by_key(String::len).filter(|name| name.parse::<NodeName>().is_err()) else {
            return false;
        };
        let message = format!("a node would be called `{long}`, with more than 63 characters");
        let finding = Diagnostic::error(codes::LONG_NODE_NAME, message).at(intent.document.span("/metadata/name"));
        self.findings.push(finding.help("shorten the name of the fabric"));
        self.whole = false;
        self.linked = false;
        true
    }

    fn tier(
        &mut self,
        intent: &'a Intent<FabricSpec>,
        role: &'static str,
        tier: &Tier,
        overrides: &mut BTreeMap<&NodeName, (usize, &NodeOverride, bool)>,
    ) -> Vec<FabricNode<'a>> {
        let document = &*intent.document;
        let fabric = &intent.reference.name;
        let (pack_at, platform_at) = (format!("/spec/{role}/pack"), format!("/spec/{role}/platform"));
        let platform = self.platform(document, (&tier.pack, &pack_at), (&tier.platform, &platform_at));
        let mut nodes = Vec::with_capacity(tier.count.into());
        for number in 1..=tier.count {
            // Names that cannot be were reported for the whole fabric.
            let (Ok(name), Ok(role_name)) = (node_name(fabric, role, number).parse::<NodeName>(), role.parse()) else {
                continue;
            };
            let mut node = Node {
                name,
                role: role_name,
                fabric: Some(FabricName::from(fabric.clone())),
                site: intent.spec.site.clone(),
                labels: BTreeMap::new(),
                pack: tier.pack.clone(),
                platform: tier.platform.clone(),
                management: None,
                source: intent.source_at(&format!("/spec/{role}")),
            };
            let mut own_platform = platform;
            if let Some((index, entry, used)) = overrides.get_mut(&node.name) {
                *used = true;
                let own = format!("/spec/overrides/{index}");
                node.source = intent.source_at(&own);
                let own_pack_at = format!("{own}/pack");
                let own_platform_at = format!("{own}/platform");
                if let Some(pack) = &entry.pack {
                    node.pack = pack.clone();
                }
                if let Some(platform) = &entry.platform {
                    node.platform = platform.clone();
                }
                let pack = (&node.pack, if entry.pack.is_some() { &*own_pack_at } else { &*pack_at });
                // The platform of the tier may not be one of the pack of the override: that is said at the override.
                let at = if entry.platform.is_some() { &*own_platform_at } else { &*own_pack_at };
                if entry.pack.is_some() || (entry.platform.is_some() && self.catalogue.contains_key(&tier.pack)) {
                    own_platform = self.platform(document, pack, (&node.platform, at));
                }
            }
            let name = node.name.clone();
            if self.add(node, Spot::new(document, format!("/spec/{role}"))) {
                nodes.push((name, own_platform));
            } else {
                self.linked = false;
            }
        }
        nodes
    }

    /// Tells whether all platforms of a fabric have the ports for its links, and reports those that have too few.
    fn enough_ports(
        &mut self,
        intent: &Intent<FabricSpec>,
        spines: &[FabricNode<'a>],
        leaves: &[FabricNode<'a>],
        borders: &[FabricNode<'a>],
    ) -> bool {
        let document = &*intent.document;
        let mut enough = true;
        let below = leaves.len() + borders.len();
        if let Some((name, Some(platform))) =
            spines.iter().find(|(_, platform)| platform.is_some_and(|platform| platform.ports.len() < below))
        {
            enough = false;
            let message = format!(
                "`{name}` has {} ports, and {} leaves and {} borders are to be linked to it",
                platform.ports.len(),
                leaves.len(),
                borders.len()
            );
            let at = if leaves.len() <= platform.ports.len() { "/spec/border/count" } else { "/spec/leaf/count" };
            self.findings.push(
                Diagnostic::error(codes::TOO_FEW_PORTS, message)
                    .at(document.span(at))
                    .label(document.span("/spec/spine/platform"), "the platform of the spines")
                    .help("take a larger platform for the spines, or fewer leaves and borders"),
            );
        }
        for (role, tier) in [("leaf", leaves), ("border", borders)] {
            let small = tier
                .iter()
                .find(|(_, platform)| platform.is_some_and(|platform| platform.uplinks.len() < spines.len()));
            if let Some((name, Some(platform))) = small {
                enough = false;
                let message = format!(
                    "`{name}` has {} uplinks, and {} spines are to be linked to it",
                    platform.uplinks.len(),
                    spines.len()
                );
                self.findings.push(
                    Diagnostic::error(codes::TOO_FEW_PORTS, message)
                        .at(document.span("/spec/spine/count"))
                        .label(
                            document.span(&format!("/spec/{role}/platform")),
                            format!("the platform of the {role} tier"),
                        )
                        .help("take a platform with more uplinks, or fewer spines"),
                );
            }
        }
        enough
    }

    fn uplinks(
        &mut self,
        intent: &'a Intent<FabricSpec>,
        role: &'static str,
        (name, platform): &FabricNode<'a>,
        spines: &[FabricNode<'a>],
        spine_port: impl Fn(&'a [InterfaceName]) -> Option<&'a InterfaceName>,
    ) {
        let pointer = format!("/spec/{role}");
        let source = intent.source_at(&pointer);
        for (i, (spine, spine_platform)) in spines.iter().enumerate() {
            let lower = platform.and_then(|platform| platform.uplinks.get(i));
            let upper = spine_platform.and_then(|platform| spine_port(&platform.ports));
            let (Some(lower), Some(upper)) = (lower, upper) else {
                self.linked = false;
                continue;
            };
            let ends = [
                TerminationPoint { node: name.clone(), interface: lower.clone() },
                TerminationPoint { node: spine.clone(), interface: upper.clone() },
            ];
            let link = Link {
                ends,
                mtu: intent.spec.mtu,
                capacity: None,
                metric: Link::DEFAULT_METRIC,
                shared_risks: BTreeSet::new(),
                source: source.clone(),
            };
            self.link(link, [Spot::new(&intent.document, &*pointer), Spot::new(&intent.document, &*pointer)]);
        }
    }

    /// Adds a link whose nodes are there, unless a port is taken.
    fn link(&mut self, link: Link, spots: [Spot<'a>; 2]) {
        let mut free = true;
        for (end, spot) in link.ends.iter().zip(spots) {
            if let Err(taken) = self.ports.take(end, spot) {
                let (finding, spot) = *taken;
                self.findings.push(finding.at(spot.span()));
                free = false;
            }
        }
        self.linked &= free && self.network.add_link(link).is_ok();
    }

    fn topology_nodes(&mut self, intent: &'a Intent<TopologySpec>) {
        let document = &*intent.document;
        for (index, node) in intent.spec.nodes.iter().enumerate() {
            let TopologyNode { name, role, site, pack, platform, management, labels } = node;
            let at = format!("/spec/nodes/{index}");
            self.platform(document, (pack, &format!("{at}/pack")), (platform, &format!("{at}/platform")));
            let added = Node {
                name: name.clone(),
                role: role.clone(),
                fabric: None,
                site: site.clone(),
                labels: labels.clone(),
                pack: pack.clone(),
                platform: platform.clone(),
                management: *management,
                source: intent.source_at(&at),
            };
            if !self.add(added, Spot::new(document, format!("{at}/name"))) {
                self.linked = false;
                continue;
            }
            let Some(address) = *management else { continue };
            let spot = Spot::new(document, format!("{at}/management"));
            if let Some((other, first)) = self.management.get(&address) {
                let message = format!("`{name}` and `{other}` have the management address {address}");
                let finding = Diagnostic::error(codes::DUPLICATE_MANAGEMENT, message).at(spot.span());
                self.findings
                    .push(finding.label(first.span(), "first used here").help("give one of them another address"));
            } else {
                self.management.insert(address, (name.clone(), spot));
            }
        }
    }

    fn topology_links(&mut self, intent: &'a Intent<TopologySpec>) {
        let document = &*intent.document;
        for (index, link) in intent.spec.links.iter().enumerate() {
            let ends = [("a", &link.a), ("b", &link.b)].map(|(key, end)| (format!("/spec/links/{index}/{key}"), end));
            if link.a.node == link.b.node {
                let message = format!("both ends of the link are on `{}`", link.a.node);
                let finding = Diagnostic::error(codes::SELF_LINK, message).at(document.span(&ends[1].0));
                self.findings
                    .push(finding.label(document.span(&ends[0].0), "the other end").help("name the other node"));
                self.linked = false;
                continue;
            }
            let mut known = true;
            for (pointer, end) in &ends {
                known &= self.end(document, pointer, end);
            }
            if !known {
                self.linked = false;
                continue;
            }
            let [(a, _), (b, _)] = ends;
            let points = [&link.a, &link.b]
                .map(|end| TerminationPoint { node: end.node.clone(), interface: end.interface.clone() });
            let link = Link {
                ends: points,
                mtu: link.mtu,
                capacity: link.capacity,
                metric: link.metric.unwrap_or(Link::DEFAULT_METRIC),
                shared_risks: link.shared_risks.iter().cloned().collect(),
                source: intent.source_at(&format!("/spec/links/{index}")),
            };
            self.link(link, [Spot::new(document, a), Spot::new(document, b)]);
        }
    }

    /// Tells whether the end of a link is there, or reports why not.
    fn end(&mut self, document: &Document, pointer: &str, end: &Endpoint) -> bool {
        let Some(node) = self.network.node(end.node.as_str()) else {
            if self.whole {
                let finding = unknown_node(self.suggester, &end.node, &self.network);
                self.findings.push(finding.at(document.span(pointer)));
            }
            return false;
        };
        match self.ports.unknown(node, &end.interface, self.suggester) {
            Some(finding) => {
                self.findings.push(finding.at(document.span(pointer)));
                false
            }
            None => true,
        }
    }

    /// Warns when some nodes have no path to the others.
    fn connected(&mut self) {
        let graph = self.network.graph();
        let mut sets = UnionFind::<usize>::new(graph.node_count());
        for edge in graph.edge_indices() {
            if let Some((a, b)) = graph.edge_endpoints(edge) {
                sets.union(a.index(), b.index());
            }
        }
        let mut members: BTreeMap<usize, Vec<&NodeName>> = BTreeMap::new();
        for name in self.network.nodes().map(|node| &node.name) {
            if let Some(index) = self.network.index(name.as_str()) {
                members.entry(sets.find(index.index())).or_default().push(name);
            }
        }
        let mut members: Vec<Vec<&NodeName>> = members.into_values().collect();
        if members.len() < 2 {
            return;
        }
        // The largest first; of equal ones, the one with the first name.
        members.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let Some(main) = members.first().and_then(|piece| piece.first()) else { return };
        let mut finding: Option<Diagnostic> = None;
        for piece in members.iter().skip(1).take(LABELLED_PIECES) {
            let Some((first, spot)) = piece.first().and_then(|name| Some((name, self.nodes.get(*name)?))) else {
                continue;
            };
            finding = Some(match finding {
                None => {
                    let message = format!(
                        "the network is in {} pieces: no path over its links from {} to `{main}`",
                        members.len(),
                        first_of(first.as_str(), piece.len())
                    );
                    Diagnostic::warning(codes::DISCONNECTED, message)
                        .at(spot.span())
                        .help("add the links that are missing to a Topology")
                }
                Some(finding) => {
                    finding.label(spot.span(), format!("another piece: {}", first_of(first.as_str(), piece.len())))
                }
            });
        }
        self.findings.extend(finding);
    }
}

/// Returns the name of a fabric's node; `number` counts from 1.
fn node_name(fabric: &Name, role: &str, number: u16) -> String {
    format!("{fabric}-{role}-{number:02}")
}

/// Pieces of the network that a finding shows.
const LABELLED_PIECES: usize = 4;
