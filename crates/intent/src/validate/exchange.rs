//! Peering intents: what is taken from the neighbor, and what is announced to it.

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;

use super::{Own, Validation, martian, routing::family_name};
use crate::{
    Intent, codes,
    spec::{MoreSpecific, PeeringSpec, Relationship},
};

pub(super) fn check(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>, own: &Own<'_>) {
    let before = validation.findings.len();
    everything(validation, intent);
    more_specific(validation, intent);
    if validation.findings.len() == before {
        maximum(validation, intent);
    }
    accepted(validation, intent, own);
    default_route(validation, intent);
    announced(validation, intent, own);
    families(validation, intent);
}

/// Checks that it is clear whether everything is accepted, or a list.
fn everything(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    let (accept, document) = (&intent.spec.accept, &*intent.document);
    let customer = matches!(intent.spec.relationship, Relationship::Customer);
    if accept.everything && customer {
        validation.report(
            Diagnostic::error(codes::CUSTOMER_UNLISTED, "everything is accepted from a customer")
                .at(document.span("/spec/accept/everything"))
                .label(document.span("/spec/relationship"), "what a customer sends goes to every neighbor")
                .help("list the customer's own prefixes in `prefixes`"),
        );
    } else if accept.everything {
        // The default route is no part of everything: it is asked for beside it.
        let only_default = accept.prefixes.iter().all(|prefix| prefix.prefix_len() == 0);
        let list = if only_default { "more_specific" } else { "prefixes" };
        if only_default && accept.more_specific.is_none() {
            return;
        }
        validation.report(
            Diagnostic::error(codes::ACCEPTS_TWICE, format!("`everything` is accepted, and `{list}` are given"))
                .at(document.span("/spec/accept/everything"))
                .label(document.key_span(&format!("/spec/accept/{list}")), "besides")
                .help(format!("remove `everything`, or `{list}`")),
        );
    } else if accept.prefixes.is_empty() {
        validation.report(
            Diagnostic::error(codes::NOTHING_ACCEPTED, "nothing is accepted from the neighbor")
                .at(document.key_span("/spec/accept/prefixes"))
                .help(if customer {
                    "list the customer's own prefixes in `prefixes`"
                } else {
                    "list `prefixes`, such as the default route, or write `everything: true`"
                }),
        );
    } else if customer && let Some(index) = accept.prefixes.iter().position(|prefix| prefix.prefix_len() == 0) {
        validation.report(
            Diagnostic::error(codes::CUSTOMER_UNLISTED, "the default route is accepted from a customer")
                .at(document.span(&format!("/spec/accept/prefixes/{index}")))
                .label(document.span("/spec/relationship"), "what a customer sends goes to every neighbor")
                .help("list the customer's own prefixes"),
        );
    }
}

/// Reports longest lengths that are below that of a prefix in the list.
fn more_specific(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    let (accept, document) = (&intent.spec.accept, &*intent.document);
    let Some(MoreSpecific { ipv4, ipv6 }) = accept.more_specific else { return };
    for (key, longest, is_ipv4) in [("ipv4", ipv4, true), ("ipv6", ipv6, false)] {
        let mut family = accept.prefixes.iter().enumerate().filter(|(_, prefix)| prefix.addr().is_ipv4() == is_ipv4);
        let Some((index, prefix)) = family.find(|(_, prefix)| prefix.prefix_len() > longest) else { continue };
        let pointer = format!("/spec/accept/more_specific/{key}");
        let at = if document.has(&pointer) {
            document.span(&pointer)
        } else {
            document.key_span("/spec/accept/more_specific")
        };
        validation.report(
            Diagnostic::error(
                codes::MORE_SPECIFIC,
                format!("prefixes up to /{longest} are taken, and {prefix} is longer"),
            )
            .at(at)
            .label(document.span(&format!("/spec/accept/prefixes/{index}")), "the longer prefix")
            .help(format!("write `{key}: {}` or more", prefix.prefix_len())),
        );
    }
}

/// Reports a session that would be closed by what it is to bring.
fn maximum(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    let (accept, document) = (&intent.spec.accept, &*intent.document);
    let Some(maximum) = accept.maximum_prefixes else { return };
    let count =
        [true, false].map(|ipv4| accept.prefixes.iter().filter(|prefix| prefix.addr().is_ipv4() == ipv4).count());
    let most = count[0].max(count[1]);
    if usize::try_from(maximum).is_ok_and(|maximum| maximum < most) {
        let message = format!("the session is closed after {maximum} prefixes, and {most} are accepted");
        validation.report(
            Diagnostic::error(codes::MAXIMUM_PREFIXES, message)
                .at(document.span("/spec/accept/maximum_prefixes"))
                .label(document.key_span("/spec/accept/prefixes"), "the prefixes")
                .help(format!("write {most} or more")),
        );
    }
}

