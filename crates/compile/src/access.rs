//! Compiles Access intents into access lists on the ports towards the hosts that they protect.

use std::collections::BTreeMap;

use ipnet::IpNet;
use weft_device::config::{AclAction, AclEntry, AclSet, IpProtocol};
use weft_intent::{
    Intent,
    spec::{AccessAction, AccessEnd, AccessSpec, TransportProtocol},
};
use weft_model::{IntentRef, Name, Provenance};

use crate::{
    device::Compiler,
    selection::{SegmentPort, Touching},
};

/// The distance between the entries of a list: the custom of most devices.
const STEP: u16 = 10;

impl Compiler<'_> {
    /// Returns the Access intent that protects the segment of a port.
    pub(crate) fn access_of(&self, port: &SegmentPort<'_>) -> Option<&Intent<AccessSpec>> {
        self.selection.protected.get(&port.segment.reference).copied()
    }

    /// Returns the access lists of a node, by the names of their intents.
    pub(crate) fn acl_sets(&self, touching: &Touching<'_>) -> BTreeMap<Name, AclSet> {
        // Many ports have one list.
        let protecting: BTreeMap<&Name, &Intent<AccessSpec>> = (touching.ports.iter())
            .filter_map(|port| self.access_of(port))
            .map(|access| (&access.reference.name, access))
            .collect();
        protecting.into_iter().map(|(name, access)| (name.clone(), self.acl_set(access))).collect()
    }

    fn acl_set(&self, access: &Intent<AccessSpec>) -> AclSet {
        let entries = (1_u16..).zip(&access.spec.rules).enumerate().map(|(index, (number, rule))| {
            let source = access.source_at(&format!("/spec/rules/{index}"));
            let [sources, destinations] = [&rule.from, &rule.to].map(|end| self.prefixes(end));
            AclEntry {
                sequence: number.saturating_mul(STEP),
                name: rule.name.clone(),
                action: action(rule.action),
                sources,
                destinations,
                protocol: flow_protocol(rule.protocol),
                destination_ports: rule.ports.clone(),
                log: rule.log,
                provenance: Provenance::from(source),
            }
        });
        AclSet {
            entries: entries.collect(),
            default_action: action(access.spec.default),
            provenance: Provenance::from(access.source()).leaf("default_action", access.source_at("/spec/default")),
        }
    }

    /// Returns the prefixes of an end of a rule, in order; none for any.
    fn prefixes(&self, end: &AccessEnd) -> Vec<IpNet> {
        match end {
            AccessEnd::Any => Vec::new(),
            AccessEnd::Prefix(prefix) => vec![*prefix],
            AccessEnd::Segment(segment) => self.segment_prefixes(segment),
        }
    }

    /// Returns the ranges of a segment: a list does not change because a port comes or goes.
    fn segment_prefixes(&self, segment: &IntentRef) -> Vec<IpNet> {
        let Some(segment) = self.intents.segments.get(&segment.name) else { return Vec::new() };
        let second = segment.spec.ipv6.map(|ipv6| ipv6.prefix);
        [segment.spec.prefix].into_iter().chain(second).collect()
    }
}

fn action(action: AccessAction) -> AclAction {
    match action {
        AccessAction::Allow => AclAction::Accept,
        AccessAction::Deny => AclAction::Drop,
    }
}

/// Returns the protocol of a flow as devices know it; `None` for any.
pub fn flow_protocol(protocol: TransportProtocol) -> Option<IpProtocol> {
    match protocol {
        TransportProtocol::Any => None,
        TransportProtocol::Tcp => Some(IpProtocol::Tcp),
        TransportProtocol::Udp => Some(IpProtocol::Udp),
        TransportProtocol::Icmp => Some(IpProtocol::Icmp),
    }
}
