//! The changes of traffic that a pipeline allows.

use std::{collections::BTreeSet, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_check::traffic::{Place, PlaceClass};
use weft_diagnostics::Diagnostic;
use weft_intent::Document;
use weft_model::Name;
use weft_model::TrafficWhat;

use super::PlanStage;
use crate::codes;

/// Traffic that may move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AllowedChange {
    /// Where it starts: `segment/NAME`, `peering/NAME`, `node/NAME`, `fabric/NAME`, `site/NAME`, `role/NAME`, `internet`,
    /// `loopbacks` or `any`. Default `any`.
    pub from: Option<String>,
    /// Where it goes, in the same words. Default `any`.
    pub to: Option<String>,
    /// How it may change. Default: in any way.
    pub what: BTreeSet<TrafficWhat>,
}

/// Where traffic starts or goes, as a pipeline names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrafficEnd {
    /// Anywhere.
    Any,
    /// What is behind external neighbors and belongs to none of them.
    Internet,
    /// The loopbacks of nodes.
    Loopbacks,
    /// A segment.
    Segment(Name),
    /// An external neighbor.
    Peering(Name),
    /// Whatever is at one node: its loopback, and the ports of segments.
    Node(Name),
    /// Whatever is at the nodes of a fabric.
    Fabric(Name),
    /// Whatever is at the nodes of a site.
    Site(Name),
    /// Whatever is at the nodes of a role.
    Role(Name),
}

/// Why a text is not where traffic starts or goes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not where traffic starts or goes", .0.escape_debug())]
pub struct InvalidTrafficEnd(String);

impl FromStr for TrafficEnd {
    type Err = InvalidTrafficEnd;

    fn from_str(text: &str) -> Result<Self, InvalidTrafficEnd> {
        let fail = || InvalidTrafficEnd(text.chars().take(80).collect());
        let (kind, name) = match (text, text.split_once('/')) {
            ("any", _) => return Ok(Self::Any),
            ("internet", _) => return Ok(Self::Internet),
            ("loopbacks", _) => return Ok(Self::Loopbacks),
            (_, Some((kind, name))) => (kind, name.parse().map_err(|_| fail())?),
            (_, None) => return Err(fail()),
        };
        Ok(match kind {
            "segment" => Self::Segment(name),
            "peering" => Self::Peering(name),
            "node" => Self::Node(name),
            "fabric" => Self::Fabric(name),
            "site" => Self::Site(name),
            "role" => Self::Role(name),
            _ => return Err(fail()),
        })
    }
}

impl fmt::Display for TrafficEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Internet => f.write_str("internet"),
            Self::Loopbacks => f.write_str("loopbacks"),
            Self::Segment(name) => write!(f, "segment/{name}"),
            Self::Peering(name) => write!(f, "peering/{name}"),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::Fabric(name) => write!(f, "fabric/{name}"),
            Self::Site(name) => write!(f, "site/{name}"),
            Self::Role(name) => write!(f, "role/{name}"),
        }
    }
}

impl TrafficEnd {
    /// Tells whether a place is part of it.
    pub fn holds(&self, place: &Place) -> bool {
        let is = |name: &Name, of: Option<&str>| of == Some(name.as_str());
        match self {
            Self::Any => true,
            Self::Internet => place.class == PlaceClass::Internet,
            Self::Loopbacks => place.class == PlaceClass::Loopbacks,
            Self::Segment(name) => place.class == PlaceClass::Segment(name.clone()),
            Self::Peering(name) => place.class == PlaceClass::Peering(name.clone()),
            Self::Node(name) => is(name, place.node.as_ref().map(|node| node.as_str())),
            Self::Fabric(name) => is(name, place.fabric.as_ref().map(Name::as_str)),
            Self::Site(name) => is(name, place.site.as_ref().map(Name::as_str)),
            Self::Role(name) => is(name, place.role.as_ref().map(|role| role.as_str())),
        }
    }
}

impl AllowedChange {
    /// Tells whether it allows a change of the traffic from one place to another.
    pub fn allows(&self, from: &Place, to: &Place, what: TrafficWhat) -> bool {
        // A text that is no end was told where it stands, and no pipeline with one is carried out.
        let holds = |end: &Option<String>, place: &Place| {
            end.as_ref().is_none_or(|end| end.parse::<TrafficEnd>().is_ok_and(|end| end.holds(place)))
        };
        (self.what.is_empty() || self.what.contains(&what)) && holds(&self.from, from) && holds(&self.to, to)
    }
}

