//! Routing policies, one answer per prefix, shared between devices that say the same.

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use weft_device::config::{Action, RoutingPolicy, Statement};
use weft_model::{Community, Name};

use crate::attributes::{Attributes, Route};

/// A policy of [`Policies`].
pub(crate) type PolicyId = u32;

/// A statement with its sets looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Step {
    /// The prefixes that match, as ranges of lengths; `None` matches every one.
    prefixes: Option<Vec<(IpNet, u8, u8)>>,
    /// A route with one of these matches; `None` matches every one.
    communities: Option<Vec<Community>>,
    remove: Vec<Community>,
    add: Vec<Community>,
    local_preference: Option<u32>,
    med: Option<u32>,
    /// An AS, and how many times.
    prepend: Option<(u32, u8)>,
    /// Whether the route is taken; `None` asks the next step.
    takes: Option<bool>,
}

/// The different policies of a network, each once.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    policies: Vec<Vec<Step>>,
    known: FxHashMap<Vec<Step>, PolicyId>,
}

/// What every policy of a network says about one prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Verdicts {
    /// A bit for each policy that takes every route to the prefix as it is.
    takes: Vec<u64>,
    /// The policies that ask for more than the prefix, or change routes, with the numbers of their steps that speak about the
    /// prefix. A policy that is neither here nor there takes no route.
    programs: Box<[(PolicyId, Box<[u16]>)]>,
}

/// What a policy says about one prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'v> {
    /// It takes no route.
    Rejects,
    /// It takes every route as it is.
    Takes,
    /// It depends on the route, or changes it: [`Policies::apply`].
    Depends(&'v [u16]),
}

impl Policies {
    /// Returns the id of a device's policy; `None` is the policy that takes every route.
    ///
    /// A policy that is not defined rejects every route, and a set that is not defined matches none, as real routers do.
    pub(crate) fn intern(&mut self, name: Option<&Name>, defined: &RoutingPolicy) -> PolicyId {
        let steps: Vec<Step> = match name {
            None => vec![Step {
                prefixes: None,
                communities: None,
                remove: Vec::new(),
                add: Vec::new(),
                local_preference: None,
                med: None,
                prepend: None,
                takes: Some(true),
            }],
            Some(name) => {
                let policy = defined.policy_definitions.get(name);
                policy.into_iter().flat_map(|policy| &policy.statements).map(|s| Step::new(s, defined)).collect()
            }
        };
        if let Some(&id) = self.known.get(&steps) {
            return id;
        }
        let id = self.policies.len() as PolicyId;
        self.policies.push(steps.clone());
        self.known.insert(steps, id);
        id
    }

    /// Returns what every policy says about a prefix, without what needs a community that no policy gives to a route to it.
    pub(crate) fn verdicts(&self, prefix: &IpNet) -> Verdicts {
        let mut takes = vec![0; self.policies.len().div_ceil(64)];
        let mut programs = Vec::new();
        let mut all: Vec<Vec<u16>> = self.policies.iter().map(|policy| program(policy, prefix)).collect();
        self.leave_out_unmarked(&mut all);
        for (id, (policy, program)) in self.policies.iter().zip(all).enumerate() {
            match program[..] {
                [only] if policy[usize::from(only)].takes_all() => takes[id / 64] |= 1 << (id % 64),
                _ if program.iter().any(|&step| policy[usize::from(step)].takes == Some(true)) => {
                    programs.push((id as PolicyId, program.into()));
                }
                _ => {}
            }
        }
        Verdicts { takes, programs: programs.into() }
    }

    /// Takes those steps away that ask for communities which no route has: routes start with none, and steps add them.
    fn leave_out_unmarked(&self, programs: &mut [Vec<u16>]) {
        let mut carried = FxHashSet::default();
        loop {
            let before = carried.len();
            for (policy, program) in self.policies.iter().zip(programs.iter()) {
                for step in program.iter().map(|&step| &policy[usize::from(step)]) {
                    if step.may_match(&carried) {
                        carried.extend(&step.add);
                    }
                }
            }
            if carried.len() == before {
                break;
            }
        }
        for (policy, program) in self.policies.iter().zip(programs) {
            program.retain(|&step| policy[usize::from(step)].may_match(&carried));
        }
    }

    /// Returns the route as a policy takes it, if it does.
    pub(crate) fn apply(
        &self,
        policy: PolicyId,
        program: &[u16],
        mut route: Route,
        attributes: &mut Attributes<'_>,
    ) -> Option<Route> {
        for &step in program {
            let step = &self.policies[policy as usize][usize::from(step)];
            if step.communities.as_ref().is_some_and(|some| !attributes.has_any(route.communities, some)) {
                continue;
            }
            if step.takes == Some(false) {
                return None;
            }
            route.communities = attributes.changed(route.communities, &step.remove, &step.add);
            route.local_preference = step.local_preference.unwrap_or(route.local_preference);
            route.med = step.med.unwrap_or(route.med);
            if let Some((asn, times)) = step.prepend {
                for _ in 0..times {
                    route.path = attributes.prepend(asn, route.path);
                }
            }
            if step.takes == Some(true) {
                return Some(route);
            }
        }
        None
    }

