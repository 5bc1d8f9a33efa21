//! Refuses what underlays ask of the nodes they select together and Weft does not carry out.

use std::collections::{BTreeMap, BTreeSet};

use weft_diagnostics::Diagnostic;
use weft_intent::{
    Document, Intent,
    spec::{AreaKind, Direction, PeeringSpec, Protocol, Relationship, Scope, SteeringSpec, UnderlaySpec, Way},
};
use weft_model::{AreaId, Link, Node, NodeName};

use crate::{codes, device::Compiler, ospf::area_of};

impl Compiler<'_> {
    /// Returns an error for each underlay that asks for what no configuration is made of.
    pub(crate) fn underlays(&self) -> Vec<Diagnostic> {
        let mut findings = self.together();
        let of_ospf = self.intents.underlays.values().filter(|underlay| underlay.spec.protocol == Protocol::Ospf);
        for underlay in of_ospf {
            let links: Vec<(&Link, [&Node; 2])> = self.links(underlay);
            findings.extend(self.within_sites(underlay, &links));
            findings.extend(self.peerings_in_stubs(underlay, &links));
            match underlay.spec.ibgp {
                Some(_) => findings.extend(self.exits_of_some(underlay)),
                None => findings.extend(self.exchange_over_ospf(underlay, &links)),
            }
        }
        findings
    }

    /// Returns the links over which an underlay runs.
    fn links<'c>(&'c self, underlay: &Intent<UnderlaySpec>) -> Vec<(&'c Link, [&'c Node; 2])> {
        let runs =
            |link: &&Link| self.selection.underlay_of(link).is_some_and(|other| other.reference == underlay.reference);
        let with_nodes = |link: &'c Link| {
            let end = |index: usize| self.network.node(link.ends[index].node.as_str());
            Some((link, [end(0)?, end(1)?]))
        };
        self.network.links().filter(runs).filter_map(with_nodes).collect()
    }

    /// Returns an error for each two underlays that meet on a node without exchanging routes, with the first such node.
    fn together(&self) -> Vec<Diagnostic> {
        let mut met: BTreeMap<[&str; 2], Diagnostic> = BTreeMap::new();
        for node in self.network.nodes() {
            let underlays = &self.selection.of(&node.name).underlays;
            for (index, first) in underlays.iter().enumerate() {
                for second in &underlays[index + 1..] {
                    let both_ospf = [first, second].iter().all(|underlay| underlay.spec.protocol == Protocol::Ospf);
                    let (what, pointer) = if first.spec.protocol != second.spec.protocol {
                        ("carrying routes between BGP and OSPF of the underlays", "/spec/protocol")
                    } else if both_ospf && first.spec.families != second.spec.families {
                        ("OSPF for other families on some links of a node than on others", "/spec/families")
                    } else {
                        continue;
                    };
                    let message = format!(
                        "{what} `{}` and `{}` on `{}` is not carried out by this version",
                        first.reference.name, second.reference.name, node.name
                    );
                    let finding = || {
                        Diagnostic::error(codes::NOT_COMPILED, message)
                            .at(second.document.key_span(pointer))
                            .label(first.document.key_span(pointer), "the other underlay")
                            .help("let each node be in one of them only")
                    };
                    met.entry([first.reference.name.as_str(), second.reference.name.as_str()]).or_insert_with(finding);
                }
            }
        }
        met.into_values().collect()
    }

    /// OSPF cannot keep a subnet from going to another site.
    fn within_sites(&self, underlay: &Intent<UnderlaySpec>, links: &[(&Link, [&Node; 2])]) -> Vec<Diagnostic> {
        if links.iter().all(|(_, [a, b])| a.site == b.site) {
            return Vec::new();
        }
        let nodes: BTreeSet<&NodeName> = links.iter().flat_map(|(_, nodes)| nodes.map(|node| &node.name)).collect();
        let concerned = self.intents.segments.values().filter(|segment| {
            segment.spec.scope == Scope::Site
                && nodes.iter().any(|node| {
                    let ports = &self.selection.of(node).ports;
                    ports.iter().any(|port| port.segment.reference == segment.reference)
                })
        });
        let finding = |segment: &Intent<weft_intent::spec::SegmentSpec>| {
            let message =
                "keeping a segment within its site is not carried out by this version where OSPF routes between sites";
            Diagnostic::error(codes::NOT_COMPILED, message)
                .at(segment.document.span("/spec/scope"))
                .label(underlay.document.span("/spec/protocol"), "OSPF")
                .help("announce the segment in the whole network, or route by `ebgp`")
        };
        concerned.map(finding).collect()
    }

    /// OSPF carries what is listed and nothing of where it came from: neither all that a neighbor sends, nor a customer's routes to
    /// the neighbors of another node, nor a preference.
    fn exchange_over_ospf(&self, underlay: &Intent<UnderlaySpec>, links: &[(&Link, [&Node; 2])]) -> Vec<Diagnostic> {
        let nodes: BTreeSet<&NodeName> = links.iter().flat_map(|(_, nodes)| nodes.map(|node| &node.name)).collect();
        let borders = |peering: &Intent<PeeringSpec>| -> BTreeSet<&NodeName> {
            let ports = peering.spec.sessions.iter().map(|session| &session.port.node);
            ports.filter_map(|node| nodes.get(node).copied()).collect()
        };
        let concerned: Vec<_> = self.intents.peerings.values().map(|peering| (peering, borders(peering))).collect();
        let all: BTreeSet<&NodeName> = concerned.iter().flat_map(|(_, borders)| borders.iter().copied()).collect();
        let mut findings = Vec::new();
        let mut refuse = |document: &Document, pointer: &str, what: &str, help: &str| {
            let message = format!("{what} is not carried out by this version where OSPF routes between the nodes");
            findings.push(
                Diagnostic::error(codes::NOT_COMPILED, message)
                    .at(document.key_span(pointer))
                    .label(underlay.document.span("/spec/protocol"), "OSPF")
                    .help(help),
            );
        };
        for (peering, borders) in concerned.iter().filter(|(_, borders)| !borders.is_empty()) {
            let accept = &peering.spec.accept;
            if accept.everything {
                let help = "list the prefixes, such as the default route, or route by `ebgp`";
                refuse(&peering.document, "/spec/accept/everything", "taking everything from a neighbor", help);
            }
            if accept.more_specific.is_some() {
                let help = "list the prefixes, or route by `ebgp`";
                refuse(&peering.document, "/spec/accept/more_specific", "taking longer prefixes than listed", help);
            }
            if peering.spec.relationship == Relationship::Customer && borders.len() < all.len() {
                let help = "have all sessions with neighbors on one node, or route by `ebgp`";
                let what = "announcing a customer's routes to the neighbors of other nodes";
                refuse(&peering.document, "/spec/relationship", what, help);
            }
        }
        for steering in self.intents.steerings.values() {
            let of_peering =
                |way: &Way| way.peering.as_ref().and_then(|peering| self.intents.peerings.get(&peering.name));
            let exits = steering.spec.prefer.iter().filter_map(of_peering);
            if steering.spec.direction == Direction::Outbound && exits.flat_map(borders).next().is_some() {
                refuse(&steering.document, "/spec/prefer", "preferring an exit", "route by `ebgp`");
            }
        }
        findings
    }

    /// A local preference goes with a route through the whole AS: there is no exit that only some of its nodes prefer.
    fn exits_of_some(&self, underlay: &Intent<UnderlaySpec>) -> Vec<Diagnostic> {
        let nodes = self.selection.internal.get(&underlay.reference).map_or(&[][..], Vec::as_slice);
        let inside = |way: &Way| {
            let peering = way.peering.as_ref().and_then(|peering| self.intents.peerings.get(&peering.name));
            let mut sessions = peering.into_iter().flat_map(|peering| &peering.spec.sessions);
            sessions.any(|session| nodes.iter().any(|node| node.name == session.port.node))
        };
        let of_some = self.intents.steerings.values().filter(|steering| {
            let spec = &steering.spec;
            spec.direction == Direction::Outbound
                && spec.prefer.iter().any(inside)
                && !nodes.iter().all(|node| spec.from.picks(node))
        });
        let finding = |steering: &Intent<SteeringSpec>| {
            let message =
                "preferring an exit for the traffic of some nodes of an AS is not carried out by this version";
            Diagnostic::error(codes::NOT_COMPILED, message)
                .at(steering.document.key_span("/spec/from"))
                .label(underlay.document.key_span("/spec/ibgp"), "the AS")
                .help("remove `from`, or route by `ebgp`")
        };
        of_some.map(finding).collect()
    }

    /// External routes cannot be brought into a stub area.
    fn peerings_in_stubs(&self, underlay: &Intent<UnderlaySpec>, links: &[(&Link, [&Node; 2])]) -> Vec<Diagnostic> {
        let stubs: BTreeSet<AreaId> = (underlay.spec.ospf.iter().flat_map(|ospf| &ospf.areas))
            .filter(|area| area.kind == AreaKind::Stub)
            .map(|area| area.area)
            .collect();
        let mut areas: BTreeMap<&NodeName, BTreeSet<AreaId>> = BTreeMap::new();
        for (_, nodes) in links {
            if let Some(area) = area_of(underlay, nodes) {
                for node in nodes {
                    areas.entry(&node.name).or_default().insert(area);
                }
            }
        }
        let in_stubs = areas.into_iter().filter(|(_, areas)| areas.is_subset(&stubs)).map(|(node, _)| node);
        let sessions = in_stubs.flat_map(|node| &self.selection.of(node).sessions);
        let finding = |session: &crate::selection::Session<'_>| {
            let message =
                format!("`{}` is in stub areas only, which take no external routes", session.session.port.node);
            Diagnostic::error(codes::NOT_COMPILED, message)
                .at(session.peering.document.span(&session.pointer("port")))
                .label(underlay.document.key_span("/spec/ospf/areas"), "the areas")
                .help("make the area a normal one, or move the session to a node with a link in another area")
        };
        sessions.map(finding).collect()
    }
}
