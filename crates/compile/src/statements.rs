//! Builds policies statement by statement, and sets by address family.

use std::net::IpAddr;

use ipnet::IpNet;
use weft_device::config::{
    Action, CommunitySet, Conditions, PolicyDefinition, PrefixMatch, PrefixSet, RoutingPolicy, Statement,
    Transformations,
};
use weft_model::{Community, Name, Provenance, Source};

/// The longest word that a name of an intent gets behind it.
pub(crate) const LONGEST_SUFFIX: usize = "-announce-v6".len();

/// The number of what comes before all other statements, whose numbers do not move when it comes and goes.
const FIRST: u16 = 5;

/// A policy while it is put together; its statements are numbered 10, 20, 30.
#[derive(Default)]
pub(crate) struct Statements(Vec<Statement>);

impl Statements {
    /// Adds a statement without transformations.
    pub(crate) fn decide(&mut self, conditions: Conditions, action: Action, provenance: &Provenance) {
        self.add(conditions, Transformations::default(), action, provenance);
    }

    /// Adds a statement.
    pub(crate) fn add(
        &mut self,
        conditions: Conditions,
        transformations: Transformations,
        action: Action,
        provenance: &Provenance,
    ) {
        let last = self.0.last().map_or(0, |statement| statement.sequence / 10 * 10);
        // Every statement comes from something that was written by hand: there are never so many.
        let sequence = last.saturating_add(10);
        self.0.push(Statement { sequence, conditions, transformations, action, provenance: provenance.clone() });
    }

    /// Adds a statement before all others, that passes routes on.
    pub(crate) fn begin(&mut self, transformations: Transformations, provenance: &Provenance) {
        let statement = Statement {
            sequence: FIRST,
            conditions: Conditions::default(),
            transformations,
            action: Action::Next,
            provenance: provenance.clone(),
        };
        self.0.insert(0, statement);
    }

    /// Returns what causes the statements.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().flat_map(|statement| &statement.provenance.sources)
    }

    /// Defines the policy, which the sources of all statements cause.
    pub(crate) fn define(self, policy: &mut RoutingPolicy, name: Name) -> Name {
        let sources = self.0.iter().flat_map(|statement| statement.provenance.sources.iter().cloned()).collect();
        let provenance = Provenance { sources, ..Provenance::default() };
        policy.policy_definitions.insert(name.clone(), PolicyDefinition { statements: self.0, provenance });
        name
    }
}

/// Returns the condition that a route is in a prefix set.
pub(crate) fn within(prefix_set: Name) -> Conditions {
    Conditions { prefix_set: Some(prefix_set), community_set: None }
}

/// Returns the condition that a route has a community of a set.
pub(crate) fn having(community_set: Name) -> Conditions {
    Conditions { prefix_set: None, community_set: Some(community_set) }
}

/// Defines the set of `entries`, in two where they are of both families, and returns the names. Each prefix is there once.
/// Devices differ in what an empty prefix set matches, so there never is one.
pub(crate) fn prefix_sets(
    policy: &mut RoutingPolicy,
    name: &str,
    entries: impl IntoIterator<Item = PrefixMatch>,
    provenance: &Provenance,
) -> Vec<Name> {
    let (mut ipv4, mut ipv6): (Vec<PrefixMatch>, Vec<PrefixMatch>) = (Vec::new(), Vec::new());
    for entry in entries {
        let family = if entry.prefix.addr().is_ipv4() { &mut ipv4 } else { &mut ipv6 };
        let same = |other: &PrefixMatch| {
            (other.prefix, other.least_length, other.greatest_length)
                == (entry.prefix, entry.least_length, entry.greatest_length)
        };
        match family.iter_mut().find(|other| same(other)) {
            Some(known) => known.provenance.sources.extend(entry.provenance.sources),
            None => family.push(entry),
        }
    }
    let mut names = Vec::new();
    for (prefixes, suffix) in [(ipv4, ""), (ipv6, "-v6")] {
        if let Some(name) = self::name(&format!("{name}{suffix}")).filter(|_| !prefixes.is_empty()) {
            // What several intents need is there once, for all of them.
            let mut provenance = provenance.clone();
            provenance
                .sources
                .extend(policy.prefix_sets.remove(&name).into_iter().flat_map(|set| set.provenance.sources));
            policy.prefix_sets.insert(name.clone(), PrefixSet { prefixes, provenance });
            names.push(name);
        }
    }
    names
}

/// Defines a set of communities.
pub(crate) fn community_set(
    policy: &mut RoutingPolicy,
    name: Name,
    communities: Vec<Community>,
    provenance: Provenance,
) -> Name {
    policy.community_sets.insert(name.clone(), CommunitySet { communities, provenance });
    name
}

/// Returns the entry of a prefix and nothing within it.
pub(crate) fn exactly(prefix: IpNet, provenance: Provenance) -> PrefixMatch {
    lengths(prefix, prefix.prefix_len(), prefix.prefix_len(), provenance)
}

/// Returns the entry of a prefix and all within it.
pub(crate) fn all_within(prefix: IpNet, provenance: Provenance) -> PrefixMatch {
    lengths(prefix, prefix.prefix_len(), prefix.max_prefix_len(), provenance)
}

/// Returns the entry of the prefixes within `prefix` that have these lengths.
pub(crate) fn lengths(prefix: IpNet, least: u8, greatest: u8, provenance: Provenance) -> PrefixMatch {
    PrefixMatch { prefix: prefix.trunc(), least_length: least, greatest_length: greatest, provenance }
}

/// Returns the default route of the family of `address`.
pub(crate) fn default_route(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

/// Returns a name, or `None` when it is too long.
pub(crate) fn name(text: &str) -> Option<Name> {
    text.parse().ok()
}
