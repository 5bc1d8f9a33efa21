//! Prefix sets and routing policies (OpenConfig `routing-policy`).

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use weft_model::{Asn, Community, Name, Provenance};

/// The prefix sets and policies of a device, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoutingPolicy {
    /// Sets of prefixes that policies match.
    pub prefix_sets: BTreeMap<Name, PrefixSet>,
    /// Sets of communities that policies match or remove.
    #[serde(default)]
    pub community_sets: BTreeMap<Name, CommunitySet>,
    /// Policies that BGP neighbors use.
    pub policy_definitions: BTreeMap<Name, PolicyDefinition>,
}

/// A set of prefixes. All are of one address family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixSet {
    /// What is in the set, in order.
    pub prefixes: Vec<PrefixMatch>,
    /// What caused it.
    pub provenance: Provenance,
}

/// Prefixes within `prefix` whose length is in a range; a range of just the prefix's own length is an exact match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixMatch {
    /// The covering prefix, without host bits.
    pub prefix: IpNet,
    /// The least length.
    pub least_length: u8,
    /// The greatest length.
    pub greatest_length: u8,
    /// What caused it.
    pub provenance: Provenance,
}

impl PrefixMatch {
    /// Tells whether `prefix` is in the set.
    pub fn matches(&self, prefix: &IpNet) -> bool {
        self.prefix.contains(prefix) && (self.least_length..=self.greatest_length).contains(&prefix.prefix_len())
    }
}

impl PrefixSet {
    /// Tells whether `prefix` is in the set.
    pub fn contains(&self, prefix: &IpNet) -> bool {
        self.prefixes.iter().any(|entry| entry.matches(prefix))
    }
}

/// A set of communities, all standard ones or all large ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommunitySet {
    /// The communities.
    pub communities: Vec<Community>,
    /// What caused it.
    pub provenance: Provenance,
}

/// A policy: the first statement that matches a route and does not pass it on decides; a route for which none decides is
/// rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDefinition {
    /// The statements in order.
    pub statements: Vec<Statement>,
    /// What caused it.
    pub provenance: Provenance,
}

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its place in the policy, rising; 10, 20, 30 by custom.
    pub sequence: u16,
    /// What a route must be to match.
    pub conditions: Conditions,
    /// What is changed on a route that matches, before `action`.
    #[serde(default)]
    pub transformations: Transformations,
    /// What is done with a route that matches.
    pub action: Action,
    /// What caused it.
    pub provenance: Provenance,
}

/// What a route must be to match: all that is given. An empty condition matches every route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conditions {
    /// The route's prefix is in this set.
    pub prefix_set: Option<Name>,
    /// The route has at least one community of this set.
    #[serde(default)]
    pub community_set: Option<Name>,
}

/// What is changed on a route, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Transformations {
    /// Every community of this set is removed.
    pub remove_communities: Option<Name>,
    /// These communities are added, standard ones and large ones.
    pub add_communities: Vec<Community>,
    /// The local preference becomes this.
    pub local_preference: Option<u32>,
    /// The multi-exit discriminator becomes this.
    pub med: Option<u32>,
    /// This goes before the AS path.
    pub prepend: Option<Prepend>,
}

/// An AS that goes before the AS path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepend {
    /// The AS.
    pub asn: Asn,
    /// How many times, 1 to 10.
    pub times: u8,
}

/// What is done with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is taken.
    Accept,
    /// It is not.
    Reject,
    /// The next statement is asked, about the route as this one changed it.
    Next,
}
