//! Access intents: what they protect, and rules that do nothing or contradict each other.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{IntentKind, Name};

use super::{Packets, Spot, Validation, flow, packets::everywhere, reference};
use crate::{
    Document, Intent, codes,
    spec::{AccessEnd, AccessRule, AccessSpec, SegmentSpec},
};

/// What an Access decides.
pub(super) struct Verdicts<'a> {
    pub(super) intent: &'a Intent<AccessSpec>,
    /// The prefixes of the protected segments.
    pub(super) protected: Vec<IpNet>,
    /// The packets of each rule, where what it names is known.
    pub(super) rules: Vec<Option<Packets>>,
    /// Whether it decides alone, and everything that it names is known.
    pub(super) whole: bool,
}

/// Returns the prefixes of a segment.
pub(super) fn prefixes(segment: &SegmentSpec) -> impl Iterator<Item = IpNet> {
    [Some(segment.prefix), segment.ipv6.map(|ipv6| ipv6.prefix)].into_iter().flatten()
}

pub(super) fn check<'a>(validation: &mut Validation<'a>) -> Vec<Verdicts<'a>> {
    let mut protectors: BTreeMap<&Name, Spot<'a>> = BTreeMap::new();
    let mut all = Vec::new();
    for intent in validation.set.accesses.values() {
        let before = validation.findings.len();
        let segments: Vec<Option<&SegmentSpec>> =
            (0..intent.spec.protect.len()).map(|index| protect(validation, intent, index, &mut protectors)).collect();
        let known = segments.iter().all(Option::is_some);
        let protected: Vec<IpNet> = segments.into_iter().flatten().flat_map(prefixes).collect();
        let alone = validation.findings.len() == before;
        let repeated = names(validation, intent);
        let rules: Vec<Option<Packets>> = intent
            .spec
            .rules
            .iter()
            .enumerate()
            .map(|rule| matches(validation, intent, rule, known.then_some(&protected)))
            .collect();
        let whole = known && alone && rules.iter().all(Option::is_some);
        let verdicts = Verdicts { intent, protected, rules, whole };
        shadows(validation, &verdicts, &repeated);
        all.push(verdicts);
    }
    all
}

/// Returns the protected segment, or reports why there is none.
fn protect<'a>(
    validation: &mut Validation<'a>,
    intent: &'a Intent<AccessSpec>,
    index: usize,
    protectors: &mut BTreeMap<&'a Name, Spot<'a>>,
) -> Option<&'a SegmentSpec> {
    let document = &*intent.document;
    let reference = &intent.spec.protect[index];
    let spot = Spot::new(document, format!("/spec/protect/{index}"));
    if !reference::check(validation, reference, IntentKind::Segment, document, &spot.pointer) {
        return None;
    }
    let segment = &validation.set.segments.get(&reference.name)?.spec;
    if let Some(first) = protectors.get(&reference.name) {
        let finding = Diagnostic::error(codes::PROTECTED_TWICE, format!("`{reference}` is protected twice"));
        let finding = finding.at(spot.span()).label(first.span(), "first protected here");
        validation.report(finding.help("put the rules into one Access"));
        return Some(segment);
    }
    let network = validation.network;
    let mut nodes: Vec<_> = segment.ports.iter().flat_map(|ports| ports.select.pick(network)).collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes.dedup_by(|a, b| a.name == b.name);
    validation.feature(nodes, "acl", document, &spot.pointer);
    protectors.insert(&reference.name, spot);
    Some(segment)
}

/// Reports rules whose name an earlier one has, and returns them.
fn names(validation: &mut Validation<'_>, intent: &Intent<AccessSpec>) -> BTreeSet<usize> {
    let document = &*intent.document;
    let mut first: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut repeated = BTreeSet::new();
    for (index, rule) in intent.spec.rules.iter().enumerate() {
        if let Some(first) = first.get(&rule.name) {
            repeated.insert(index);
            validation.report(
                Diagnostic::error(codes::DUPLICATE_RULE, format!("there are two rules `{}`", rule.name))
                    .at(document.span(&format!("/spec/rules/{index}/name")))
                    .label(document.span(&format!("/spec/rules/{first}/name")), "the first one is here")
                    .help("give one of them another name"),
            );
        } else {
            first.insert(&rule.name, index);
        }
    }
    repeated
}

