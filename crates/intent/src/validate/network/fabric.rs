//! The nodes and links of Fabric intents: their names, their ports, and whether there are enough of these.

use std::collections::{BTreeMap, BTreeSet};

use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{FabricName, InterfaceName, Link, Name, Node, NodeName, Platform, TerminationPoint};

use super::{Builder, Spot, Wrong, limits};
use crate::{
    Intent, codes,
    spec::{FabricSpec, NodeOverride, Tier},
    suggest::first_of,
};

/// A node of a fabric with its platform, where that is known.
type FabricNode<'a> = (NodeName, Option<&'a Platform>);

/// The overrides of a fabric by node: their place in the list, and whether the node was found.
type Overrides<'a> = BTreeMap<&'a NodeName, (usize, &'a NodeOverride, bool)>;

/// One of the tiers: its role, its key in the intent, and how its nodes are called together.
#[derive(Clone, Copy)]
struct Place {
    role: &'static str,
    key: &'static str,
    plural: &'static str,
}

const SUPER_SPINE: Place = Place { role: "super-spine", key: "super_spine", plural: "super-spines" };
const SPINE: Place = Place { role: "spine", key: "spine", plural: "spines" };
const LEAF: Place = Place { role: "leaf", key: "leaf", plural: "leaves" };
const BORDER: Place = Place { role: "border", key: "border", plural: "borders" };

/// Where on the upper node of a link the lower one is.
#[derive(Clone, Copy)]
enum Side {
    First,
    Last,
}

/// Nodes of one tier that have links to the same nodes above them.
struct Group<'n, 'a> {
    place: Place,
    nodes: &'n [FabricNode<'a>],
    side: Side,
    /// How many nodes of the tier are before these on the upper node.
    before: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn fabric(&mut self, intent: &'a Intent<FabricSpec>) {
        let (spec, document) = (&intent.spec, &*intent.document);
        if self.pods_alone(intent) || self.too_long(intent) {
            // Which nodes were meant is not known.
            self.whole = false;
            self.linked = false;
            return;
        }
        let mut overrides = self.overrides(intent);
        let pods = if spec.super_spine.is_some() { spec.pods.unwrap_or(1) } else { 0 };
        let in_pods: Vec<Option<u16>> = if pods == 0 { vec![None] } else { (1..=pods).map(Some).collect() };
        let supers = match &spec.super_spine {
            Some(tier) => self.tier(intent, SUPER_SPINE, tier, &[None], &mut overrides).concat(),
            None => Vec::new(),
        };
        let spines = self.tier(intent, SPINE, &spec.spine, &in_pods, &mut overrides);
        let leaves = self.tier(intent, LEAF, &spec.leaf, &in_pods, &mut overrides);
        let borders = match &spec.border {
            Some(border) => self.tier(intent, BORDER, border, &[None], &mut overrides).concat(),
            None => Vec::new(),
        };
        let all = supers.iter().chain(spines.iter().flatten()).chain(leaves.iter().flatten()).chain(&borders);
        let names: Vec<&str> = all.map(|(name, _)| name.as_str()).collect();
        for (name, (index, ..)) in overrides.iter().filter(|(_, (.., used))| !used && !names.is_empty()) {
            let message = format!("the fabric `{}` has no node `{name}`", intent.reference.name);
            let help = self.suggester.help(name.as_str(), names.iter().copied(), "nodes").unwrap_or_default();
            let finding = Diagnostic::error(codes::UNKNOWN_NODE, message);
            self.findings.push(finding.at(document.span(&format!("/spec/overrides/{index}/node"))).help(help));
        }
        // From here on every pod is like the others but for overrides.
        let mut stages = Vec::new();
        for (spines, leaves) in spines.iter().zip(&leaves) {
            let mut below = vec![Group { place: LEAF, nodes: leaves, side: Side::First, before: 0 }];
            if supers.is_empty() {
                below.push(Group { place: BORDER, nodes: &borders, side: Side::Last, before: 0 });
            }
            stages.push((SPINE, spines.as_slice(), below));
        }
        if !supers.is_empty() {
            let mut below = Vec::new();
            let mut before = 0;
            for spines in &spines {
                below.push(Group { place: SPINE, nodes: spines, side: Side::First, before });
                before += spines.len();
            }
            below.push(Group { place: BORDER, nodes: &borders, side: Side::Last, before: 0 });
            stages.push((SUPER_SPINE, supers.as_slice(), below));
        }
        let mut told = BTreeSet::new();
        let mut enough = true;
        for (place, above, below) in &stages {
            enough &= self.enough_ports(intent, (*place, above), below, &overrides, &mut told);
        }
        if !enough {
            self.linked = false;
            return;
        }
        let mut unfit = Vec::new();
        for (place, above, below) in &stages {
            for group in below {
                self.uplinks(intent, (*place, above), group, &mut unfit);
            }
        }
        self.unfit(intent, &overrides, &unfit);
    }

    /// Tells whether there are pods with nothing above them, and reports it.
    fn pods_alone(&mut self, intent: &Intent<FabricSpec>) -> bool {
        let (Some(pods), None) = (intent.spec.pods, &intent.spec.super_spine) else { return false };
        let message = format!("there are {pods} pods, and no super-spines that join them");
        self.findings.push(
            Diagnostic::error(codes::PODS_ALONE, message)
                .at(intent.document.span("/spec/pods"))
                .help("add a `super_spine` tier, or remove `pods` for a fabric of two tiers"),
        );
        true
    }

    /// Tells whether the names of the fabric's nodes are too long, and reports it.
    fn too_long(&mut self, intent: &Intent<FabricSpec>) -> bool {
        let spec = &intent.spec;
        let pod = spec.super_spine.as_ref().map(|_| spec.pods.unwrap_or(1));
        let tiers = [
            (SUPER_SPINE, spec.super_spine.as_ref(), None),
            (SPINE, Some(&spec.spine), pod),
            (LEAF, Some(&spec.leaf), pod),
            (BORDER, spec.border.as_ref(), None),
        ];
        let names = tiers
            .into_iter()
            .filter_map(|(place, tier, pod)| Some(node_name(&intent.reference.name, pod, place.role, tier?.count)));
        let Some(long) = names.max_by_key(String::len).filter(|name| name.parse::<NodeName>().is_err()) else {
            return false;
        };
        let message = format!("a node would be called `{long}`, with more than 63 characters");
        let finding = Diagnostic::error(codes::LONG_NODE_NAME, message).at(intent.document.span("/metadata/name"));
        self.findings.push(finding.help("shorten the name of the fabric"));
        true
    }

    /// Returns the overrides, and reports those of one node after the first.
    fn overrides(&mut self, intent: &'a Intent<FabricSpec>) -> Overrides<'a> {
        let document = &*intent.document;
        let mut overrides = Overrides::new();
        for (index, entry) in intent.spec.overrides.iter().enumerate() {
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
        overrides
    }

    /// Makes the nodes of a tier, those of each pod apart.
    fn tier(
        &mut self,
        intent: &'a Intent<FabricSpec>,
        place: Place,
        tier: &Tier,
        pods: &[Option<u16>],
        overrides: &mut Overrides<'a>,
    ) -> Vec<Vec<FabricNode<'a>>> {
        let document = &*intent.document;
        let at = format!("/spec/{}", place.key);
        let (pack_at, platform_at) = (format!("{at}/pack"), format!("{at}/platform"));
        let platform = self.platform(document, (&tier.pack, &pack_at), (&tier.platform, &platform_at));
        let profile = self.profile(document, &tier.pack, (tier.os_version.as_ref(), &format!("{at}/os_version")));
        let mut groups = Vec::with_capacity(pods.len());
        for pod in pods {
            let mut nodes = Vec::with_capacity(tier.count.into());
            for number in 1..=tier.count {
                // Names that cannot be were reported for the whole fabric.
                let name = node_name(&intent.reference.name, *pod, place.role, number).parse::<NodeName>();
                let (Ok(name), Ok(role)) = (name, place.role.parse()) else { continue };
                let mut labels: BTreeMap<String, String> =
                    pod.iter().map(|pod| ("pod".to_owned(), format!("p{pod}"))).collect();
                labels.extend(tier.labels.clone());
                let mut node = Node {
                    name,
                    role,
                    fabric: Some(FabricName::from(intent.reference.name.clone())),
                    site: intent.spec.site.clone(),
                    labels,
                    pack: tier.pack.clone(),
                    platform: tier.platform.clone(),
                    profile: profile.clone(),
                    management: None,
                    source: intent.source_at(&at),
                };
                let mut own_platform = platform;
                if let Some((index, entry, used)) = overrides.get_mut(&node.name) {
                    *used = true;
                    let own = format!("/spec/overrides/{index}");
                    node.source = intent.source_at(&own);
                    node.labels.extend(entry.labels.clone());
                    let own_pack_at = format!("{own}/pack");
                    let own_platform_at = format!("{own}/platform");
                    if let Some(pack) = &entry.pack {
                        node.pack = pack.clone();
                    }
                    if let Some(platform) = &entry.platform {
                        node.platform = platform.clone();
                    }
                    if entry.os_version.is_some() || node.pack != tier.pack {
                        let version = (entry.os_version.as_ref(), &*format!("{own}/os_version"));
                        node.profile = self.profile(document, &node.pack, version);
                    }
                    let pack = (&node.pack, if entry.pack.is_some() { &*own_pack_at } else { &*pack_at });
                    // The platform of the tier may not be one of the pack of the override: that is said at the override.
                    let at = if entry.platform.is_some() { &*own_platform_at } else { &*own_pack_at };
                    if entry.pack.is_some() || (entry.platform.is_some() && self.catalogue.contains_key(&tier.pack)) {
                        own_platform = self.platform(document, pack, (&node.platform, at));
                    }
                }
                let name = node.name.clone();
                if self.add(node, Spot::new(document, &*at)) {
                    nodes.push((name, own_platform));
                } else {
                    self.linked = false;
                }
            }
            groups.push(nodes);
        }
        groups
    }

    /// Tells whether the nodes of two tiers have the ports for the links between them, and reports, once for each
    /// platform, the first node that has too few.
    fn enough_ports(
        &mut self,
        intent: &Intent<FabricSpec>,
        (place, above): (Place, &[FabricNode<'a>]),
        below: &[Group<'_, 'a>],
        overrides: &Overrides<'a>,
        told: &mut BTreeSet<Told>,
    ) -> bool {
        let document = &*intent.document;
        let each = usize::from(intent.spec.links_per_pair);
        let by = if each > 1 { format!(", by {each} links each") } else { String::new() };
        let mut enough = true;
        let of_side = |side: fn(Side) -> bool| -> usize {
            below.iter().filter(|group| side(group.side)).map(|group| group.nodes.len()).sum()
        };
        let (first, last) = (of_side(|s| matches!(s, Side::First)), of_side(|s| matches!(s, Side::Last)));
        let has_up = place.key == SPINE.key && intent.spec.super_spine.is_some();
        let fewer_links = if each > 1 { ", or fewer links per pair" } else { "" };
        let mut small = Small::default();
        for (name, platform) in above {
            let Some(ports) = platform.map(|platform| down_ports(platform, has_up).count()) else { continue };
            if ports >= (first + last) * each {
                continue;
            }
            enough = false;
            let span = platform_span(intent, overrides, place, name);
            if !told.insert((place.key, false, (span.line, span.column))) {
                continue;
            }
            let lower = if place.key == SPINE.key { LEAF } else { SPINE };
            let (free, counts, fewer) = if has_up {
                (" that are no uplinks", format!("{first} {}", lower.plural), lower.plural.to_owned())
            } else {
                ("", format!("{first} {} and {last} borders", lower.plural), format!("{} and borders", lower.plural))
            };
            let at = if first * each <= ports { BORDER.key } else { lower.key };
            small.add(
                own_platform(overrides, name).is_some(),
                format!("`{name}` has {ports} ports{free}, and {counts} are to be linked to it{by}"),
                document.span(&format!("/spec/{at}/count")),
                (span, format!("the platform of the {}", place.plural)),
                format!("take a larger platform for the {}, or fewer {fewer}{fewer_links}", place.plural),
            );
        }
        self.findings.extend(small.findings());
        let mut small = Small::default();
        for group in below {
            for (name, platform) in group.nodes {
                let Some(uplinks) = platform.map(|platform| platform.uplinks.len()) else { continue };
                if uplinks >= above.len() * each {
                    continue;
                }
                enough = false;
                let span = platform_span(intent, overrides, group.place, name);
                if !told.insert((group.place.key, true, (span.line, span.column))) {
                    continue;
                }
                let (above, plural) = (above.len(), place.plural);
                small.add(
                    own_platform(overrides, name).is_some(),
                    format!("`{name}` has {uplinks} uplinks, and {above} {plural} are to be linked to it{by}"),
                    document.span(&format!("/spec/{}/count", place.key)),
                    (span, format!("the platform of the {} tier", group.place.role)),
                    format!("take a platform with more uplinks, or fewer {plural}{fewer_links}"),
                );
            }
        }
        self.findings.extend(small.findings());
        enough
    }

    /// Links the nodes of a group to all nodes above them.
    fn uplinks(
        &mut self,
        intent: &'a Intent<FabricSpec>,
        (place, above): (Place, &[FabricNode<'a>]),
        group: &Group<'_, 'a>,
        unfit: &mut Vec<Unfit>,
    ) {
        let pointer = format!("/spec/{}", group.place.key);
        let source = intent.source_at(&pointer);
        let each = usize::from(intent.spec.links_per_pair);
        let has_up = place.key == SPINE.key && intent.spec.super_spine.is_some();
        // The ports of the upper nodes, once for each platform.
        let downs: Vec<Vec<&'a InterfaceName>> = above
            .iter()
            .map(|(_, platform)| platform.map(|platform| down_ports(platform, has_up).collect()).unwrap_or_default())
            .collect();
        for (k, (name, platform)) in group.nodes.iter().enumerate() {
            for (i, (upper_name, upper_platform)) in above.iter().enumerate() {
                for j in 0..each {
                    let at = (group.before + k) * each + j;
                    let lower = platform.and_then(|platform| platform.uplinks.get(i * each + j));
                    let upper = match group.side {
                        Side::First => downs[i].get(at),
                        Side::Last => downs[i].iter().nth_back(at),
                    };
                    let (Some(lower), Some(upper)) = (lower, upper) else {
                        self.linked = false;
                        continue;
                    };
                    let ends = [
                        TerminationPoint { node: name.clone(), interface: lower.clone() },
                        TerminationPoint { node: upper_name.clone(), interface: (*upper).clone() },
                    ];
                    let platforms = [*platform, *upper_platform];
                    let capacity = limits::speeds(&ends, platforms).into_iter().flatten().min();
                    if let Some(wrong) = limits::wrong(&ends, platforms, intent.spec.mtu, None) {
                        unfit.push(Unfit { lower: group.place, upper: place, ends: ends.clone(), wrong });
                    }
                    let link = Link {
                        ends,
                        mtu: intent.spec.mtu,
                        capacity,
                        metric: Link::DEFAULT_METRIC,
                        shared_risks: BTreeSet::new(),
                        source: source.clone(),
                    };
                    self.link(link, [Spot::new(&intent.document, &*pointer), Spot::new(&intent.document, &*pointer)]);
                }
            }
        }
    }

    /// Reports links that their ports cannot be the ends of, once for each override, or pair of tiers, and cause.
    fn unfit(&mut self, intent: &Intent<FabricSpec>, overrides: &Overrides<'a>, unfit: &[Unfit]) {
        let document = &*intent.document;
        let mut groups: BTreeMap<(u8, [SourceSpan; 2]), Vec<&Unfit>> = BTreeMap::new();
        for one in unfit {
            let [lower, upper] = [(one.lower, 0), (one.upper, 1)]
                .map(|(place, end)| platform_span(intent, overrides, place, &one.ends[end].node));
            let is_own = |end: usize| own_platform(overrides, &one.ends[end].node).is_some();
            let key = match &one.wrong {
                // The node that differs from its tier is the one to blame, whatever it is linked to.
                Wrong::Speed(..) if is_own(0) => (0, [lower.clone(), lower]),
                Wrong::Speed(..) if is_own(1) => (0, [upper.clone(), upper]),
                Wrong::Speed(..) | Wrong::Capacity(..) => (0, [lower, upper]),
                Wrong::Mtu(end, ..) => {
                    let port = if *end == 0 { lower } else { upper };
                    // One MTU is one mistake, on however many tiers.
                    let at = if document.has("/spec/mtu") { document.span("/spec/mtu") } else { port };
                    (1, [at.clone(), at])
                }
            };
            groups.entry(key).or_default().push(one);
        }
        for ((_, [at, _]), group) in groups {
            let Some(first) = group.first() else { continue };
            let link = first_of(&format!("{} -- {}", first.ends[0], first.ends[1]), group.len());
            let [lower, upper] = [(first.lower, 0), (first.upper, 1)]
                .map(|(place, end)| (platform_span(intent, overrides, place, &first.ends[end].node), place));
            let (other, place) = match &first.wrong {
                Wrong::Mtu(end, ..) => {
                    if *end == 0 {
                        lower
                    } else {
                        upper
                    }
                }
                Wrong::Speed(..) | Wrong::Capacity(..) => {
                    if at == upper.0 {
                        lower
                    } else {
                        upper
                    }
                }
            };
            let finding = first.wrong.finding(&link);
            let finding = if other == at {
                finding
            } else {
                finding.label(other, format!("the platform of the {}", place.plural))
            };
            self.findings.push(finding.at(at));
        }
    }
}

/// Platforms with too few ports for one count of nodes.
#[derive(Default)]
struct Small {
    /// Of tiers: the count is too large, once for all of them.
    of_tiers: Option<Diagnostic>,
    /// Of nodes with a platform of their own: each is too small, unless the count is too large anyway.
    own: Vec<(Diagnostic, SourceSpan, (SourceSpan, String))>,
}

impl Small {
    fn add(&mut self, own: bool, message: String, count: SourceSpan, platform: (SourceSpan, String), help: String) {
        let finding = Diagnostic::error(codes::TOO_FEW_PORTS, message).help(help);
        if own {
            self.own.push((finding, count, platform));
        } else {
            let finding = self.of_tiers.take().unwrap_or_else(|| finding.at(count));
            self.of_tiers = Some(finding.label(platform.0, platform.1));
        }
    }

    fn findings(self) -> Vec<Diagnostic> {
        match self.of_tiers {
            Some(finding) => {
                vec![self.own.into_iter().fold(finding, |finding, (.., (span, what))| finding.label(span, what))]
            }
            None => self
                .own
                .into_iter()
                .map(|(finding, count, (span, _))| finding.at(span).label(count, "so many are to be linked"))
                .collect(),
        }
    }
}

/// Of which platform too few ports were reported: the tier, whether its uplinks, and the line and column where it is told.
type Told = (&'static str, bool, (u32, u32));

/// Returns the place in the list of the override that gives a node a platform of its own.
fn own_platform(overrides: &Overrides<'_>, name: &NodeName) -> Option<usize> {
    overrides.get(name).filter(|(_, entry, _)| entry.platform.is_some()).map(|(index, ..)| *index)
}

/// Returns where the platform of a node is told: in its override, or in its tier.
fn platform_span(intent: &Intent<FabricSpec>, overrides: &Overrides<'_>, place: Place, name: &NodeName) -> SourceSpan {
    match own_platform(overrides, name) {
        Some(index) => intent.document.span(&format!("/spec/overrides/{index}/platform")),
        None => intent.document.span(&format!("/spec/{}/platform", place.key)),
    }
}

/// A link of a fabric that its ports cannot be the ends of.
struct Unfit {
    lower: Place,
    upper: Place,
    ends: [TerminationPoint; 2],
    wrong: Wrong,
}

/// Returns the ports of a node for those below it: all that it has, but for its uplinks where it has nodes above it.
fn down_ports(platform: &Platform, has_up: bool) -> impl Iterator<Item = &InterfaceName> {
    let uplinks: BTreeSet<&InterfaceName> = if has_up { platform.uplinks.iter().collect() } else { BTreeSet::new() };
    platform.ports.iter().filter(move |port| !uplinks.contains(port))
}

/// Returns the name of a fabric's node; `number` counts from 1.
fn node_name(fabric: &Name, pod: Option<u16>, role: &str, number: u16) -> String {
    match pod {
        Some(pod) => format!("{fabric}-p{pod}-{role}-{number:02}"),
        None => format!("{fabric}-{role}-{number:02}"),
    }
}
