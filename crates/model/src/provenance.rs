//! Which intent caused a thing, and where that intent says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::Name;

/// The kinds of intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentKind {
    /// A Clos fabric.
    Fabric,
    /// Explicit nodes and links.
    Topology,
    /// Ranges of addresses and numbers, and what they are for.
    Pools,
    /// Routing between the nodes.
    Underlay,
    /// Subnets on host ports.
    Segment,
    /// A network of its own, stretched over the nodes.
    Tenant,
    /// An external BGP neighbor.
    Peering,
    /// Which way traffic prefers.
    Steering,
    /// What must reach what, and what must never.
    Reachability,
    /// Who may talk to whom.
    Access,
    /// What is drained.
    Maintenance,
    /// Services every device has: NTP, DNS, users.
    Baseline,
    /// Demands, and how full links may be.
    Capacity,
}

impl IntentKind {
    /// All kinds, in the order of the reference.
    pub const ALL: [Self; 13] = [
        Self::Fabric,
        Self::Topology,
        Self::Pools,
        Self::Underlay,
        Self::Segment,
        Self::Tenant,
        Self::Peering,
        Self::Steering,
        Self::Reachability,
        Self::Access,
        Self::Maintenance,
        Self::Baseline,
        Self::Capacity,
    ];

    /// Returns the kind as it stands behind `kind:`, such as `Fabric`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Fabric => "Fabric",
            Self::Topology => "Topology",
            Self::Pools => "Pools",
            Self::Underlay => "Underlay",
            Self::Segment => "Segment",
            Self::Tenant => "Tenant",
            Self::Peering => "Peering",
            Self::Steering => "Steering",
            Self::Reachability => "Reachability",
            Self::Access => "Access",
            Self::Maintenance => "Maintenance",
            Self::Baseline => "Baseline",
            Self::Capacity => "Capacity",
        }
    }

    /// Returns the kind as it stands in a reference, such as `fabric`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fabric => "fabric",
            Self::Topology => "topology",
            Self::Pools => "pools",
            Self::Underlay => "underlay",
            Self::Segment => "segment",
            Self::Tenant => "tenant",
            Self::Peering => "peering",
            Self::Steering => "steering",
            Self::Reachability => "reachability",
            Self::Access => "access",
            Self::Maintenance => "maintenance",
            Self::Baseline => "baseline",
            Self::Capacity => "capacity",
        }
    }

    /// Returns what intents of the kind are for, in one line.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Fabric => "Nodes and links of a Clos fabric, from a few counts",
            Self::Topology => "Nodes and links written out one by one",
            Self::Pools => "Where addresses, AS numbers, VLANs and VNIs come from",
            Self::Underlay => "Routing between the nodes: eBGP or OSPF, IPv4 and IPv6",
            Self::Segment => "Hosts of one kind: their ports, subnets and gateways",
            Self::Tenant => "A network of its own, with segments stretched over EVPN",
            Self::Peering => "Somebody else's network, and what is exchanged with it",
            Self::Steering => "Which exits, nodes or links traffic prefers, in order",
            Self::Reachability => "What must reach what, and what must never",
            Self::Access => "Which flows may pass to the hosts of a segment",
            Self::Maintenance => "Nodes and links that traffic is to leave before they are touched",
            Self::Baseline => "Services and accounts that every device has",
            Self::Capacity => "How much traffic there is, and how full links may be",
        }
    }
}

/// A reference to an intent: `kind/name`, such as `segment/web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IntentRef {
    /// The kind.
    pub kind: IntentKind,
    /// The name.
    pub name: Name,
}

/// Why a text is not a reference to an intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a reference to an intent: write `kind/name`, such as `segment/web`", .0.escape_debug())]
pub struct InvalidIntentRef(String);

impl FromStr for IntentRef {
    type Err = InvalidIntentRef;

    fn from_str(text: &str) -> Result<Self, InvalidIntentRef> {
        let fail = || InvalidIntentRef(text.chars().take(120).collect());
        let (kind, name) = text.split_once('/').ok_or_else(fail)?;
        let kind = IntentKind::ALL.into_iter().find(|k| k.as_str() == kind).ok_or_else(fail)?;
        Ok(Self { kind, name: name.parse().map_err(|_| fail())? })
    }
}

impl TryFrom<String> for IntentRef {
    type Error = InvalidIntentRef;

    fn try_from(text: String) -> Result<Self, InvalidIntentRef> {
        text.parse()
    }
}

impl From<IntentRef> for String {
    fn from(reference: IntentRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for IntentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

/// An intent, and the line of it that caused a thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The intent.
    pub intent: IntentRef,
    /// The file that holds the intent, relative to the project.
    pub file: Arc<str>,
    /// The line in the file, from 1.
    pub line: u32,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.intent, self.file, self.line)
    }
}

/// All that caused a thing, in order.
pub type Sources = BTreeSet<Source>;

/// What caused an element of a device's configuration, and those of its leaves that something else caused.
///
/// Every leaf has its sources: its own where they were set apart, else those of the element that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// What caused the element.
    pub sources: Sources,
    /// Leaves with sources of their own, by field name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leaves: BTreeMap<String, Sources>,
}

impl Provenance {
    /// Returns the provenance of an element that `source` caused.
    pub fn from(source: Source) -> Self {
        Self { sources: [source].into(), leaves: BTreeMap::new() }
    }

    /// Adds a source to the element.
    #[must_use]
    pub fn and(mut self, source: Source) -> Self {
        self.sources.insert(source);
        self
    }

    /// Adds a source to the leaf `field`, which from then on no longer takes those of the element.
    #[must_use]
    pub fn leaf(mut self, field: &str, source: Source) -> Self {
        self.leaves.entry(field.to_owned()).or_default().insert(source);
        self
    }

    /// Returns the sources of the leaf `field`.
    pub fn of(&self, field: &str) -> &Sources {
        self.leaves.get(field).unwrap_or(&self.sources)
    }

    /// Returns every source of the element and of its leaves.
    pub fn all(&self) -> Sources {
        self.leaves.values().flatten().chain(&self.sources).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_as_it_was_written() {
        assert_eq!("segment/web".parse::<IntentRef>().unwrap().to_string(), "segment/web");
        for bad in ["segment", "segments/web", "segment/", "Segment/web"] {
            assert!(bad.parse::<IntentRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_leaf_without_sources_of_its_own_has_those_of_its_element() {
        let source = |line| Source { intent: "fabric/b1".parse().unwrap(), file: "f.yaml".into(), line };
        let provenance = Provenance::from(source(1)).leaf("mtu", source(2));
        assert_eq!(provenance.of("description"), &[source(1)].into());
        assert_eq!(provenance.of("mtu"), &[source(2)].into());
    }
}