/// Returns the packets that a rule matches, or reports why it matches none.
fn matches(
    validation: &mut Validation<'_>,
    intent: &Intent<AccessSpec>,
    (index, rule): (usize, &AccessRule),
    protected: Option<&Vec<IpNet>>,
) -> Option<Packets> {
    let document = &*intent.document;
    let at = format!("/spec/rules/{index}");
    let from = sources(validation, &rule.from, document, &format!("{at}/from"));
    let with_ports = flow::ports(validation, rule.protocol, &rule.ports, document, &at);
    let to_at = format!("{at}/to");
    let to = match &rule.to {
        AccessEnd::Any => protected.cloned(),
        AccessEnd::Segment(reference) => {
            if !reference::check(validation, reference, IntentKind::Segment, document, &to_at) {
                None
            } else if intent.spec.protect.contains(reference) {
                let segment = validation.set.segments.get(&reference.name);
                segment.map(|segment| prefixes(&segment.spec).collect())
            } else {
                outside(validation, &rule.to, document, &to_at);
                None
            }
        }
        AccessEnd::Prefix(prefix) => protected.and_then(|protected| {
            let inside: Vec<IpNet> = protected.iter().filter_map(|range| common(range, prefix)).collect();
            if inside.is_empty() {
                outside(validation, &rule.to, document, &to_at);
                return None;
            }
            Some(inside)
        }),
    };
    let (from, to) = (from?, to?);
    let packets = Packets::of(&from, &to, rule.protocol, &rule.ports);
    if packets.is_empty() {
        let family =
            |prefixes: &[IpNet]| prefixes.first().map_or("", |prefix| super::routing::family_name(prefix.addr()));
        let message =
            format!("`{}` is {}, and the packets of the rule go to {} hosts", rule.from, family(&from), family(&to));
        validation.report(
            Diagnostic::error(codes::RULE_OF_NO_FAMILY, message)
                .at(document.span(&format!("{at}/from")))
                .help(format!("give {} addresses, or remove the rule", family(&to))),
        );
        return None;
    }
    with_ports.then_some(packets)
}

/// Returns the prefixes of where packets come from, or reports that it does not exist.
fn sources(
    validation: &mut Validation<'_>,
    from: &AccessEnd,
    document: &Document,
    pointer: &str,
) -> Option<Vec<IpNet>> {
    match from {
        AccessEnd::Any => Some(everywhere().to_vec()),
        AccessEnd::Prefix(prefix) => Some(vec![*prefix]),
        AccessEnd::Segment(reference) => {
            reference::check(validation, reference, IntentKind::Segment, document, pointer);
            Some(prefixes(&validation.set.segments.get(&reference.name)?.spec).collect())
        }
    }
}

fn outside(validation: &mut Validation<'_>, to: &AccessEnd, document: &Document, pointer: &str) {
    validation.report(
        Diagnostic::error(codes::OUTSIDE_OF_PROTECTED, format!("`{to}` is not in the protected segments"))
            .at(document.span(pointer))
            .label(document.key_span("/spec/protect"), "what is protected")
            .help("protect its segment too, or correct the rule"),
    );
}

/// Returns the addresses that are in both prefixes.
pub(super) fn common(a: &IpNet, b: &IpNet) -> Option<IpNet> {
    if a.contains(b) {
        Some(*b)
    } else if b.contains(a) {
        Some(*a)
    } else {
        None
    }
}

/// Earlier rules that a finding shows.
const LABELLED_RULES: usize = 3;

/// Reports rules of which earlier ones leave nothing, but for those whose name was reported: most likely they are copies.
fn shadows(validation: &mut Validation<'_>, verdicts: &Verdicts<'_>, repeated: &BTreeSet<usize>) {
    let document = &*verdicts.intent.document;
    let rules = &verdicts.intent.spec.rules;
    for (index, packets) in verdicts.rules.iter().enumerate().filter(|(index, _)| !repeated.contains(index)) {
        let Some(packets) = packets else { continue };
        let mut rest = Some(packets.clone());
        let mut covering: Vec<usize> = Vec::new();
        for (earlier, theirs) in verdicts.rules[..index].iter().enumerate() {
            let Some(left) = rest.as_ref().filter(|left| !left.is_empty()) else { break };
            let Some(theirs) = theirs else { continue };
            if left.meets(theirs) {
                covering.push(earlier);
                rest = left.without(theirs);
            }
        }
        if rest.is_none_or(|rest| !rest.is_empty()) {
            continue;
        }
        let rule = &rules[index];
        let opposite = covering.iter().any(|earlier| rules[*earlier].action != rule.action);
        let name = &rule.name;
        let mut finding = match (opposite, covering.as_slice()) {
            (true, [one]) => {
                let message =
                    format!("the rule `{name}` never applies: `{}` does the opposite before", rules[*one].name);
                Diagnostic::error(codes::CONTRADICTING_RULES, message)
            }
            (true, several) => {
                let count = several.len();
                let message = format!("the rule `{name}` never applies: {count} earlier rules leave it nothing");
                Diagnostic::error(codes::CONTRADICTING_RULES, message)
            }
            (false, [one]) => {
                let message = format!("the rule `{name}` does nothing that `{}` does not do before", rules[*one].name);
                Diagnostic::warning(codes::SHADOWED_RULE, message)
            }
            (false, several) => {
                let message =
                    format!("the rule `{name}` does nothing that {} earlier rules do not do before", several.len());
                Diagnostic::warning(codes::SHADOWED_RULE, message)
            }
        };
        finding = finding.help(if opposite {
            "put the more particular rule first, or remove one of them"
        } else {
            "remove it, or put it first"
        });
        finding = finding.at(document.span(&format!("/spec/rules/{index}/name")));
        let shown = covering.iter().filter(|earlier| !opposite || rules[**earlier].action != rule.action);
        for earlier in shown.take(LABELLED_RULES) {
            finding = finding.label(
                document.span(&format!("/spec/rules/{earlier}/name")),
                if opposite { "does the opposite" } else { "does the same" },
            );
        }
        validation.report(finding);
    }
}
