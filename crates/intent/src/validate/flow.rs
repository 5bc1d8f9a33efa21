//! Where flows start and end, and their ports: what Reachability and Capacity have in common.

use weft_diagnostics::Diagnostic;
use weft_model::{IntentKind, PortRange};

use super::{Routing, Validation, reference, routing::family_name};
use crate::{
    Document, codes,
    spec::{FlowEnd, TransportProtocol},
};

/// Checks both ends of a flow, at `POINTER/from` and `POINTER/to`. Returns whether they can be.
pub(super) fn ends(
    validation: &mut Validation<'_>,
    routing: &Routing<'_>,
    (from, to): (&FlowEnd, &FlowEnd),
    document: &Document,
    pointer: &str,
) -> bool {
    let before = validation.findings.len();
    end(validation, from, document, &format!("{pointer}/from"), true);
    let to_at = format!("{pointer}/to");
    end(validation, to, document, &to_at, false);
    if let FlowEnd::Address(address) = to
        && !routing.routes_anywhere(*address)
    {
        let name = family_name(*address);
        validation.report(
            Diagnostic::error(codes::FAMILY_NOT_ROUTED, format!("{address} is {name}, and no Underlay routes {name}"))
                .at(document.span(&to_at))
                .help("give an address of the other family, or write `families: dual` in the Underlays"),
        );
    }
    validation.findings.len() == before
}

/// Checks that a flow can start or end there.
fn end(validation: &mut Validation<'_>, end: &FlowEnd, document: &Document, pointer: &str, start: bool) {
    let (verb, kinds) = if start {
        ("start", "`segment/NAME`, `node/NAME` or `peering/NAME`")
    } else {
        ("end", "`segment/NAME`, `node/NAME` or an address")
    };
    let wrong = |what: String| {
        let finding = Diagnostic::error(codes::WRONG_END, format!("a flow cannot {verb} at {what}"));
        finding.at(document.span(pointer)).help(format!("write {kinds}"))
    };
    match end {
        FlowEnd::Address(address) if start => validation.report(wrong(format!("the address {address}"))),
        FlowEnd::Address(_) => {}
        FlowEnd::Node(name) => {
            validation.node(name, document, pointer);
        }
        FlowEnd::Intent(intent) => match intent.kind {
            IntentKind::Segment => {
                reference::check(validation, intent, IntentKind::Segment, document, pointer);
            }
            IntentKind::Peering if start => {
                reference::check(validation, intent, IntentKind::Peering, document, pointer);
            }
            IntentKind::Peering
            | IntentKind::Fabric
            | IntentKind::Topology
            | IntentKind::Pools
            | IntentKind::Underlay
            | IntentKind::Tenant
            | IntentKind::Steering
            | IntentKind::Reachability
            | IntentKind::Access
            | IntentKind::Maintenance
            | IntentKind::Baseline
            | IntentKind::Capacity => validation.report(wrong(format!("`{intent}`"))),
        },
    }
}

/// Tells whether a protocol has the ports that stand at `POINTER/ports`, or reports that it has none.
pub(super) fn ports(
    validation: &mut Validation<'_>,
    protocol: TransportProtocol,
    ports: &[PortRange],
    document: &Document,
    pointer: &str,
) -> bool {
    let message = match protocol {
        TransportProtocol::Tcp | TransportProtocol::Udp => return true,
        _ if ports.is_empty() => return true,
        TransportProtocol::Any => "ports are given, and no protocol that has them",
        TransportProtocol::Icmp => "ports are given, and ICMP has none",
    };
    let mut finding =
        Diagnostic::error(codes::PORTS_OF_NO_PROTOCOL, message).at(document.key_span(&format!("{pointer}/ports")));
    let protocol_at = format!("{pointer}/protocol");
    if document.has(&protocol_at) {
        finding = finding.label(document.span(&protocol_at), "the protocol");
    }
    validation.report(finding.help("write `protocol: tcp` or `protocol: udp`, or remove the ports"));
    false
}