    /// Returns the ASes that a policy puts before paths.
    pub(crate) fn prepended(&self, policy: PolicyId) -> impl Iterator<Item = u32> {
        self.policies[policy as usize].iter().filter_map(|step| step.prepend.map(|(asn, _)| asn))
    }

    /// Tells whether the more a route to the prefix has passed, the less it is liked, whatever policies do on the way: none gives it a
    /// local preference, and one that is marked as about to go away stays so.
    pub(crate) fn keep_order(&self, verdicts: &Verdicts) -> bool {
        let marks = |step: &Step| step.add.contains(&Community::GRACEFUL_SHUTDOWN);
        let washes = |step: &Step| step.remove.contains(&Community::GRACEFUL_SHUTDOWN);
        let prefers = self.any(verdicts, |step| step.local_preference.is_some());
        let returns = self.any(verdicts, marks) && self.any(verdicts, washes);
        !prefers && !returns
    }

    /// Tells whether some policy gives a route to the prefix a MED.
    pub(crate) fn set_meds(&self, verdicts: &Verdicts) -> bool {
        self.any(verdicts, |step| step.med.is_some())
    }

    fn any(&self, verdicts: &Verdicts, holds: impl Fn(&Step) -> bool) -> bool {
        verdicts.programs.iter().any(|(policy, program)| {
            program.iter().any(|&step| holds(&self.policies[*policy as usize][usize::from(step)]))
        })
    }
}

impl Step {
    fn new(statement: &Statement, defined: &RoutingPolicy) -> Self {
        let set = |name: &Name| defined.community_sets.get(name).map(|set| set.communities.clone()).unwrap_or_default();
        let conditions = &statement.conditions;
        let changes = &statement.transformations;
        let prefixes = conditions.prefix_set.as_ref().map(|set| {
            let entries = defined.prefix_sets.get(set).into_iter().flat_map(|set| &set.prefixes);
            entries.map(|entry| (entry.prefix, entry.least_length, entry.greatest_length)).collect()
        });
        Self {
            prefixes,
            communities: conditions.community_set.as_ref().map(set),
            remove: changes.remove_communities.as_ref().map(set).unwrap_or_default(),
            add: changes.add_communities.clone(),
            local_preference: changes.local_preference,
            med: changes.med,
            prepend: changes.prepend.map(|prepend| (prepend.asn.get(), prepend.times)),
            takes: match statement.action {
                Action::Accept => Some(true),
                Action::Reject => Some(false),
                Action::Next => None,
            },
        }
    }

    fn changes_nothing(&self) -> bool {
        self.remove.is_empty()
            && self.add.is_empty()
            && self.local_preference.is_none()
            && self.med.is_none()
            && self.prepend.is_none()
    }

    /// Tells whether the step takes every route to a prefix that it speaks about as it is.
    fn takes_all(&self) -> bool {
        self.takes == Some(true) && self.communities.is_none() && self.changes_nothing()
    }

    /// Tells whether the step matches a route that has at most these communities.
    fn may_match(&self, carried: &FxHashSet<Community>) -> bool {
        self.communities.as_ref().is_none_or(|some| some.iter().any(|community| carried.contains(community)))
    }

    fn matches(&self, prefix: &IpNet) -> bool {
        let within = |(covering, least, greatest): &(IpNet, u8, u8)| {
            covering.contains(prefix) && (*least..=*greatest).contains(&prefix.prefix_len())
        };
        self.prefixes.as_ref().is_none_or(|prefixes| prefixes.iter().any(within))
    }
}

/// Returns the steps that a route to a prefix may come to: those that speak about the prefix, up to the first that decides
/// whatever the route is.
fn program(policy: &[Step], prefix: &IpNet) -> Vec<u16> {
    let mut program = Vec::new();
    for (number, step) in policy.iter().enumerate().filter(|(_, step)| step.matches(prefix)) {
        if step.takes.is_none() && step.changes_nothing() {
            continue;
        }
        program.push(number as u16);
        if step.takes.is_some() && step.communities.is_none() {
            break;
        }
    }
    program
}

impl Verdicts {
    /// Returns what a policy says about routes to the prefix.
    pub(crate) fn of(&self, policy: PolicyId) -> Verdict<'_> {
        if self.takes[policy as usize / 64] >> (policy % 64) & 1 == 1 {
            return Verdict::Takes;
        }
        match self.programs.binary_search_by_key(&policy, |(policy, _)| *policy) {
            Ok(index) => Verdict::Depends(&self.programs[index].1),
            Err(_) => Verdict::Rejects,
        }
    }

    /// Tells whether a policy takes some route to the prefix.
    pub(crate) fn may_take(&self, policy: PolicyId) -> bool {
        self.of(policy) != Verdict::Rejects
    }
}
