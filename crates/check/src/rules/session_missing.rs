//! Every link of an underlay has its session at both ends.
//!
//! # What it does
//! Looks for a session at both ends of each link that an underlay runs over, and for the other end of each session that is configured.
//!
//! # Why
//! A session that only one end knows never comes up, and its link carries nothing.
//!
//! # Example
//! The underlay `b1` runs over `b1-leaf-01:swp15 -- b1-spine-01:swp1`; `b1-leaf-01` has the neighbor, `b1-spine-01` does not.

use weft_diagnostics::Diagnostic;
use weft_intent::spec::Protocol;

use crate::{
    codes,
    fleet::{Fleet, LinkEnd, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for link in &fleet.links {
        let [near, far] = &link.ends;
        let by_bgp = link.underlay.is_some_and(|underlay| underlay.spec.protocol == Protocol::Ebgp);
        let alone = |end: &LinkEnd<'_>, other: &LinkEnd<'_>| {
            let nothing = by_bgp && end.sessions.is_empty();
            nothing || other.sessions.iter().any(|session| end.counterpart(session).is_none())
        };
        for (end, _) in [(near, far), (far, near)].into_iter().filter(|(end, other)| alone(end, other)) {
            let message = format!("the link {} has no session on `{}`", link.link, end.point.node);
            let source = link.underlay.map_or_else(|| link.link.source.clone(), |underlay| underlay.source());
            findings.push(error(codes::SESSION_MISSING, message, &[source].into()));
        }
    }
    for end in &fleet.stray_sessions {
        let message = format!(
            "`{}` has a session with {} over `{}`, which is no end of a link",
            end.device, end.target, end.neighbor.interface
        );
        findings.push(error(codes::SESSION_MISSING, message, &end.neighbor.provenance.sources));
    }
    findings
}
