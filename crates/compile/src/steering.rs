//! What Steering intents come to: ranks, local preferences, MEDs and longer AS paths.

use std::collections::BTreeSet;

use weft_device::config::{Action, Conditions, PrefixMatch, Prepend, RoutingPolicy, Transformations};
use weft_diagnostics::Diagnostic;
use weft_intent::{
    Intent, IntentSet,
    spec::{Direction, SteeringMethod, SteeringSpec, Way},
};
use weft_model::{Asn, Community, IntentRef, Link, Name, Network, Node, NodeName, Provenance, TerminationPoint};

use crate::{
    Allocations, codes, marks,
    statements::{LONGEST_SUFFIX, Statements, community_set, exactly, having, name, prefix_sets},
};

/// A route that came the way at position `p`, from 1, has the local preference of this less `p`. Others have 100.
const PREFERENCE: u32 = 300;
/// The MED of the way at position `p` is so much times `p`.
const MED_STEP: u32 = 10;
/// For each position behind the first, the AS is so many times more in the path.
const PREPEND_STEP: usize = 2;
/// The most times that an AS is prepended.
const MOST_PREPENDED: usize = 10;

/// The Steering intents, resolved.
#[derive(Default)]
pub(crate) struct Steerings<'a> {
    /// Those that prefer exits, by name: the place is the number in the ranks.
    exits: Vec<&'a Intent<SteeringSpec>>,
    /// Those that prefer links or nodes within the network.
    inner: Vec<&'a Intent<SteeringSpec>>,
    inbound: Vec<(&'a Intent<SteeringSpec>, InboundMethod)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InboundMethod {
    Med,
    Prepend,
}

/// What kind of way a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WayKind {
    Peering,
    Link,
    Node,
}

fn kind(way: &Way) -> WayKind {
    match (&way.peering, &way.link) {
        (Some(_), _) => WayKind::Peering,
        (None, Some(_)) => WayKind::Link,
        (None, None) => WayKind::Node,
    }
}

impl<'a> Steerings<'a> {
    /// Resolves the intents, and finds those that cannot be carried out.
    pub(crate) fn new(intents: &'a IntentSet, network: &Network, allocations: &Allocations) -> (Self, Vec<Diagnostic>) {
        let (mut steerings, mut findings) = (Self::default(), Vec::new());
        for (reference, steering) in &intents.steerings {
            let spec = &steering.spec;
            if reference.as_str().len() + LONGEST_SUFFIX > Name::MAX_LENGTH {
                findings.push(too_long("a steering", reference).at(steering.document.span("/metadata/name")));
                continue;
            }
            let kinds: BTreeSet<WayKind> = spec.prefer.iter().map(kind).collect();
            let inner = !kinds.contains(&WayKind::Peering);
            let refused = match (spec.direction, spec.by) {
                _ if kinds.contains(&WayKind::Peering) && kinds.len() > 1 => {
                    Some(("/spec/prefer", "a list of both exits and inner ways"))
                }
                (Direction::Inbound, _) if inner => Some(("/spec/prefer", "a link or node as a way in")),
                (_, SteeringMethod::Metric) => Some(("/spec/by", "steering by `metric`")),
                (Direction::Outbound, SteeringMethod::Med | SteeringMethod::Prepend) => {
                    Some(("/spec/by", "steering outbound traffic by what is announced"))
                }
                (Direction::Inbound, SteeringMethod::LocalPreference) => {
                    Some(("/spec/by", "steering inbound traffic by `local-preference`"))
                }
                (Direction::Outbound | Direction::Inbound, _) => None,
            };
            if let Some((pointer, what)) = refused {
                let message = format!("{what} is not carried out by this version");
                let finding = Diagnostic::error(codes::NOT_COMPILED, message).at(steering.document.key_span(pointer));
                findings.push(finding.help("remove it to go on, or steer by another of the methods"));
                continue;
            }
            match spec.direction {
                Direction::Outbound if inner => {
                    findings.extend(both_ends(steering, network));
                    steerings.inner.push(steering);
                }
                Direction::Outbound => steerings.exits.push(steering),
                Direction::Inbound => {
                    let method = match spec.by {
                        SteeringMethod::Med => InboundMethod::Med,
                        SteeringMethod::Prepend => InboundMethod::Prepend,
                        SteeringMethod::Auto | SteeringMethod::LocalPreference | SteeringMethod::Metric => {
                            inbound_method(spec, intents, allocations)
                        }
                    };
                    steerings.inbound.push((steering, method));
                }
            }
        }
        (steerings, findings)
    }

