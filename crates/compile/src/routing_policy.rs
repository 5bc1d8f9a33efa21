//! Compiles routing policies: what a peering takes and announces, what stays in its site, and what is avoided.

use weft_device::config::{Action, Conditions, PrefixMatch, RoutingPolicy, Transformations};
use weft_diagnostics::Diagnostic;
use weft_intent::{
    Intent,
    spec::{Accept, PeeringSpec, Relationship},
};
use weft_model::{Asn, Community, Link, Name, Node, Provenance};

use crate::{
    bogons::{bogons, own_prefixes},
    device::Compiler,
    maintenance::{DRAINED_PREFERENCE, avoided, to_avoid},
    marks::{RELATIONSHIPS, learned_from, learned_set},
    statements::{
        LONGEST_SUFFIX, Statements, all_within, community_set, default_route, exactly, having, lengths, name,
        prefix_sets, within,
    },
    steering::too_long,
};

/// The policy on sessions that leave the site, and the set of what must not.
const SITE_POLICY: &str = "leave-site";
const SITE_SET: &str = "site-segments";
/// Every community that is Weft's own.
const MARKS: &str = "weft-marks";
/// The least and the greatest length of a prefix that is fit for the internet.
const IPV4_LENGTHS: (u8, u8) = (8, 24);
const IPV6_LENGTHS: (u8, u8) = (16, 48);

