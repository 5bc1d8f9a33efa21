//! Reads what a device prints into a part of its state.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use minijinja::context;
use serde::de::DeserializeOwned;
use weft_device::{
    config::{AfiSafi, NeighborTarget},
    state::{InterfaceState, NeighborState, OspfNeighborState, RouteTable},
};
use weft_model::{InterfaceName, OsVersion};

use crate::{Pack, PackError, environment, manifest::CollectorName};

/// A part of a device's state, see `weft_device::state::DeviceState`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatePart {
    /// The version of its operating system.
    Version(OsVersion),
    /// The interfaces.
    Interfaces(BTreeMap<InterfaceName, InterfaceState>),
    /// The BGP neighbors.
    Neighbors(BTreeMap<NeighborTarget, NeighborState>),
    /// The OSPF neighbors by interface.
    OspfNeighbors(BTreeMap<InterfaceName, BTreeMap<AfiSafi, OspfNeighborState>>),
    /// The routes that the routing daemon selected.
    Rib(RouteTable),
    /// The routes that forward packets.
    Fib(RouteTable),
    /// The prefixes announced to one neighbor.
    Advertised(BTreeSet<IpNet>),
}

impl CollectorName {
    /// Returns the name as it stands in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Interfaces => "interfaces",
            Self::Neighbors => "neighbors",
            Self::OspfNeighbors => "ospf-neighbors",
            Self::Rib => "rib",
            Self::Fib => "fib",
            Self::Advertised => "advertised",
        }
    }
}

impl Pack {
    /// Reads the outputs of a collector's commands, one for each, into the part of the state that it collects.
    ///
    /// # Errors
    ///
    /// When the pack has no such collector, or its parser does not understand the outputs.
    pub fn parse(&self, collector: CollectorName, outputs: &[String]) -> Result<StatePart, PackError> {
        let Some(found) = self.manifest().collectors.get(&collector) else {
            return Err(PackError::NoCollector { pack: self.name().clone(), part: collector.as_str() });
        };
        let parser = found.parser.as_str();
        let json = self
            .parsers
            .get_template(parser)
            .and_then(|template| template.render(context! { outputs => outputs.to_vec() }))
            .map_err(|error| {
                let name = error.name().unwrap_or(parser).to_owned();
                let place = error.line().map(|line| format!(" line {line}")).unwrap_or_default();
                self.parser_error(&name, place, environment::reason(&error))
            })?;
        Ok(match collector {
            CollectorName::Version => StatePart::Version(self.read(parser, &json)?),
            CollectorName::Interfaces => StatePart::Interfaces(self.read(parser, &json)?),
            CollectorName::Neighbors => StatePart::Neighbors(self.read(parser, &json)?),
            CollectorName::OspfNeighbors => StatePart::OspfNeighbors(self.read(parser, &json)?),
            CollectorName::Rib => StatePart::Rib(self.read(parser, &json)?),
            CollectorName::Fib => StatePart::Fib(self.read(parser, &json)?),
            CollectorName::Advertised => StatePart::Advertised(self.read(parser, &json)?),
        })
    }

    fn read<T: DeserializeOwned>(&self, parser: &str, json: &str) -> Result<T, PackError> {
        serde_json::from_str(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let text = json.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let around: String = text.chars().skip(column.saturating_sub(60)).take(80).collect();
            let place = format!(" at `{}` (line {line} of what it made)", around.trim().escape_debug());
            self.parser_error(parser, place, error.to_string())
        })
    }

    fn parser_error(&self, parser: &str, place: String, reason: String) -> PackError {
        PackError::Parser { pack: self.name().clone(), parser: parser.to_owned(), place, reason }
    }
}
