//! Compiles Underlay, Segment and Peering intents into the OSPF processes: areas, interfaces, what comes from BGP.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::config::{Action, Area, Ospf, OspfInterface, Seconds};
use weft_intent::{
    Intent,
    spec::{AddressPurpose, AreaKind, OspfArea, OspfSpec, Protocol, UnderlaySpec},
};
use weft_model::{AreaId, InterfaceName, Name, Node, Provenance, Source};

use crate::{
    bgp::{bfd, unicast},
    device::{Compiler, Routing, not_allocated},
    pool::Family,
    selection::Touching,
    statements::{Statements, exactly, name, prefix_sets, within},
};

/// The policy of what goes from BGP into OSPF, and its set.
const POLICY: &str = "bgp-to-ospf";
const SET: &str = "external-routes";
/// The metric of a drained link (RFC 6987 2): it is used where there is no other way.
const LARGEST_METRIC: u16 = u16::MAX;
/// The metric of an interface that has no neighbor.
const PASSIVE_METRIC: u16 = 1;

/// Where something is in OSPF, and the line that says so.
#[derive(Clone)]
struct Place {
    area: AreaId,
    stub: bool,
    source: Source,
}

impl Compiler<'_> {
    /// Returns the OSPF processes of a node, and `None` where no underlay of OSPF selects it.
    pub(crate) fn ospf(&self, node: &Node, routing: &mut Routing) -> Option<Ospf> {
        let touching = self.selection.of(&node.name);
        let underlays: Vec<_> = touching.underlays_of(Protocol::Ospf).collect();
        let first = underlays.first()?;
        if !self.allocations.loopbacks.contains_key(&node.name) && !touching.speaks_bgp() {
            routing.diagnostics.push(not_allocated("loopback", node));
        }
        let router_id = self.router_id(node, &mut routing.diagnostics)?;
        let mut provenance = Provenance {
            sources: underlays.iter().map(|underlay| underlay.source()).collect(),
            leaves: BTreeMap::new(),
        };
        if let Some(pool) = self.address_source(AddressPurpose::Loopback, &[node], router_id.into()) {
            provenance = provenance.leaf("router_id", pool);
        }
        let maximum_paths = underlays.iter().map(|underlay| underlay.spec.maximum_paths).max()?;
        for underlay in underlays.iter().filter(|underlay| underlay.spec.maximum_paths == maximum_paths) {
            provenance = provenance.leaf("maximum_paths", underlay.source_at("/spec/maximum_paths"));
        }
        let has = |family: &Family| underlays.iter().any(|underlay| family.is_in(underlay.spec.families));
        let families = Family::ALL.into_iter().filter(has).map(unicast).collect();

        let mut interfaces = BTreeMap::new();
        let mut areas = BTreeMap::new();
        let mut places: Vec<Place> = Vec::new();
        for link in self.network.links_of(&node.name) {
            let Some(underlay) = self.selection.underlay_of(link) else { continue };
            let (Some(near), Some(far)) = (link.near_end(&node.name), link.far_end(&node.name)) else { continue };
            let Some(peer) = self.network.node(far.node.as_str()) else { continue };
            if underlay.spec.protocol != Protocol::Ospf {
                continue;
            }
            let Some(place) = place(underlay, &[node, peer]) else { continue };
            let drained = self.drained.link_only(link);
            let metric = if drained.is_some() { LARGEST_METRIC } else { link.metric };
            let mut interface = interface(underlay, &place, metric, false);
            interface.provenance = interface.provenance.and(link.source.clone()).leaf("metric", link.source.clone());
            for source in drained.into_iter().flat_map(|drained| &drained.sources) {
                interface.provenance = interface.provenance.leaf("metric", source.clone());
            }
            interfaces.insert(near.interface.clone(), interface);
            places.push(place);
        }
        // What has no neighbor is where most of the network can see it best: in the backbone.
        let home = places.iter().min_by_key(|place| place.area).cloned().or_else(|| place(first, &[node]));
        if let Some(home) = home {
            for name in self.passive(touching) {
                let passive = interface(first, &home, PASSIVE_METRIC, true);
                interfaces.entry(name).or_insert(passive);
            }
            places.push(home);
        }
        for place in places.iter().filter(|place| place.stub) {
            let area = || Area { stub: true, provenance: Provenance::from(place.source.clone()) };
            areas.entry(place.area).or_insert_with(area);
        }
        // Internal BGP tells the other nodes of them.
        let redistribute_bgp = if touching.ibgp().is_none() { external_routes(touching, routing) } else { None };
        if redistribute_bgp.is_some() {
            for session in &touching.sessions {
                provenance = provenance.leaf("redistribute_bgp", session.peering.source_at("/spec/accept/prefixes"));
            }
        }
        let drained = self.drained.node(&node.name);
        for source in drained.into_iter().flat_map(|drained| &drained.sources) {
            provenance = provenance.leaf("maximum_metric", source.clone());
        }
        Some(Ospf {
            router_id,
            families,
            maximum_paths,
            areas,
            interfaces,
            maximum_metric: drained.is_some(),
            redistribute_bgp,
            provenance,
        })
    }

    /// Returns the interfaces that OSPF announces without looking for a neighbor: the loopback and the host ports.
    fn passive(&self, touching: &Touching<'_>) -> BTreeSet<InterfaceName> {
        let ports = touching.ports.iter().map(|port| port.interface.clone());
        ports.chain([InterfaceName::loopback()]).collect()
    }
}