/// Reports accepted prefixes that nobody routes, or that are ours.
fn accepted(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>, own: &Own<'_>) {
    let document = &*intent.document;
    for (index, prefix) in intent.spec.accept.prefixes.iter().enumerate() {
        let at = document.span(&format!("/spec/accept/prefixes/{index}"));
        if let Some((range, what)) = martian::of_prefix(prefix) {
            let message = format!("{prefix} is accepted, a prefix of {range}: {what}");
            validation.report(Diagnostic::error(codes::MARTIAN, message).at(at).help("remove it"));
        } else if let Some((range, spot)) = own.holding(prefix) {
            validation.report(
                Diagnostic::error(codes::OWN_PREFIX_ACCEPTED, format!("{prefix} is accepted, and it is our own"))
                    .at(at)
                    .label(spot.span(), format!("it lies in {range}"))
                    .help("remove it"),
            );
        }
    }
}

/// Checks that something is announced, and the default route to customers only.
fn default_route(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    let (announce, document) = (&intent.spec.announce, &*intent.document);
    let customer = matches!(intent.spec.relationship, Relationship::Customer);
    if announce.prefixes.is_empty() && !announce.learned && !announce.default_route {
        validation.report(
            Diagnostic::error(codes::ANNOUNCES_NOTHING, "nothing is announced to the neighbor")
                .at(document.key_span("/spec/announce"))
                .help("list `prefixes`, or remove `learned: false`"),
        );
    }
    if announce.default_route && !customer {
        validation.report(
            Diagnostic::error(codes::DEFAULT_ROUTE, "the default route is announced to a neighbor that is no customer")
                .at(document.span("/spec/announce/default_route"))
                .label(document.span("/spec/relationship"), "what the neighbor is")
                .help("remove `default_route`"),
        );
    }
    for (index, prefix) in announce.prefixes.iter().enumerate().filter(|(_, prefix)| prefix.prefix_len() == 0) {
        validation.report(
            Diagnostic::error(
                codes::DEFAULT_ROUTE,
                format!("the default route {prefix} is announced as a prefix of our own"),
            )
            .at(document.span(&format!("/spec/announce/prefixes/{index}")))
            .help(if customer { "write `default_route: true` in place of it" } else { "remove it" }),
        );
    }
}

/// Reports announced prefixes that nobody routes, and warns about those that we have no address of.
fn announced(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>, own: &Own<'_>) {
    for (index, prefix) in intent.spec.announce.prefixes.iter().enumerate() {
        let at = intent.document.span(&format!("/spec/announce/prefixes/{index}"));
        if let Some((range, what)) = martian::of_prefix(prefix) {
            let message = format!("{prefix} is announced, a prefix of {range}: {what}");
            validation.report(Diagnostic::error(codes::MARTIAN, message).at(at).help("remove it"));
        } else if prefix.prefix_len() > 0 && own.whole && !own.overlaps(prefix) {
            let message = format!("{prefix} is announced, and no segment has an address of it");
            validation.report(
                Diagnostic::warning(codes::NOTHING_ANNOUNCED, message)
                    .at(at)
                    .help("announce what a segment, a tenant or a pool has, or add the segment"),
            );
        }
    }
}

/// Reports prefixes of an address family that the neighbor has no session of, each list once.
fn families(validation: &mut Validation<'_>, intent: &Intent<PeeringSpec>) {
    let (spec, document) = (&intent.spec, &*intent.document);
    for (field, prefixes) in [("accept", &spec.accept.prefixes), ("announce", &spec.announce.prefixes)] {
        let without = |prefix: &IpNet| {
            let family = prefix.addr().is_ipv4();
            spec.sessions.iter().all(|session| session.address.addr().is_ipv4() != family)
        };
        let vain: Vec<usize> = (0..prefixes.len()).filter(|index| without(&prefixes[*index])).collect();
        let Some(first) = vain.first() else { continue };
        let prefix = prefixes[*first];
        let name = family_name(prefix.addr());
        let more = if vain.len() > 1 { format!(", and {} more", vain.len() - 1) } else { String::new() };
        validation.report(
            Diagnostic::error(codes::NO_SESSION_OF_FAMILY, format!("{prefix} is {name}, and no session is{more}"))
                .at(document.span(&format!("/spec/{field}/prefixes/{first}")))
                .label(document.key_span("/spec/sessions"), "the sessions")
                .help(format!("add a session with {name} addresses, or remove the prefix")),
        );
    }
}
