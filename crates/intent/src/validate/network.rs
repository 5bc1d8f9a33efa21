//! Builds the topology graph from the Fabric and Topology intents.

mod fabric;
mod limits;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use petgraph::unionfind::UnionFind;
use weft_diagnostics::Diagnostic;
use weft_model::{
    BehaviorProfile, Catalogue, Endpoint, IntentKind, Link, Name, Network, Node, NodeName, OsVersion, PackName,
    Platform, PlatformName, TerminationPoint,
};

use limits::Wrong;

use super::{Ports, Spot, unknown, unknown_node};
use crate::{
    Document, Intent, IntentSet, codes,
    spec::{TopologyLink, TopologyNode, TopologySpec},
    suggest::{Suggester, first_of, list},
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
        risks: BTreeMap::new(),
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
    if !set.lacks(IntentKind::Topology) {
        builder.lonely_risks();
    }
    let may_be_parted = set.topologies.values().any(|topology| topology.spec.allow_partition);
    if builder.linked && !may_be_parted {
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
    /// Where each risk group is named.
    risks: BTreeMap<&'a Name, Vec<Spot<'a>>>,
    whole: bool,
    /// Whether every link that the texts ask for is in the network.
    linked: bool,
    findings: Vec<Diagnostic>,
}

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

    /// Returns how a version of an operating system behaves, or reports that its pack does not know it.
    fn profile(
        &mut self,
        document: &Document,
        pack: &PackName,
        version: (Option<&OsVersion>, &str),
    ) -> BehaviorProfile {
        let (version, at) = version;
        // A pack that is not there was reported.
        let Some(description) = self.catalogue.get(pack) else { return BehaviorProfile::default() };
        if let Some(profile) = description.profile(version) {
            return profile;
        }
        let version = version.map_or("", OsVersion::as_str);
        let known: Vec<&str> =
            description.profiles.iter().flat_map(|profile| &profile.version).map(OsVersion::as_str).collect();
        let message = format!("the pack `{pack}` knows no version `{version}`");
        let help = match known.as_slice() {
            [] => "it says of no version how it behaves: remove `os_version`".to_owned(),
            known => format!("it knows {}; for another one, its manifest needs a profile", list(known)),
        };
        self.findings.push(Diagnostic::error(codes::UNKNOWN_OS_VERSION, message).at(document.span(at)).help(help));
        BehaviorProfile::default()
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
            let TopologyNode { name, role, site, pack, os_version, platform, management, labels } = node;
            let at = format!("/spec/nodes/{index}");
            self.platform(document, (pack, &format!("{at}/pack")), (platform, &format!("{at}/platform")));
            let profile = self.profile(document, pack, (os_version.as_ref(), &format!("{at}/os_version")));
            let added = Node {
                name: name.clone(),
                role: role.clone(),
                fabric: None,
                site: site.clone(),
                labels: labels.clone(),
                pack: pack.clone(),
                platform: platform.clone(),
                profile,
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
            let points = [&link.a, &link.b]
                .map(|end| TerminationPoint { node: end.node.clone(), interface: end.interface.clone() });
            let platforms = [&link.a, &link.b].map(|end| {
                let node = self.network.node(end.node.as_str())?;
                self.catalogue.get(&node.pack)?.platforms.get(&node.platform)
            });
            self.fits(document, index, link, (&points, platforms));
            for (position, risk) in link.shared_risks.iter().enumerate() {
                if link.shared_risks[..position].contains(risk) {
                    continue;
                }
                let spot = Spot::new(document, format!("/spec/links/{index}/shared_risks/{position}"));
                self.risks.entry(risk).or_default().push(spot);
            }
            let [(a, _), (b, _)] = ends;
            let speed = limits::speeds(&points, platforms).into_iter().flatten().min();
            let link = Link {
                ends: points,
                mtu: link.mtu,
                capacity: link.capacity.or(speed),
                metric: link.metric.unwrap_or(Link::DEFAULT_METRIC),
                shared_risks: link.shared_risks.iter().cloned().collect(),
                source: intent.source_at(&format!("/spec/links/{index}")),
            };
            self.link(link, [Spot::new(document, a), Spot::new(document, b)]);
        }
    }

    /// Reports a link that its ports cannot be the ends of.
    fn fits(
        &mut self,
        document: &Document,
        index: usize,
        link: &TopologyLink,
        (points, platforms): (&[TerminationPoint; 2], [Option<&Platform>; 2]),
    ) {
        let Some(wrong) = limits::wrong(points, platforms, link.mtu, link.capacity) else { return };
        let at = |key: &str| format!("/spec/links/{index}/{key}");
        let finding = wrong.finding(&format!("`{} -- {}`", points[0], points[1]));
        let end = |end: usize| document.span(&at(if end == 0 { "a" } else { "b" }));
        self.findings.push(match wrong {
            Wrong::Speed(a, b) => finding.at(end(1)).label(end(0), format!("{a} here, {b} at the other end")),
            Wrong::Capacity(..) => finding.at(document.span(&at("capacity"))),
            Wrong::Mtu(port, ..) if document.has(&at("mtu")) => {
                finding.at(document.span(&at("mtu"))).label(end(port), "the port")
            }
            Wrong::Mtu(port, ..) => finding.at(end(port)),
        });
    }

    /// Warns about each risk group of one link: nothing shares the risk, so its name is a slip or it is of no use.
    fn lonely_risks(&mut self) {
        let groups: Vec<(&Name, usize)> = self.risks.iter().map(|(name, links)| (*name, links.len())).collect();
        for (name, links) in &self.risks {
            let [spot] = links.as_slice() else { continue };
            let others = groups.iter().filter(|(other, count)| other != name && *count > 1);
            let near = self.suggester.nearest(name.as_str(), others.map(|(other, _)| other.as_str()));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name it on the other links that share the risk, or remove it".to_owned(),
            };
            let message = format!("only one link is in the risk group `{name}`");
            self.findings.push(Diagnostic::warning(codes::LONELY_RISK, message).at(spot.span()).help(help));
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

/// Pieces of the network that a finding shows.
const LABELLED_PIECES: usize = 4;