/// Returns the first area that picks all of `nodes`; the backbone where an underlay has no areas.
fn place(underlay: &Intent<UnderlaySpec>, nodes: &[&Node]) -> Option<Place> {
    let areas: &[OspfArea] = underlay.spec.ospf.as_ref().map_or(&[], |ospf| &ospf.areas);
    if areas.is_empty() {
        let source = underlay.source_at("/spec/protocol");
        return Some(Place { area: AreaId::BACKBONE, stub: false, source });
    }
    let index = areas.iter().position(|area| nodes.iter().all(|node| area.select.picks(node)))?;
    let source = underlay.source_at(&format!("/spec/ospf/areas/{index}"));
    Some(Place { area: areas[index].area, stub: areas[index].kind == AreaKind::Stub, source })
}

/// Returns the area of a link, and `None` where no area selects both of its ends.
pub(crate) fn area_of(underlay: &Intent<UnderlaySpec>, nodes: &[&Node]) -> Option<AreaId> {
    place(underlay, nodes).map(|place| place.area)
}

fn interface(underlay: &Intent<UnderlaySpec>, place: &Place, metric: u16, passive: bool) -> OspfInterface {
    let defaults = OspfSpec::default();
    let ospf = underlay.spec.ospf.as_ref().unwrap_or(&defaults);
    let mut provenance = Provenance::from(underlay.source()).leaf("area", place.source.clone());
    if underlay.spec.ospf.is_some() && !passive {
        provenance = provenance
            .leaf("hello", underlay.source_at("/spec/ospf/hello_seconds"))
            .leaf("dead", underlay.source_at("/spec/ospf/dead_seconds"));
    }
    let watched = underlay.spec.bfd.filter(|_| !passive);
    if watched.is_some() {
        provenance = provenance.leaf("bfd", underlay.source_at("/spec/bfd"));
    }
    OspfInterface {
        area: place.area,
        metric,
        passive,
        hello: Seconds(ospf.hello_seconds),
        dead: Seconds(ospf.dead_seconds),
        bfd: watched.map(bfd),
        provenance,
    }
}

/// Defines the policy of what goes from BGP into OSPF, which is what the peerings of the node accept, and returns its name.
fn external_routes(touching: &Touching<'_>, routing: &mut Routing) -> Option<Name> {
    let mut prefixes: Vec<IpNet> = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    for session in &touching.sessions {
        for (index, prefix) in session.peering.spec.accept.prefixes.iter().enumerate() {
            if !prefixes.contains(prefix) {
                prefixes.push(*prefix);
                sources.push(session.peering.source_at(&format!("/spec/accept/prefixes/{index}")));
            }
        }
    }
    let first = Provenance::from(touching.sessions.first()?.peering.source_at("/spec/accept/prefixes"));
    let entries = prefixes.into_iter().zip(sources).map(|(prefix, source)| exactly(prefix, Provenance::from(source)));
    let mut statements = Statements::default();
    for set in prefix_sets(&mut routing.policy, SET, entries, &first) {
        statements.decide(within(set), Action::Accept, &first);
    }
    Some(statements.define(&mut routing.policy, name(POLICY)?))
}
