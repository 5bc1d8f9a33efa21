//! Both ends of a link with OSPF are in one area of one kind, with the same families, intervals and BFD.
//!
//! # What it does
//! Compares area, hello and dead interval, BFD and address families at the two ends of each link with OSPF.
//!
//! # Why
//! Hellos from another area or with other intervals are dropped (RFC 2328 10.5), and BFD that only one end runs never comes up.
//!
//! # Example
//! `swp3` of `core-2` is in area 0.0.0.0, `swp1` of `edge-1` in area 0.0.0.1.

use std::collections::BTreeSet;

use weft_device::config::{AfiSafi, Bfd, Ospf, OspfInterface};
use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, disagreement},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for link in &fleet.links {
        let of = |end: usize| {
            let point = link.ends[end].point;
            let ospf = fleet.configs.get(&point.node)?.ospf.as_ref()?;
            Some((point, ospf, fleet.ospf_interface(point).filter(|on| !on.passive)?))
        };
        let (Some((a, near_ospf, near)), Some((b, far_ospf, far))) = (of(0), of(1)) else { continue };
        let [left, right] = [words(near_ospf, near), words(far_ospf, far)];
        for ((field, left), (_, right)) in left.into_iter().zip(right).filter(|(left, right)| left != right) {
            let message = format!("{a} has {left}, {b} has {right}");
            let sources = [near.provenance.of(field), far.provenance.of(field)];
            findings.push(disagreement(codes::ADJACENCY_MISMATCH, message, sources));
        }
    }
    findings
}

/// Returns what must be the same at both ends, by the name of the field.
fn words(ospf: &Ospf, on: &OspfInterface) -> [(&'static str, String); 5] {
    let bfd = |Bfd { interval_ms, multiplier }| format!("BFD every {interval_ms} ms, {multiplier} times");
    [
        ("area", format!("area {}", on.area)),
        (
            "area",
            if ospf.areas.get(&on.area).is_some_and(|area| area.stub) { "a stub area" } else { "no stub area" }
                .to_owned(),
        ),
        ("hello", format!("hellos every {} s, {} s until it is lost", on.hello.0, on.dead.0)),
        ("bfd", on.bfd.map_or_else(|| "no BFD".to_owned(), bfd)),
        ("families", families(&ospf.families)),
    ]
}

fn families(families: &BTreeSet<AfiSafi>) -> String {
    let version = |family: &AfiSafi| match family {
        AfiSafi::Ipv4Unicast => "OSPFv2",
        AfiSafi::Ipv6Unicast => "OSPFv3",
    };
    families.iter().map(version).collect::<Vec<_>>().join(" and ")
}