    /// Returns every rank that a route may have.
    pub(crate) fn ranks(&self) -> impl Iterator<Item = (Community, &'a Intent<SteeringSpec>)> {
        self.exits.iter().enumerate().flat_map(|(number, steering)| {
            (1..=steering.spec.prefer.len()).map(move |position| (marks::rank(number, position), *steering))
        })
    }

    /// Adds to the import policy of a peering on `node` what ranks its routes. The first steering by name has the last say.
    pub(crate) fn rank_exits(
        &self,
        peering: &IntentRef,
        node: &Node,
        statements: &mut Statements,
        policy: &mut RoutingPolicy,
    ) {
        for (number, steering) in self.exits.iter().enumerate().rev() {
            let Some(position) = position(&steering.spec, peering, &node.name) else { continue };
            let transformations = Transformations {
                add_communities: vec![marks::rank(number, position)],
                local_preference: steering.spec.from.picks(node).then(|| preference(position)),
                ..Transformations::default()
            };
            let provenance = of_way(steering, position);
            for conditions in conditions(steering, policy) {
                statements.add(conditions, transformations.clone(), Action::Next, &provenance);
            }
        }
    }

    /// Adds to the import policy of `node`'s session over `link` what makes it prefer some of the routes, and tells whether
    /// that depends on the session.
    pub(crate) fn prefer(
        &self,
        node: &Node,
        link: &Link,
        statements: &mut Statements,
        policy: &mut RoutingPolicy,
    ) -> bool {
        let mut of_session = false;
        for steering in self.inner.iter().filter(|steering| steering.spec.from.picks(node)) {
            let Some(position) = inner_position(&steering.spec, node, link) else { continue };
            of_session = true;
            let provenance = of_way(steering, position);
            for conditions in conditions(steering, policy) {
                statements.add(conditions, preferring(position), Action::Accept, &provenance);
            }
        }
        for (number, steering) in self.exits.iter().enumerate().filter(|(_, steering)| steering.spec.from.picks(node)) {
            for position in 1..=steering.spec.prefer.len() {
                let Some(set) = name(&format!("{}-rank-{position}", steering.reference.name)) else { continue };
                let provenance = of_way(steering, position);
                let set = community_set(policy, set, vec![marks::rank(number, position)], provenance.clone());
                statements.add(having(set), preferring(position), Action::Accept, &provenance);
            }
        }
        of_session
    }

    /// Adds to the export policy of a peering on `node` what tells the neighbor which way to prefer. `announced` are the sets of
    /// our own prefixes.
    pub(crate) fn tell(
        &self,
        peering: &IntentRef,
        node: &NodeName,
        own_as: Asn,
        announced: &[Name],
        statements: &mut Statements,
        policy: &mut RoutingPolicy,
    ) {
        for (steering, method) in self.inbound.iter().rev() {
            let spec = &steering.spec;
            let listed = position(spec, peering, node);
            let position = listed.unwrap_or(spec.prefer.len() + 1);
            let transformations = match method {
                InboundMethod::Med => {
                    Transformations { med: Some(MED_STEP * number(position)), ..Transformations::default() }
                }
                InboundMethod::Prepend if position == 1 => continue,
                InboundMethod::Prepend => {
                    let times = ((position - 1) * PREPEND_STEP).min(MOST_PREPENDED);
                    let prepend = Prepend { asn: own_as, times: u8::try_from(times).unwrap_or(u8::MAX) };
                    Transformations { prepend: Some(prepend), ..Transformations::default() }
                }
            };
            let provenance = match listed {
                Some(position) => of_way(steering, position),
                None => Provenance::from(steering.source_at("/spec/prefer")),
            };
            let sets = match spec.prefixes.is_empty() {
                true => announced.to_vec(),
                false => prefixes(steering, policy),
            };
            for set in sets {
                let conditions = Conditions { prefix_set: Some(set), community_set: None };
                statements.add(conditions, transformations.clone(), Action::Next, &provenance);
            }
        }
    }
}

/// Returns the finding that a name is too long for what is named after it.
pub(crate) fn too_long(what: &str, reference: &Name) -> Diagnostic {
    let message = format!("the name `{reference}` is too long for the policies of {what}");
    let most = Name::MAX_LENGTH - LONGEST_SUFFIX;
    Diagnostic::error(codes::NAME_TOO_LONG, message).help(format!("use at most {most} characters"))
}

