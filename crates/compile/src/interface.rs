//! Compiles interfaces: the loopback, links, host ports, ports towards external neighbors.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
};

use ipnet::IpNet;
use weft_device::config::{Interface, InterfaceAddress, InterfaceKind};
use weft_diagnostics::Diagnostic;
use weft_intent::spec::{AddressPurpose, Addressing, GatewayPosition, Protocol};
use weft_model::{IntentKind, InterfaceName, Link, Mtu, Node, Provenance, Source, TerminationPoint};

use crate::{
    device::{Compiler, caused, not_allocated},
    hosts::gateway,
    pool::Family,
    selection::{SegmentPort, Session},
};

impl Compiler<'_> {
    /// Returns the interfaces of a node. Where two intents claim one port, which validation refuses, the first has it:
    /// links, then segments, then peerings.
    pub(crate) fn interfaces(
        &self,
        node: &Node,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> BTreeMap<InterfaceName, Interface> {
        let mut interfaces = BTreeMap::new();
        let loopbacks: Vec<IpAddr> =
            Family::ALL.into_iter().filter_map(|family| self.allocations.loopback(&node.name, family)).collect();
        if !loopbacks.is_empty() {
            interfaces.insert(InterfaceName::loopback(), self.loopback(node, &loopbacks));
        }
        for link in self.network.links_of(&node.name) {
            if let (Some(near), Some(far)) = (link.near_end(&node.name), link.far_end(&node.name)) {
                interfaces.insert(near.interface.clone(), self.link(node, link, near, far, diagnostics));
            }
        }
        let touching = self.selection.of(&node.name);
        for port in &touching.ports {
            if let Some(interface) = self.host_port(node, port, diagnostics) {
                interfaces.entry(port.interface.clone()).or_insert(interface);
            }
        }
        for session in &touching.sessions {
            let port = external_port(session);
            match interfaces.entry(session.session.port.interface.clone()) {
                Entry::Vacant(free) => drop(free.insert(port)),
                // A neighbor with both address families has a session of each at one port.
                Entry::Occupied(mut taken) if taken.get().description == port.description => {
                    taken.get_mut().addresses.extend(port.addresses);
                }
                Entry::Occupied(_) => {}
            }
        }
        interfaces
    }

    fn loopback(&self, node: &Node, addresses: &[IpAddr]) -> Interface {
        let address = |address: &IpAddr| {
            let pool = self.address_source(AddressPurpose::Loopback, &[node], *address);
            InterfaceAddress { prefix: (*address).into(), provenance: caused(pool, &node.source) }
        };
        Interface {
            kind: InterfaceKind::Loopback,
            description: "router id".to_owned(),
            mtu: None,
            addresses: addresses.iter().map(address).collect(),
            unnumbered: false,
            egress_acl: None,
            provenance: Provenance::from(node.source.clone()),
        }
    }

    fn link(
        &self,
        node: &Node,
        link: &Link,
        near: &TerminationPoint,
        far: &TerminationPoint,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Interface {
        let mut provenance =
            Provenance::from(link.source.clone()).leaf("mtu", self.mtu_source(link).unwrap_or(link.source.clone()));
        let mut addresses = Vec::new();
        let mut unnumbered = false;
        if let Some(underlay) = self.selection.underlay_of(link) {
            let source = underlay.source_at("/spec/addressing");
            match (underlay.spec.addressing, underlay.spec.protocol) {
                (Addressing::Unnumbered, Protocol::Ebgp) => {
                    unnumbered = true;
                    provenance = provenance.leaf("unnumbered", source);
                }
                // OSPFv3 finds its neighbor by itself.
                (Addressing::Unnumbered, Protocol::Ospf) => {}
                (Addressing::Numbered, _) => {
                    for family in Family::ALL.into_iter().filter(|family| family.is_in(underlay.spec.families)) {
                        match self.link_address(link, near, family) {
                            Some(prefix) => {
                                let peer = self.network.node(far.node.as_str());
                                let nodes: Vec<&Node> = [node].into_iter().chain(peer).collect();
                                let pool = self.address_source(AddressPurpose::Link, &nodes, prefix.addr());
                                let provenance = caused(pool, &link.source).and(source.clone());
                                addresses.push(InterfaceAddress { prefix, provenance });
                            }
                            // Once for each link.
                            None if link.ends[0] == *near => {
                                diagnostics.push(not_allocated(&format!("subnet of the link {link}"), node));
                            }
                            None => {}
                        }
                    }
                }
            }
        }
        Interface {
            kind: InterfaceKind::Link { peer: far.clone() },
            description: format!("to {} {}", far.node, far.interface),
            mtu: Some(link.mtu),
            addresses,
            unnumbered,
            egress_acl: None,
            provenance,
        }
    }

    /// Returns the address of an end of a numbered link, with the length of the subnet: the smaller end has the lower one.
    pub(crate) fn link_address(&self, link: &Link, end: &TerminationPoint, family: Family) -> Option<IpNet> {
        let subnet = self.allocations.link(link, family)?;
        let address = if link.ends[0] == *end { subnet.network() } else { subnet.broadcast() };
        IpNet::new(address, subnet.prefix_len()).ok()
    }

    /// Returns the line that sets the MTU of a fabric's links; other links say it themselves.
    fn mtu_source(&self, link: &Link) -> Option<Source> {
        match link.source.intent.kind {
            IntentKind::Fabric => {
                self.intents.fabrics.get(&link.source.intent.name).map(|fabric| fabric.source_at("/spec/mtu"))
            }
            IntentKind::Topology
            | IntentKind::Pools
            | IntentKind::Underlay
            | IntentKind::Segment
            | IntentKind::Peering
            | IntentKind::Tenant
            | IntentKind::Steering
            | IntentKind::Reachability
            | IntentKind::Access
            | IntentKind::Maintenance
            | IntentKind::Baseline
            | IntentKind::Capacity => None,
        }
    }

    fn host_port(&self, node: &Node, port: &SegmentPort<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Interface> {
        let segment = port.segment;
        let name = &segment.reference.name;
        let point = TerminationPoint { node: node.name.clone(), interface: port.interface.clone() };
        let subnets: Vec<IpNet> = self.allocations.subnets(name, &point).collect();
        let ranges = [Some("/spec"), segment.spec.ipv6.map(|_| "/spec/ipv6")];
        let ranges: Vec<&str> = ranges.into_iter().flatten().collect();
        if subnets.len() < ranges.len() {
            diagnostics.push(not_allocated(&format!("subnet of segment `{name}` on {}", port.interface), node));
            return None;
        }
        let address = |(subnet, range): (&IpNet, &str)| {
            let mut provenance = Provenance::from(segment.source_at(&format!("{range}/prefix")))
                .and(segment.source_at(&format!("{range}/subnet_length")));
            match segment.spec.gateway {
                GatewayPosition::First => {}
                GatewayPosition::Last => provenance = provenance.and(segment.source_at("/spec/gateway")),
            }
            InterfaceAddress { prefix: gateway(subnet, segment.spec.gateway), provenance }
        };
        let mut provenance = Provenance::from(segment.source_at(&format!("/spec/ports/{}", port.selection)))
            .leaf("mtu", segment.source_at("/spec/mtu"));
        let access = self.access_of(port);
        if let Some(access) = access {
            provenance = provenance.leaf("egress_acl", access.source_at("/spec/protect"));
        }
        Some(Interface {
            kind: InterfaceKind::Host,
            description: format!("segment {name}"),
            mtu: Some(segment.spec.mtu),
            addresses: subnets.iter().zip(ranges).map(address).collect(),
            unnumbered: false,
            egress_acl: access.map(|access| access.reference.name.clone()),
            provenance,
        })
    }
}

fn external_port(session: &Session<'_>) -> Interface {
    let peering = session.peering;
    let source = peering.source_at(&session.pointer("address"));
    Interface {
        kind: InterfaceKind::External,
        description: format!("to {} AS {}", peering.reference.name, peering.spec.asn),
        mtu: Some(Mtu::ETHERNET),
        addresses: vec![InterfaceAddress { prefix: session.session.address, provenance: Provenance::from(source) }],
        unnumbered: false,
        egress_acl: None,
        provenance: Provenance::from(peering.source_at(&session.pointer("port"))),
    }
}