/// Returns the changes that the message of a commit allows, and the lines that mean to and do not. A line is `Allow-change: FROM ->
/// TO: WHAT, WHAT`, where the last part may be left out.
pub fn of_message(message: &str) -> (Vec<AllowedChange>, Vec<&str>) {
    let (mut allowed, mut malformed) = (Vec::new(), Vec::new());
    for line in message.lines().map(str::trim) {
        let Some(said) = line.strip_prefix(TRAILER) else { continue };
        match of_line(said) {
            Some(change) => allowed.push(change),
            None => malformed.push(line),
        }
    }
    (allowed, malformed)
}

/// What a line of a commit's message begins with that allows a change.
const TRAILER: &str = "Allow-change:";

fn of_line(said: &str) -> Option<AllowedChange> {
    let (from, to) = said.split_once("->")?;
    let (to, what) = to.split_once(':').unwrap_or((to, ""));
    let end = |text: &str| text.trim().parse::<TrafficEnd>().ok().map(|end| Some(end.to_string()));
    let words = what.split(',').map(str::trim).filter(|word| !word.is_empty());
    let what: Option<BTreeSet<TrafficWhat>> =
        words.map(|word| serde_json::from_value(serde_json::Value::from(word)).ok()).collect();
    Some(AllowedChange { from: end(from)?, to: end(to)?, what: what? })
}

/// Returns the ends with a name that none of these places is part of, so that they allow nothing.
pub fn nowhere<'p>(allowed: &[AllowedChange], places: impl Iterator<Item = &'p Place> + Clone) -> BTreeSet<TrafficEnd> {
    let ends = allowed.iter().flat_map(|change| [&change.from, &change.to]).flatten();
    let ends = ends.filter_map(|end| end.parse::<TrafficEnd>().ok());
    let named = |end: &TrafficEnd| match end {
        TrafficEnd::Any | TrafficEnd::Internet | TrafficEnd::Loopbacks => false,
        TrafficEnd::Segment(_)
        | TrafficEnd::Peering(_)
        | TrafficEnd::Node(_)
        | TrafficEnd::Fabric(_)
        | TrafficEnd::Site(_)
        | TrafficEnd::Role(_) => true,
    };
    ends.filter(|end| named(end) && !places.clone().any(|place| end.holds(place))).collect()
}

/// Returns what is wrong with the ends in the list at `pointer`.
pub(super) fn mistakes(document: &Document, pointer: &str, plan: &PlanStage) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (index, change) in plan.allow_changes.iter().flatten().enumerate() {
        for (key, end) in [("from", &change.from), ("to", &change.to)] {
            let Some(Err(error)) = end.as_ref().map(|end| end.parse::<TrafficEnd>()) else { continue };
            let help = "write `segment/NAME`, `peering/NAME`, `node/NAME`, `fabric/NAME`, `site/NAME`, `role/NAME`, \
                        `internet`, `loopbacks` or `any`";
            findings.push(
                Diagnostic::error(codes::NOT_A_TRAFFIC_END, error.to_string())
                    .at(document.span(&format!("{pointer}/{index}/{key}")))
                    .help(help),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_place_is_nowhere() {
        let place = Place {
            class: PlaceClass::Loopbacks,
            node: "leaf-1".parse().ok(),
            interface: None,
            prefix: None,
            ipv6: false,
            fabric: None,
            site: None,
            role: "leaf".parse().ok(),
            starts: true,
            ends: true,
            address: [10, 0, 0, 1].into(),
            subnet: None,
        };
        let (allowed, _) = of_message(
            "Allow-change: node/leaf-1 -> node/leaf-2\nAllow-change: role/leaf -> internet\nAllow-change: any -> segment/web",
        );
        let ends: Vec<String> = nowhere(&allowed, [&place].into_iter()).iter().map(ToString::to_string).collect();
        assert_eq!(ends, ["segment/web", "node/leaf-2"]);
    }

    #[test]
    fn a_commit_allows_what_its_lines_say() {
        let message = "Drain a border\n\nAllow-change: segment/web -> internet: path, narrower\nAllow-change: any -> role/leaf\n\
                       Allow-change: web -> internet\n  Allow-change: any -> any: faster\nallow-change: any -> any\n";
        let (allowed, malformed) = of_message(message);
        let change = |from: &str, to: &str, what: &[TrafficWhat]| AllowedChange {
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            what: what.iter().copied().collect(),
        };
        let first = change("segment/web", "internet", &[TrafficWhat::Path, TrafficWhat::Narrower]);
        assert_eq!(allowed, [first, change("any", "role/leaf", &[])]);
        assert_eq!(malformed, ["Allow-change: web -> internet", "Allow-change: any -> any: faster"]);
    }
}
