//! Which protocol and which address families each node has by its Underlays.

use std::{collections::HashMap, net::IpAddr};

use weft_model::{IntentKind, Link, NodeName};

use super::{Validation, underlay::UnderlayScope};
use crate::{
    Intent,
    spec::{Protocol, UnderlaySpec},
};

/// The Underlays of the nodes and links.
pub(super) struct Routing<'a> {
    of_node: HashMap<&'a NodeName, Vec<&'a Intent<UnderlaySpec>>>,
    of_link: HashMap<String, &'a Intent<UnderlaySpec>>,
    /// Whether all Underlays could be read.
    whole: bool,
}

impl<'a> Routing<'a> {
    pub(super) fn of(validation: &Validation<'a>, scopes: &[UnderlayScope<'a>]) -> Self {
        let mut routing = Self {
            of_node: HashMap::new(),
            of_link: HashMap::new(),
            whole: validation.whole && validation.has_all(IntentKind::Underlay),
        };
        for scope in scopes {
            for node in &scope.nodes {
                routing.of_node.entry(&node.name).or_default().push(scope.intent);
            }
            for link in &scope.links {
                routing.of_link.insert(link.to_string(), scope.intent);
            }
        }
        routing
    }

    /// Returns the Underlays of a node.
    pub(super) fn of_node(&self, node: &NodeName) -> &[&'a Intent<UnderlaySpec>] {
        self.of_node.get(node).map_or(&[], Vec::as_slice)
    }

    /// Tells whether some Underlay of the node has this protocol.
    pub(super) fn runs(&self, node: &NodeName, protocol: Protocol) -> bool {
        self.of_node(node).iter().any(|underlay| underlay.spec.protocol == protocol)
    }

    /// Returns the protocol on a link, where an Underlay has it.
    pub(super) fn on_link(&self, link: &Link) -> Option<Protocol> {
        self.of_link.get(&link.to_string()).map(|underlay| underlay.spec.protocol)
    }

    /// Tells whether addresses of the family of `address` may be routed at a node: some Underlay of it routes the family,
    /// or it has none and the family is IPv4.
    pub(super) fn routes(&self, node: &NodeName, address: IpAddr) -> bool {
        let underlays = self.of_node(node);
        !self.whole || family(underlays, address) || (underlays.is_empty() && address.is_ipv4())
    }

    /// Tells whether addresses of the family of `address` may be routed anywhere.
    pub(super) fn routes_anywhere(&self, address: IpAddr) -> bool {
        let mut underlays = self.of_node.values();
        !self.whole
            || underlays.any(|underlays| family(underlays, address))
            || (self.of_node.is_empty() && address.is_ipv4())
    }

    /// Tells whether all Underlays could be read.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }
}

fn family(underlays: &[&Intent<UnderlaySpec>], address: IpAddr) -> bool {
    underlays.iter().any(|underlay| {
        let families = underlay.spec.families;
        if address.is_ipv4() { families.ipv4() } else { families.ipv6() }
    })
}

/// Returns the name of an address's family.
pub(super) fn family_name(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}
