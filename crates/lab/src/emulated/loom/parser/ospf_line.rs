//! Statements of loom's section `ospf` that no other section has.

use std::collections::BTreeSet;

use weft_device::config::{AfiSafi, Seconds};
use weft_model::{AreaId, InterfaceName, Name};

use super::line::{positive, value};

/// A statement of the section, or of an interface in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OspfLine {
    MaximumMetric,
    RedistributeBgp(Name),
    Stub(AreaId),
    On(InterfaceName),
    Area(AreaId),
    Metric(u16),
    Passive,
    Hello(Seconds),
    Dead(Seconds),
}

impl OspfLine {
    /// Reads a statement of the section.
    pub(super) fn of_process(words: &[&str]) -> Result<Self, String> {
        match words {
            ["maximum-metric"] => Ok(Self::MaximumMetric),
            ["redistribute-bgp", policy] => value(policy).map(Self::RedistributeBgp),
            ["area", area, "stub"] => value(area).map(Self::Stub),
            ["interface", name] => value(name).map(Self::On),
            _ => Err(foreign(words)),
        }
    }

    /// Reads a statement of an interface in the section.
    pub(super) fn of_interface(words: &[&str]) -> Result<Self, String> {
        match words {
            ["area", area] => value(area).map(Self::Area),
            ["metric", metric] => positive(metric).map(Self::Metric),
            ["passive"] => Ok(Self::Passive),
            ["hello", seconds] => positive(seconds).map(Seconds).map(Self::Hello),
            ["dead", seconds] => positive(seconds).map(Seconds).map(Self::Dead),
            _ => Err(foreign(words)),
        }
    }

    /// Returns the place of the statement in its section.
    pub(super) fn place(&self) -> u8 {
        match self {
            Self::Area(_) => 0,
            Self::Metric(_) => 1,
            Self::Passive => 2,
            Self::Hello(_) | Self::MaximumMetric => 3,
            Self::Dead(_) | Self::RedistributeBgp(_) => 4,
            Self::Stub(_) => 6,
            Self::On(_) => 7,
        }
    }

    /// Returns what the statement is about.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::MaximumMetric => "maximum-metric".to_owned(),
            Self::RedistributeBgp(_) => "redistribute-bgp".to_owned(),
            Self::Stub(area) => format!("area {area}"),
            Self::On(name) => format!("interface {name}"),
            Self::Area(_) => "area".to_owned(),
            Self::Metric(_) => "metric".to_owned(),
            Self::Passive => "passive".to_owned(),
            Self::Hello(_) => "hello".to_owned(),
            Self::Dead(_) => "dead".to_owned(),
        }
    }
}

fn foreign(words: &[&str]) -> String {
    format!("`{}` is not a statement of this section", words.join(" ").escape_debug())
}

/// Reads address families, at least one.
pub(super) fn families(words: &[&str]) -> Result<BTreeSet<AfiSafi>, String> {
    let family = |word: &&str| match *word {
        "ipv4" => Ok(AfiSafi::Ipv4Unicast),
        "ipv6" => Ok(AfiSafi::Ipv6Unicast),
        _ => Err(format!("`{}` is neither `ipv4` nor `ipv6`", word.escape_debug())),
    };
    words.iter().map(family).collect()
}
