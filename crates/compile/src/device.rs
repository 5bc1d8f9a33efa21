//! Compiles the whole configuration of a device.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use jiff::Timestamp;
use rayon::prelude::*;
use weft_device::config::{DeviceConfig, RoutingPolicy, StaticNextHop, StaticRoute};
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_intent::{
    IntentSet,
    spec::{AddressPool, AddressPurpose, AsnPool},
};
use weft_model::{Asn, Network, Node, NodeName, Provenance, Source};

use crate::{
    Allocations,
    allocate::{PoolSpec, address_pools, asn_pools},
    codes,
    maintenance::Drained,
    pool::Family,
    refusals::refusals,
    selection::Selection,
    steering::Steerings,
};

/// Returns the configuration of every node, and what keeps one from being complete.
///
/// Every node has a loopback `lo` where one is allocated, an interface for each of its links, segment ports and peering
/// sessions, and the services of the baselines that select it. A node that an underlay selects runs its protocol, and one that
/// has a peering runs BGP. What Maintenance intents drain at the time `now` is drained. The same input gives the same output;
/// each device depends on itself, its neighbors and the intents that touch them.
pub fn compile(
    intents: &IntentSet,
    network: &Network,
    allocations: &Allocations,
    now: Timestamp,
) -> (BTreeMap<NodeName, DeviceConfig>, Vec<Diagnostic>) {
    let (drained, mut diagnostics) = Drained::new(intents, network, now);
    let (steerings, findings) = Steerings::new(intents, network, allocations);
    diagnostics.extend(findings);
    let compiler = Compiler {
        intents,
        network,
        allocations,
        selection: Selection::new(intents, network),
        drained,
        steerings,
        addresses: address_pools(intents),
        asns: asn_pools(intents),
    };
    let nodes: Vec<&Node> = network.nodes().collect();
    let compiled: Vec<(DeviceConfig, Vec<Diagnostic>)> = nodes.par_iter().map(|node| compiler.device(node)).collect();
    diagnostics.extend(compiler.peering_names());
    diagnostics.extend(refusals(intents));
    diagnostics.extend(compiler.underlays());
    let mut configs = BTreeMap::new();
    for (config, findings) in compiled {
        diagnostics.extend(findings);
        configs.insert(config.device.clone(), config);
    }
    diagnostics.sort();
    diagnostics.dedup();
    (configs, diagnostics)
}

/// What the compilation of every device reads.
pub(crate) struct Compiler<'a> {
    pub(crate) intents: &'a IntentSet,
    pub(crate) network: &'a Network,
    pub(crate) allocations: &'a Allocations,
    pub(crate) selection: Selection<'a>,
    pub(crate) drained: Drained,
    pub(crate) steerings: Steerings<'a>,
    addresses: Vec<PoolSpec<'a, AddressPool>>,
    asns: Vec<PoolSpec<'a, AsnPool>>,
}

/// The routing parts of a device while they are put together.
#[derive(Default)]
pub(crate) struct Routing {
    pub(crate) policy: RoutingPolicy,
    pub(crate) static_routes: BTreeMap<IpNet, StaticRoute>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn device(&self, node: &Node) -> (DeviceConfig, Vec<Diagnostic>) {
        let mut routing = Routing::default();
        let interfaces = self.interfaces(node, &mut routing.diagnostics);
        let bgp = self.bgp(node, &mut routing);
        let ospf = self.ospf(node, &mut routing);
        let config = DeviceConfig {
            device: node.name.clone(),
            pack: node.pack.clone(),
            profile: node.profile.clone(),
            system: self.system(node),
            interfaces,
            routing_policy: routing.policy,
            static_routes: routing.static_routes,
            bgp,
            ospf,
            acl_sets: self.acl_sets(self.selection.of(&node.name)),
        };
        (config, routing.diagnostics)
    }

    /// Returns the source that names the pool which covers an address of all of `nodes`.
    pub(crate) fn address_source(&self, purpose: AddressPurpose, nodes: &[&Node], address: IpAddr) -> Option<Source> {
        let covers = |pool: &&PoolSpec<'_, AddressPool>| {
            pool.spec.purpose == purpose
                && pool.spec.prefix.contains(&address)
                && nodes.iter().all(|node| pool.spec.select.picks(node))
        };
        self.addresses.iter().find(covers).map(|pool| pool.source("prefix"))
    }

    /// Returns the source that names the AS number of a node: its internal BGP, or the pool which covers it.
    pub(crate) fn asn_source(&self, node: &Node, asn: Asn) -> Option<Source> {
        if let Some((underlay, _)) = self.selection.of(&node.name).ibgp() {
            return Some(underlay.source_at("/spec/ibgp/asn"));
        }
        let covers = |pool: &&PoolSpec<'_, AsnPool>| {
            (pool.spec.range.first..=pool.spec.range.last).contains(&asn) && pool.spec.select.picks(node)
        };
        self.asns.iter().find(covers).map(|pool| pool.source("range"))
    }

    /// Returns the router id of a node: its loopback.
    pub(crate) fn router_id(&self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Ipv4Addr> {
        let address = |family| self.allocations.loopback(&node.name, family);
        match address(Family::Ipv4).or_else(|| address(Family::Ipv6))? {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(address) => {
                let message = format!("the loopback {address} of `{}` is no router id", node.name);
                let source = self.address_source(AddressPurpose::Loopback, &[node], IpAddr::V6(address));
                diagnostics.push(
                    Diagnostic::error(codes::ROUTER_ID_NOT_IPV4, message)
                        .at(place(source.as_ref().unwrap_or(&node.source)))
                        .help("give the node a loopback pool with an IPv4 prefix"),
                );
                None
            }
        }
    }

    /// Returns an error for each peering whose router would have the name of a node.
    fn peering_names(&self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (name, peering) in &self.intents.peerings {
            if let Some(node) = self.network.node(name.as_str()) {
                let message = format!("the peering `{name}` has the name of a node");
                diagnostics.push(
                    Diagnostic::error(codes::PEERING_NAMED_LIKE_NODE, message)
                        .at(peering.document.span("/metadata/name"))
                        .label(place(&node.source), "the node")
                        .help("rename the peering"),
                );
            }
        }
        diagnostics
    }
}

/// Returns the finding that the allocations lack `what` of `node`.
pub(crate) fn not_allocated(what: &str, node: &Node) -> Diagnostic {
    Diagnostic::error(codes::NOT_ALLOCATED, format!("the allocations hold no {what} for `{}`", node.name))
        .at(place(&node.source))
        .help("update the lock file from the intents, and commit it with them")
}

/// Returns the static route that keeps an aggregate announced.
pub(crate) fn discard(provenance: Provenance) -> StaticRoute {
    StaticRoute { next_hop: StaticNextHop::Discard, provenance }
}

/// Returns the provenance of what the first source that is known caused.
pub(crate) fn caused(source: Option<Source>, otherwise: &Source) -> Provenance {
    Provenance::from(source.unwrap_or_else(|| otherwise.clone()))
}

fn place(source: &Source) -> SourceSpan {
    SourceSpan::point(source.file.clone(), source.line, 1)
}