impl Compiler<'_> {
    /// Defines the policy of what `node` takes over `link`, and returns its name; `None` where all is taken as it is.
    pub(crate) fn link_import(&self, node: &Node, link: &Link, policy: &mut RoutingPolicy) -> Option<Name> {
        let mut statements = Statements::default();
        if let Some(provenance) = self.drained.link(&node.name, link) {
            statements.add(Conditions::default(), avoided(), Action::Accept, &provenance);
            return Some(statements.define(policy, name("import-drained")?));
        }
        let of_session = self.steerings.prefer(node, link, &mut statements, policy);
        let sources: Vec<_> = statements.sources().cloned().collect();
        if sources.is_empty() {
            return None;
        }
        let provenance = Provenance { sources: sources.into_iter().collect(), ..Provenance::default() };
        statements.decide(Conditions::default(), Action::Accept, &provenance);
        let name = match of_session {
            false => name("import-ranked")?,
            true => name(&self.import_name(node, link)?)?,
        };
        Some(statements.define(policy, name))
    }

    /// Names the policy of what a node takes over one link: after the far node, and counted where several links lead there.
    fn import_name(&self, node: &Node, link: &Link) -> Option<String> {
        let far = &link.far_end(&node.name)?.node;
        let same = self
            .network
            .links_of(&node.name)
            .filter(|other| other.far_end(&node.name).is_some_and(|end| end.node == *far));
        let number = same.take_while(|other| other.ends != link.ends).count();
        Some(if number == 0 { format!("import-from-{far}") } else { format!("import-from-{far}-{}", number + 1) })
    }

    /// Defines the policy of what `node` announces over `link`, and returns its name; `None` where all is announced as it is.
    pub(crate) fn link_export(
        &self,
        node: &Node,
        link: &Link,
        leaves_site: bool,
        policy: &mut RoutingPolicy,
    ) -> Option<Name> {
        let drained = self.drained.link(&node.name, link);
        let mut statements = Statements::default();
        let site = if leaves_site { self.site_segments(policy) } else { None };
        if let Some((sets, provenance)) = &site {
            for set in sets {
                statements.decide(within(set.clone()), Action::Reject, provenance);
            }
        }
        match (site, drained) {
            (None, None) => None,
            (Some((_, provenance)), None) => {
                statements.decide(Conditions::default(), Action::Accept, &provenance);
                Some(statements.define(policy, name(SITE_POLICY)?))
            }
            (site, Some(provenance)) => {
                statements.add(Conditions::default(), to_avoid(), Action::Accept, &provenance);
                let policy_name = if site.is_some() { "leave-site-drained" } else { "export-drained" };
                Some(statements.define(policy, name(policy_name)?))
            }
        }
    }

    /// Defines the sets of segments that stay in their site, and returns them; `None` where there are none.
    fn site_segments(&self, policy: &mut RoutingPolicy) -> Option<(Vec<Name>, Provenance)> {
        let segments = &self.selection.site_segments;
        let sources = segments.iter().map(|segment| segment.source_at("/spec/scope")).collect();
        let provenance = Provenance { sources, ..Provenance::default() };
        let entries = segments
            .iter()
            .map(|segment| all_within(segment.spec.prefix, Provenance::from(segment.source_at("/spec/prefix"))));
        let sets = prefix_sets(policy, SITE_SET, entries, &provenance);
        (!sets.is_empty()).then_some((sets, provenance))
    }

    /// Defines the import and export policy of a peering on `node`, and returns their names.
    pub(crate) fn peering_policies(
        &self,
        peering: &Intent<PeeringSpec>,
        node: &Node,
        own_as: Asn,
        policy: &mut RoutingPolicy,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<[Name; 2]> {
        let reference = &peering.reference.name;
        if reference.as_str().len() + LONGEST_SUFFIX > Name::MAX_LENGTH {
            diagnostics.push(too_long("a peering", reference).at(peering.document.span("/metadata/name")));
            return None;
        }
        let marks = self.marks(peering, policy)?;
        let import = self.peering_import(peering, node, &marks, policy)?;
        let export = self.peering_export(peering, node, own_as, &marks, policy)?;
        Some([import, export])
    }

    /// Defines the set of all communities of ours.
    fn marks(&self, peering: &Intent<PeeringSpec>, policy: &mut RoutingPolicy) -> Option<Name> {
        let mut communities: Vec<Community> = RELATIONSHIPS.map(learned_from).into();
        communities.extend(self.steerings.ranks().map(|(rank, _)| rank));
        let set = name(MARKS)?;
        let known = policy.community_sets.get(&set).map(|set| set.provenance.clone()).unwrap_or_default();
        let provenance = known.and(peering.source_at("/spec/relationship"));
        Some(community_set(policy, set, communities, provenance))
    }

    /// What is taken: our own communities go, then what nobody may tell us, then what is accepted gets its mark.
    fn peering_import(
        &self,
        peering: &Intent<PeeringSpec>,
        node: &Node,
        marks: &Name,
        policy: &mut RoutingPolicy,
    ) -> Option<Name> {
        let reference = &peering.reference.name;
        let relationship = Provenance::from(peering.source_at("/spec/relationship"));
        let accept = Provenance::from(peering.source_at("/spec/accept"));
        let mut statements = Statements::default();
        let remove = Transformations { remove_communities: Some(marks.clone()), ..Transformations::default() };
        statements.add(Conditions::default(), remove, Action::Next, &relationship);
        // Of a family that nothing is accepted of, all is rejected at the end.
        let accepted = accepted(peering);
        let taken = |entry: &PrefixMatch| {
            accepted.iter().any(|accepted| accepted.prefix.addr().is_ipv4() == entry.prefix.addr().is_ipv4())
        };
        let mut rejected = prefix_sets(policy, "bogons", bogons(&accept).filter(taken), &accept);
        let own = own_prefixes(self.intents).into_iter().filter(taken);
        rejected.extend(prefix_sets(policy, "own-prefixes", own, &accept));
        for set in rejected {
            statements.decide(within(set), Action::Reject, &accept);
        }
        let accepted = prefix_sets(policy, &format!("{reference}-accept"), accepted, &accept);
        self.steerings.rank_exits(&peering.reference, node, &mut statements, policy);
        let drained = self.drained.node(&node.name);
        let mark = Transformations {
            add_communities: vec![learned_from(peering.spec.relationship)],
            local_preference: drained.map(|_| DRAINED_PREFERENCE),
            ..Transformations::default()
        };
        let provenance = drained
            .into_iter()
            .fold(accept.clone(), |all, drained| drained.sources.iter().cloned().fold(all, Provenance::and));
        let none = accepted.is_empty();
        for set in accepted {
            statements.add(within(set), mark.clone(), Action::Accept, &provenance);
        }
        if none {
            statements.decide(Conditions::default(), Action::Reject, &accept);
        }
        Some(statements.define(policy, name(&format!("{reference}-import"))?))
    }

    /// What is announced: our own prefixes, then what was learned as far as the relationship goes. A route without a mark that is
    /// not on the list never leaves.
    fn peering_export(
        &self,
        peering: &Intent<PeeringSpec>,
        node: &Node,
        own_as: Asn,
        marks: &Name,
        policy: &mut RoutingPolicy,
    ) -> Option<Name> {
        let reference = &peering.reference.name;
        let spec = &peering.spec;
        let announce = Provenance::from(peering.source_at("/spec/announce"));
        let mut statements = Statements::default();
        if let Some(provenance) = self.drained.node(&node.name) {
            statements.begin(to_avoid(), provenance);
        }
        let own = spec.announce.prefixes.iter().enumerate().map(|(index, prefix)| {
            exactly(*prefix, Provenance::from(peering.source_at(&format!("/spec/announce/prefixes/{index}"))))
        });
        let own = prefix_sets(policy, &format!("{reference}-announce"), own, &announce);
        self.steerings.tell(&peering.reference, &node.name, own_as, &own, &mut statements, policy);
        let out = Transformations { remove_communities: Some(marks.clone()), ..Transformations::default() };
        for set in own.clone() {
            statements.add(within(set), out.clone(), Action::Accept, &announce);
        }
        // From those that there are: a set that nothing can match is no help to who reads it.
        let there = |relationship: &Relationship| {
            self.intents.peerings.values().any(|peering| peering.spec.relationship == *relationship)
        };
        let (from, set): (&[Relationship], _) = match spec.relationship {
            Relationship::Customer => (&RELATIONSHIPS, "learned"),
            Relationship::Peer | Relationship::Transit => (&[Relationship::Customer], "learned-from-customers"),
        };
        let from: Vec<Relationship> = from.iter().copied().filter(|relationship| there(relationship)).collect();
        let gives_default = spec.announce.default_route && spec.relationship == Relationship::Customer;
        if (spec.announce.learned || gives_default) && !from.is_empty() {
            let learned = learned_set(policy, set, &from, &Provenance::from(peering.source_at("/spec/relationship")))?;
            let defaults = self.default_routes(peering, policy);
            for set in defaults {
                match gives_default {
                    true => {
                        let is_learned = Conditions { prefix_set: Some(set), community_set: Some(learned.clone()) };
                        statements.add(is_learned, out.clone(), Action::Accept, &announce);
                    }
                    false => statements.decide(within(set), Action::Reject, &announce),
                }
            }
            if spec.announce.learned {
                statements.add(having(learned), out, Action::Accept, &announce);
            }
        } else if own.is_empty() {
            statements.decide(Conditions::default(), Action::Reject, &announce);
        }
        Some(statements.define(policy, name(&format!("{reference}-export"))?))
    }

    /// Defines the sets of the default routes of the families of a peering's sessions.
    fn default_routes(&self, peering: &Intent<PeeringSpec>, policy: &mut RoutingPolicy) -> Vec<Name> {
        let provenance = Provenance::from(peering.source_at("/spec/announce"));
        let neighbors = peering.spec.sessions.iter().map(|session| default_route(session.neighbor));
        let entries: Vec<PrefixMatch> = neighbors.map(|prefix| exactly(prefix, provenance.clone())).collect();
        prefix_sets(policy, "default-route", entries, &provenance)
    }
}

/// Returns what a peering accepts.
fn accepted(peering: &Intent<PeeringSpec>) -> Vec<PrefixMatch> {
    let Accept { prefixes, more_specific, everything, maximum_prefixes: _ } = &peering.spec.accept;
    let mut entries: Vec<PrefixMatch> = Vec::new();
    for (index, prefix) in prefixes.iter().enumerate() {
        let provenance = Provenance::from(peering.source_at(&format!("/spec/accept/prefixes/{index}")));
        let length = prefix.prefix_len();
        let greatest = more_specific
            .map_or(length, |longest| length.max(if prefix.addr().is_ipv4() { longest.ipv4 } else { longest.ipv6 }));
        entries.push(lengths(*prefix, length, greatest, provenance));
    }
    if *everything {
        let provenance = Provenance::from(peering.source_at("/spec/accept/everything"));
        for session in &peering.spec.sessions {
            let (least, greatest) = if session.neighbor.is_ipv4() { IPV4_LENGTHS } else { IPV6_LENGTHS };
            entries.push(lengths(default_route(session.neighbor), least, greatest, provenance.clone()));
        }
    }
    entries
}
