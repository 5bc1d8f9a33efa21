//! Refuses what Weft checks but does not carry out yet, rather than leaving it out in silence.

use weft_diagnostics::Diagnostic;
use weft_intent::{
    Document, IntentSet,
    spec::{Addressing, AreaKind, OspfArea, Protocol},
};

use crate::codes;

/// Returns an error for each intent, or part of one, that nothing would be made of.
pub(crate) fn refusals(intents: &IntentSet) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut refuse = |document: &Document, pointer: &str, what: &str| {
        let message = format!("{what} is checked, but not carried out by this version");
        let finding = Diagnostic::error(codes::NOT_COMPILED, message).at(document.key_span(pointer));
        findings.push(finding.help("remove it to go on; `weft validate` accepts it"));
    };
    for underlay in intents.underlays.values() {
        let spec = &underlay.spec;
        let ospf = spec.protocol == Protocol::Ospf;
        let borrowed = ospf && spec.addressing == Addressing::Unnumbered && spec.families.ipv4();
        // Border routers were seen to take the default route that another one announces into the area, and to hand it on.
        let stub = |area: &OspfArea| area.kind == AreaKind::Stub && spec.families.ipv6();
        for (index, _) in spec.ospf.iter().flat_map(|ospf| ospf.areas.iter().enumerate()).filter(|(_, area)| stub(area))
        {
            refuse(&underlay.document, &format!("/spec/ospf/areas/{index}/kind"), "a stub area for IPv6");
        }
        if borrowed {
            refuse(&underlay.document, "/spec/addressing", "OSPF for IPv4 on links without addresses");
        }
    }
    for peering in intents.peerings.values() {
        for (index, _) in peering.spec.sessions.iter().enumerate().filter(|(_, session)| session.neighbor.is_ipv6()) {
            refuse(
                &peering.document,
                &format!("/spec/sessions/{index}/neighbor"),
                "a session over IPv6 with a neighbor",
            );
        }
    }
    for tenant in intents.tenants.values() {
        refuse(&tenant.document, "/kind", "a tenant");
    }
    findings
}