/// Finds a link that both of its ends would prefer: each would wait for the other, and who wins is a matter of chance.
fn both_ends(steering: &Intent<SteeringSpec>, network: &Network) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (index, way) in steering.spec.prefer.iter().enumerate() {
        let Some(end) = &way.link else { continue };
        let end = TerminationPoint { node: end.node.clone(), interface: end.interface.clone() };
        let Some(link) = network.link_at(&end) else { continue };
        let nodes = link.ends.iter().filter_map(|end| network.node(end.node.as_str()));
        if nodes.filter(|node| steering.spec.from.picks(node)).count() == 2 {
            let message = format!("both ends of the link {link} would prefer it, each to get to the other");
            findings.push(
                Diagnostic::error(codes::PREFERRED_FROM_BOTH_ENDS, message)
                    .at(steering.document.span(&format!("/spec/prefer/{index}/link")))
                    .help(format!(
                        "name in `from` whose traffic it is about, such as `from: {{ names: [{}] }}`",
                        end.node
                    )),
            );
        }
    }
    findings
}

/// Returns how ways in are told apart. MEDs are compared only between routes of one AS (RFC 4271 9.1.2.2), which both sides
/// must be: a neighbor that hears us from several AS numbers never compares them.
fn inbound_method(spec: &SteeringSpec, intents: &IntentSet, allocations: &Allocations) -> InboundMethod {
    let peerings = spec.prefer.iter().filter_map(|way| Some((way, intents.peerings.get(&way.peering.as_ref()?.name)?)));
    let (mut theirs, mut ours) = (BTreeSet::new(), BTreeSet::new());
    for (way, peering) in peerings {
        theirs.insert(peering.spec.asn);
        let nodes = peering.spec.sessions.iter().map(|session| &session.port.node);
        ours.extend(nodes.filter(|node| is_at(way, node)).map(|node| allocations.asns.get(node)));
    }
    if theirs.len() == 1 && ours.len() == 1 { InboundMethod::Med } else { InboundMethod::Prepend }
}

fn is_at(way: &Way, node: &NodeName) -> bool {
    way.at.is_empty() || way.at.contains(node)
}

/// Returns the place, from 1, of the first way that a session of the peering on `node` is.
fn position(spec: &SteeringSpec, peering: &IntentRef, node: &NodeName) -> Option<usize> {
    let is = |way: &Way| way.peering.as_ref() == Some(peering) && is_at(way, node);
    spec.prefer.iter().position(is).map(|index| index + 1)
}

/// Returns the place, from 1, of the first way that leads from `node` over `link`.
fn inner_position(spec: &SteeringSpec, node: &Node, link: &Link) -> Option<usize> {
    let far = link.far_end(&node.name)?;
    let is = |way: &Way| {
        let over = |end: &TerminationPoint| {
            way.link.as_ref().is_some_and(|link| link.node == end.node && link.interface == end.interface)
        };
        link.ends.iter().any(over) || way.node.as_ref() == Some(&far.node)
    };
    spec.prefer.iter().position(is).map(|index| index + 1)
}

fn number(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn preference(position: usize) -> u32 {
    PREFERENCE.saturating_sub(number(position))
}

fn preferring(position: usize) -> Transformations {
    Transformations { local_preference: Some(preference(position)), ..Transformations::default() }
}

fn of_way(steering: &Intent<SteeringSpec>, position: usize) -> Provenance {
    Provenance::from(steering.source_at(&format!("/spec/prefer/{}", position - 1)))
}

/// Defines the sets of a steering's prefixes.
fn prefixes(steering: &Intent<SteeringSpec>, policy: &mut RoutingPolicy) -> Vec<Name> {
    let entries = steering.spec.prefixes.iter().enumerate().map(|(index, prefix)| -> PrefixMatch {
        exactly(*prefix, Provenance::from(steering.source_at(&format!("/spec/prefixes/{index}"))))
    });
    let provenance = Provenance::from(steering.source_at("/spec/prefixes"));
    prefix_sets(policy, &format!("{}-steering", steering.reference.name), entries, &provenance)
}

/// Returns what the routes are that a steering is about: any of these.
fn conditions(steering: &Intent<SteeringSpec>, policy: &mut RoutingPolicy) -> Vec<Conditions> {
    let community_set = steering.spec.community.and_then(|community| {
        let set = name(&format!("{}-steering", steering.reference.name))?;
        Some(community_set(policy, set, vec![community], Provenance::from(steering.source_at("/spec/community"))))
    });
    match steering.spec.prefixes.is_empty() {
        true => vec![Conditions { prefix_set: None, community_set }],
        false => prefixes(steering, policy)
            .into_iter()
            .map(|set| Conditions { prefix_set: Some(set), community_set: community_set.clone() })
            .collect(),
    }
}
