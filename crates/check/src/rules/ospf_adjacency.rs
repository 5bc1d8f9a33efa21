//! The two ends of a link agree on OSPF.
//!
//! # What it does
//! Compares, for each link with OSPF at an end, or of an underlay that routes by it: whether both ends look for neighbors, the
//! address families, the area and whether it is a stub, the hello and the dead time, and BFD.
//!
//! # Why
//! Routers that disagree do not become neighbors (RFC 2328 10.5), and BFD that only one end asks for never comes up.
//!
//! # Example
//! `b1-leaf-01:swp15` is in area 0.0.0.1, and the other end in area 0.0.0.0.

use weft_device::config::{DeviceConfig, Ospf, OspfInterface};
use weft_diagnostics::Diagnostic;
use weft_intent::spec::Protocol;
use weft_model::Sources;

use crate::{
    codes,
    fleet::{ConfiguredLink, Fleet, LinkEnd, disagreement, error, family_name},
};

/// An interface on which OSPF looks for neighbors.
#[derive(Clone, Copy)]
struct Active<'a> {
    ospf: &'a Ospf,
    on: &'a OspfInterface,
}

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    fleet.links.iter().flat_map(|link| mistakes(fleet, link)).collect()
}

fn mistakes(fleet: &Fleet<'_>, link: &ConfiguredLink<'_>) -> Vec<Diagnostic> {
    let [a, b] = &link.ends;
    let (Some(near), Some(far)) = (active(fleet, a), active(fleet, b)) else {
        let underlay = link.underlay.filter(|underlay| underlay.spec.protocol == Protocol::Ospf);
        let expected = underlay.is_some() || active(fleet, a).is_some() || active(fleet, b).is_some();
        let silent = link.ends.iter().filter(|end| expected && active(fleet, end).is_none());
        let finding = |end: &LinkEnd<'_>| {
            let message = format!("OSPF looks for no neighbor on {}, an end of {}", end.point, link.link);
            let source = underlay.map_or_else(|| link.link.source.clone(), |underlay| underlay.source());
            error(codes::OSPF_MISMATCH, message, &[source].into())
        };
        return silent.map(finding).collect();
    };
    let finding = |[left, right]: [String; 2], sources: [&Sources; 2]| {
        let message = format!("{} {left}, {} {right}", a.point, b.point);
        disagreement(codes::OSPF_MISMATCH, message, sources)
    };
    let ends = [near, far];
    let mut findings = Vec::new();
    if near.ospf.families != far.ospf.families {
        findings.push(finding(ends.map(families), ends.map(|end| end.ospf.provenance.of("families"))));
    }
    if near.on.area != far.on.area {
        findings.push(finding(
            ends.map(|end| format!("is in area {}", end.on.area)),
            ends.map(|end| end.on.provenance.of("area")),
        ));
    } else if stub(near) != stub(far) {
        let words = |end| if stub(end) { "is in a stub area" } else { "is in an area that is no stub" };
        findings.push(finding(
            ends.map(|end| words(end).to_owned()),
            ends.map(|end| match end.ospf.areas.get(&end.on.area) {
                Some(area) => &area.provenance.sources,
                None => end.on.provenance.of("area"),
            }),
        ));
    }
    for (leaf, value) in [("hello", ends.map(|end| end.on.hello.0)), ("dead", ends.map(|end| end.on.dead.0))] {
        if value[0] != value[1] {
            let words = value.map(|seconds| format!("has the {leaf} time {seconds} s"));
            findings.push(finding(words, ends.map(|end| end.on.provenance.of(leaf))));
        }
    }
    if near.on.bfd != far.on.bfd {
        findings.push(finding(ends.map(bfd), ends.map(|end| end.on.provenance.of("bfd"))));
    }
    findings
}

fn active<'a>(fleet: &Fleet<'a>, end: &LinkEnd<'_>) -> Option<Active<'a>> {
    let config: &DeviceConfig = fleet.configs.get(&end.point.node)?;
    let ospf = config.ospf.as_ref()?;
    let on = ospf.interfaces.get(&end.point.interface).filter(|on| !on.passive)?;
    Some(Active { ospf, on })
}

fn stub(end: Active<'_>) -> bool {
    end.ospf.areas.get(&end.on.area).is_some_and(|area| area.stub)
}

fn families(end: Active<'_>) -> String {
    let names: Vec<&str> = end.ospf.families.iter().copied().map(family_name).collect();
    format!("routes {}", names.join(" and "))
}

fn bfd(end: Active<'_>) -> String {
    match end.on.bfd {
        Some(bfd) => format!("has BFD every {} ms, {} times", bfd.interval_ms, bfd.multiplier),
        None => "has no BFD".to_owned(),
    }
}
