//! Statements of the section `ospf` to its part of a device's configuration.

use std::collections::{BTreeMap, BTreeSet};

use weft_device::config::{Area, Ospf, OspfInterface, Seconds};
use weft_model::{AreaId, InterfaceName, Provenance};

use super::{
    Line, Section,
    interpret::{Interpretation, Reference},
    ospf_line::OspfLine,
};

impl Interpretation {
    /// Reads the section, which has a router id and at least one family.
    pub(super) fn ospf(&mut self, section: &Section) {
        let mut router_id = None;
        let (mut families, mut maximum_paths, mut maximum_metric) = (BTreeSet::new(), 1, false);
        let (mut areas, mut interfaces) = (BTreeMap::new(), BTreeMap::new());
        let mut redistribute_bgp = None;
        for section in &section.sections {
            match &section.line {
                Line::RouterId(id) => router_id = Some(*id),
                Line::Families(given) => families.clone_from(given),
                Line::MaximumPaths(paths) => maximum_paths = *paths,
                Line::OfOspf(OspfLine::MaximumMetric) => maximum_metric = true,
                Line::OfOspf(OspfLine::RedistributeBgp(policy)) => {
                    self.references.push((section.number, Reference::Policy(policy.clone())));
                    redistribute_bgp = Some(policy.clone());
                }
                Line::OfOspf(OspfLine::Stub(area)) => {
                    areas.insert(*area, Area { stub: true, provenance: Provenance::default() });
                }
                Line::OfOspf(OspfLine::On(name)) => {
                    self.references.push((section.number, Reference::Interface(name.clone())));
                    interfaces.insert(name.clone(), self.ospf_interface(name, section));
                }
                _ => {}
            }
        }
        let Some(router_id) = router_id else {
            self.mistake(section, "ospf has no router-id");
            return;
        };
        if families.is_empty() {
            self.mistake(section, "ospf has no families");
        }
        self.config.ospf = Some(Ospf {
            router_id,
            families,
            maximum_paths,
            areas,
            interfaces,
            maximum_metric,
            redistribute_bgp,
            provenance: Provenance::default(),
        });
    }

    fn ospf_interface(&mut self, name: &InterfaceName, section: &Section) -> OspfInterface {
        let mut interface = OspfInterface {
            area: AreaId::BACKBONE,
            metric: 10,
            passive: false,
            hello: Seconds(10),
            dead: Seconds(40),
            bfd: None,
            provenance: Provenance::default(),
        };
        for section in &section.sections {
            match &section.line {
                Line::OfOspf(OspfLine::Area(area)) => interface.area = *area,
                Line::OfOspf(OspfLine::Metric(metric)) => interface.metric = *metric,
                Line::OfOspf(OspfLine::Passive) => interface.passive = true,
                Line::OfOspf(OspfLine::Hello(seconds)) => interface.hello = *seconds,
                Line::OfOspf(OspfLine::Dead(seconds)) => interface.dead = *seconds,
                Line::Bfd(bfd) => interface.bfd = Some(*bfd),
                _ => {}
            }
        }
        if interface.dead <= interface.hello {
            self.mistake(section, format!("the dead interval of {name} is not longer than its hello interval"));
        }
        interface
    }
}
