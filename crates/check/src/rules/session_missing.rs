//! Every session is configured at both ends, and every link of an underlay of eBGP has one.
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
    fleet::{Fleet, SessionEnd, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for link in &fleet.links {
        let underlay = link.underlay.filter(|underlay| underlay.spec.protocol == Protocol::Ebgp);
        let expected = underlay.is_some() || link.ends.iter().any(|end| !end.sessions.is_empty());
        for end in link.ends.iter().filter(|end| expected && end.sessions.is_empty()) {
            let message = format!("the link {} has no session on `{}`", link.link, end.point.node);
            let source = underlay.map_or_else(|| link.link.source.clone(), |underlay| underlay.source());
            findings.push(error(codes::SESSION_MISSING, message, &[source].into()));
        }
        let [near, far] = &link.ends;
        for (end, other) in [(near, far), (far, near)] {
            let answered = |session: &SessionEnd<'_>| other.sessions.iter().any(|far| far.sort() == session.sort());
            // Where no two are of one sort, it is a mistake about their addresses.
            let one_sided = end.sessions.iter().filter(|session| !answered(session));
            for session in one_sided.filter(|_| end.sessions.iter().any(answered)) {
                let message = format!(
                    "`{}` has the neighbor {} over {}, to which `{}` has no session",
                    end.point.node, session.target, link.link, other.point.node
                );
                findings.push(error(codes::SESSION_MISSING, message, &session.neighbor.provenance.sources));
            }
        }
    }
    for (end, _) in fleet.loopback_sessions.iter().filter(|(_, other)| other.is_none()) {
        let message = format!("`{}` has a session with {}, and no device has the other end", end.device, end.target);
        findings.push(error(codes::SESSION_MISSING, message, &end.neighbor.provenance.sources));
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
