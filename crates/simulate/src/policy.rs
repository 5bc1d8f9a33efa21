//! Routing policies, one answer per prefix, shared between devices that say the same.

use std::collections::HashMap;

use ipnet::IpNet;
use weft_device::config::{Action, RoutingPolicy};
use weft_model::Name;

/// A policy of [`Policies`].
pub(crate) type PolicyId = u32;

/// A statement with its prefix set looked up: `None` matches every route.
type ResolvedStatement = (Option<Vec<(IpNet, u8, u8)>>, bool);

/// The different policies of a network, each once.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    policies: Vec<Vec<ResolvedStatement>>,
    known: HashMap<Vec<ResolvedStatement>, PolicyId>,
}

/// What every policy of a network says about one prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Verdicts(Vec<u64>);

impl Policies {
    /// Returns the id of a device's policy; `None` is the policy that takes every route.
    ///
    /// A policy that is not defined rejects every route, and a prefix set that is not defined matches none, as real
    /// routers do.
    pub(crate) fn intern(&mut self, name: Option<&Name>, defined: &RoutingPolicy) -> PolicyId {
        let statements: Vec<ResolvedStatement> = match name {
            None => vec![(None, true)],
            Some(name) => defined
                .policy_definitions
                .get(name)
                .into_iter()
                .flat_map(|policy| &policy.statements)
                .map(|statement| {
                    let entries = statement.conditions.prefix_set.as_ref().map(|set| {
                        defined
                            .prefix_sets
                            .get(set)
                            .into_iter()
                            .flat_map(|set| &set.prefixes)
                            .map(|entry| (entry.prefix, entry.least_length, entry.greatest_length))
                            .collect()
                    });
                    (entries, statement.action == Action::Accept)
                })
                .collect(),
        };
        if let Some(&id) = self.known.get(&statements) {
            return id;
        }
        let id = self.policies.len() as PolicyId;
        self.policies.push(statements.clone());
        self.known.insert(statements, id);
        id
    }

    /// Returns what every policy says about a prefix.
    pub(crate) fn verdicts(&self, prefix: &IpNet) -> Verdicts {
        let mut words = vec![0; self.policies.len().div_ceil(64)];
        for (id, policy) in self.policies.iter().enumerate() {
            let verdict = policy.iter().find(|(set, _)| set.as_ref().is_none_or(|set| contains(set, prefix)));
            if verdict.is_some_and(|&(_, accepts)| accepts) {
                words[id / 64] |= 1 << (id % 64);
            }
        }
        Verdicts(words)
    }
}

impl Verdicts {
    /// Tells whether a policy takes the prefix.
    pub(crate) fn accepts(&self, policy: PolicyId) -> bool {
        self.0[policy as usize / 64] >> (policy % 64) & 1 == 1
    }
}

fn contains(set: &[(IpNet, u8, u8)], prefix: &IpNet) -> bool {
    set.iter().any(|(covering, least, greatest)| {
        covering.contains(prefix) && (*least..=*greatest).contains(&prefix.prefix_len())
    })
}
