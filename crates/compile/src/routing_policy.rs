//! Compiles prefix sets and policies: what a peering takes and announces, and what stays in its site.

use std::collections::BTreeMap;

use ipnet::IpNet;
use weft_device::config::{
    Action, Conditions, PolicyDefinition, PrefixMatch, PrefixSet, RoutingPolicy, Statement, Transformations,
};
use weft_diagnostics::Diagnostic;
use weft_intent::{Intent, spec::PeeringSpec};
use weft_model::{Name, Provenance, Source};

use crate::{codes, device::Compiler, pool::Family};

/// The policy on sessions that leave the site, and the set of what must not.
const SITE_POLICY: &str = "leave-site";
const SITE_SET: &str = "site-segments";
const SITE_SET_IPV6: &str = "site-segments-ipv6";

impl Compiler<'_> {
    /// Defines the policy of sessions that leave the site, and returns its name; `None` where nothing must stay.
    pub(crate) fn leave_site(&self, policy: &mut RoutingPolicy) -> Option<Name> {
        let name = name(SITE_POLICY)?;
        if policy.policy_definitions.contains_key(&name) {
            return Some(name);
        }
        let mut sets: BTreeMap<Name, PrefixSet> = BTreeMap::new();
        let mut provenance = Provenance::default();
        for segment in &self.selection.site_segments {
            let ranges = [
                Some(("/spec/prefix", segment.spec.prefix)),
                segment.spec.ipv6.map(|v6| ("/spec/ipv6/prefix", v6.prefix)),
            ];
            for (pointer, prefix) in ranges.into_iter().flatten() {
                // A set is of one family on some devices.
                let set = self::name(match Family::of(&prefix) {
                    Family::Ipv4 => SITE_SET,
                    Family::Ipv6 => SITE_SET_IPV6,
                })?;
                let set = sets
                    .entry(set)
                    .or_insert_with(|| PrefixSet { prefixes: Vec::new(), provenance: Provenance::default() });
                set.prefixes.push(PrefixMatch {
                    prefix,
                    least_length: prefix.prefix_len(),
                    greatest_length: prefix.max_prefix_len(),
                    provenance: Provenance::from(segment.source_at(pointer)),
                });
            }
            provenance = provenance.and(segment.source_at("/spec/scope"));
        }
        if sets.is_empty() {
            return None;
        }
        let mut statements = Vec::new();
        for (set, mut content) in sets {
            content.provenance = provenance.clone();
            statements.push(statement(sequence(&statements), Some(set.clone()), Action::Reject, provenance.clone()));
            policy.prefix_sets.insert(set, content);
        }
        statements.push(statement(sequence(&statements), None, Action::Accept, provenance.clone()));
        policy.policy_definitions.insert(name.clone(), PolicyDefinition { statements, provenance });
        Some(name)
    }
}

/// Defines the import and export policy of a peering, and returns their names: exactly `accept.prefixes` are taken,
/// exactly `announce.prefixes` are announced.
pub(crate) fn peering_policies(
    peering: &Intent<PeeringSpec>,
    policy: &mut RoutingPolicy,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<[Name; 2]> {
    let reference = &peering.reference.name;
    let names = ["accept", "announce", "import", "export"].map(|word| name(&format!("{reference}-{word}")));
    let [Some(accept), Some(announce), Some(import), Some(export)] = names else {
        let message = format!("the name `{reference}` is too long for the policies of a peering");
        diagnostics.push(
            Diagnostic::error(codes::NAME_TOO_LONG, message)
                .at(peering.document.span("/metadata/name"))
                .help("use at most 54 characters"),
        );
        return None;
    };
    let spec = &peering.spec;
    for (set, name, prefixes, pointer) in [
        (accept, &import, &spec.accept.prefixes, "/spec/accept/prefixes"),
        (announce, &export, &spec.announce.prefixes, "/spec/announce/prefixes"),
    ] {
        let source = |index: usize| peering.source_at(&format!("{pointer}/{index}"));
        exact(policy, set, name, prefixes, peering.source_at(pointer), source);
    }
    Some([import, export])
}

/// Defines a policy that accepts exactly `prefixes`, and their set.
pub(crate) fn exact(
    policy: &mut RoutingPolicy,
    set: Name,
    name: &Name,
    prefixes: &[IpNet],
    source: Source,
    source_of: impl Fn(usize) -> Source,
) {
    let provenance = Provenance::from(source);
    let mut entries: Vec<PrefixMatch> = Vec::new();
    for (index, prefix) in prefixes.iter().enumerate().filter(|(_, prefix)| prefix.addr().is_ipv4()) {
        if entries.iter().any(|entry| entry.prefix == *prefix) {
            continue;
        }
        entries.push(PrefixMatch {
            prefix: *prefix,
            least_length: prefix.prefix_len(),
            greatest_length: prefix.prefix_len(),
            provenance: Provenance::from(source_of(index)),
        });
    }
    // Devices differ in what an empty prefix set matches, so there is none.
    let only = if entries.is_empty() {
        statement(10, None, Action::Reject, provenance.clone())
    } else {
        policy.prefix_sets.insert(set.clone(), PrefixSet { prefixes: entries, provenance: provenance.clone() });
        statement(10, Some(set), Action::Accept, provenance.clone())
    };
    policy.policy_definitions.insert(name.clone(), PolicyDefinition { statements: vec![only], provenance });
}

/// Returns the place of the next statement: 10, 20, 30.
fn sequence(statements: &[Statement]) -> u16 {
    10 * (u16::try_from(statements.len()).unwrap_or(u16::MAX / 10 - 1) + 1)
}

fn statement(sequence: u16, prefix_set: Option<Name>, action: Action, provenance: Provenance) -> Statement {
    Statement {
        sequence,
        conditions: Conditions { prefix_set, community_set: None },
        transformations: Transformations::default(),
        action,
        provenance,
    }
}

fn name(text: &str) -> Option<Name> {
    text.parse().ok()
}
