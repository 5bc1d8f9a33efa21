//! OSPF (RFC 2328, RFC 5340): who becomes adjacent to whom, and the routes of every device.
//!
//! One process for each address family, each by itself. An interface that is not passive is a point-to-point link. Two ends
//! become adjacent when both run the family on interfaces that are up, in one area of one kind, with the same timers and MTU,
//! and, for IPv4, with a subnet in common or none at both ends.
//!
//! With `maximum_metric`, the links of a device cost the most there is, and with them their subnets, because that is how devices
//! are configured to do it; loopbacks and host ports keep their metric.

mod adjacency;
mod routes;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use weft_device::{
    config::{AfiSafi, DeviceConfig, OspfInterface},
    state::{NextHop, OspfNeighborState, RouteTable},
};
use weft_model::{AreaId, InterfaceName, NodeName};

use crate::{Failed, cabling::Cabling};

/// The metric of what is only to be passed when there is no other way (RFC 6987).
const LARGEST_METRIC: u32 = 65_535;

/// The neighbors of a device.
pub(crate) type Neighbors = BTreeMap<InterfaceName, BTreeMap<AfiSafi, OspfNeighborState>>;

/// OSPF of a network, as far as it does not depend on what comes from BGP.
#[derive(Debug)]
pub(crate) struct Ospf {
    /// The neighbors of each device that runs it.
    pub(crate) neighbors: Vec<Option<Neighbors>>,
    domains: Vec<routes::Domain>,
}

/// What one device says in one address family.
#[derive(Debug, Default)]
struct Router {
    /// Its adjacencies.
    links: Vec<Link>,
    /// The prefixes that it announces, with their area and metric.
    stubs: Vec<(AreaId, IpNet, u32)>,
    /// The areas that an interface of it is in, and whether they are stubs.
    areas: BTreeMap<AreaId, bool>,
    maximum_paths: usize,
}

/// An adjacency, seen from one of its ends.
#[derive(Debug)]
struct Link {
    area: AreaId,
    to: usize,
    cost: u32,
    next_hop: NextHop,
}

impl Ospf {
    /// Returns OSPF of devices of which none is off, with the prefixes that are asked for.
    pub(crate) fn new(
        configs: &BTreeMap<&NodeName, &DeviceConfig>,
        cabling: &Cabling<'_>,
        failed: &Failed,
        asked: impl Fn(&IpNet) -> bool,
    ) -> Self {
        let mut neighbors: Vec<Option<Neighbors>> =
            configs.values().map(|config| config.ospf.as_ref().map(|_| Neighbors::new())).collect();
        let families: BTreeSet<AfiSafi> =
            configs.values().flat_map(|c| &c.ospf).flat_map(|o| &o.families).copied().collect();
        let domains = families.into_iter().map(|family| {
            let ends = adjacency::Ends { configs, cabling, failed, family };
            let mut routers = ends.routers(&mut neighbors);
            for router in &mut routers {
                router.stubs.retain(|(_, prefix, _)| asked(prefix));
            }
            routes::Domain::new(family, routers)
        });
        let domains = domains.collect();
        Self { neighbors, domains }
    }

    /// Tells whether any device runs it.
    pub(crate) fn is_used(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Returns what it costs each device to reach some prefixes.
    pub(crate) fn costs(&self, devices: usize, prefixes: &BTreeSet<IpNet>) -> Vec<BTreeMap<IpNet, u32>> {
        let mut costs = vec![BTreeMap::new(); devices];
        for domain in self.domains.iter().filter(|_| !prefixes.is_empty()) {
            for (costs, of_domain) in costs.iter_mut().zip(domain.costs(prefixes)) {
                costs.extend(of_domain);
            }
        }
        costs
    }

    /// Returns the routes of every device, while these prefixes are announced as external ones. What a device is connected to is
    /// not among its routes.
    pub(crate) fn routes(&self, external: &[BTreeSet<IpNet>]) -> Vec<RouteTable> {
        let mut tables = vec![RouteTable::new(); external.len()];
        for domain in &self.domains {
            for (table, routes) in tables.iter_mut().zip(domain.routes(external)) {
                table.extend(routes);
            }
        }
        tables
    }
}

/// Returns the metric of an interface.
fn metric(interface: &OspfInterface, maximum: bool) -> u32 {
    if maximum && !interface.passive { LARGEST_METRIC } else { u32::from(interface.metric.max(1)) }
}
