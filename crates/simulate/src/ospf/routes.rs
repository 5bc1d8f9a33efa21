//! The routes of one address family: within areas, between them over the backbone, and external ones of type 2.
//!
//! A border router is one with interfaces in the backbone and in another area; it looks at no summaries but those of the
//! backbone. A stub area has summaries and a default route of metric 1 from each border router, and no external routes.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use weft_device::{
    config::AfiSafi,
    state::{NextHop, Route, RouteProtocol, RouteTable, Shared},
};
use weft_model::AreaId;

use super::{
    Router,
    tree::{LinkSets, LinksId, NO_LINKS, Way, ways},
};

/// The metric of the default route into a stub area.
const DEFAULT_METRIC: u32 = 1;

/// OSPF for one address family.
#[derive(Debug)]
pub(super) struct Domain {
    family: AfiSafi,
    routers: Vec<Router>,
}

/// Something to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Destination {
    /// A prefix.
    Network(IpNet),
    /// A device that announces external routes.
    Border(usize),
}

/// The ways of a device to everything, by number of the destination.
type Ways = Vec<Option<Way>>;

/// The next hops of sets of links of a device.
type NextHops = FxHashMap<LinksId, Shared<BTreeSet<NextHop>>>;

/// What border routers say into an area: who, and the number and cost of what each reaches.
type Summaries = BTreeMap<AreaId, Vec<(usize, Vec<(usize, u32)>)>>;

/// The routes of a domain in the making.
struct Computation<'d> {
    routers: &'d [Router],
    /// The destinations, in order.
    destinations: Vec<Destination>,
    /// What is announced within each area: by whom, the number of the destination, its cost.
    announced: BTreeMap<AreaId, Vec<(usize, usize, u32)>>,
    summaries: Summaries,
}

/// What a device reaches within its areas.
struct Within {
    /// The ways to other devices.
    trees: BTreeMap<AreaId, Vec<Option<Way>>>,
    /// The best ways.
    ways: Ways,
    /// The area of each way.
    areas: Vec<Option<AreaId>>,
    /// The links of all these ways.
    sets: LinkSets,
}

impl Domain {
    pub(super) fn new(family: AfiSafi, routers: Vec<Router>) -> Self {
        Self { family, routers }
    }

    /// Returns the routes of every device, while these prefixes are announced as external ones.
    pub(super) fn routes(&self, external: &[BTreeSet<IpNet>]) -> Vec<RouteTable> {
        let of_family = |prefix: &&IpNet| prefix.addr().is_ipv6() == (self.family == AfiSafi::Ipv6Unicast);
        let mut announcers: BTreeMap<IpNet, Vec<usize>> = BTreeMap::new();
        for (device, prefixes) in external.iter().enumerate() {
            for prefix in prefixes.iter().filter(of_family) {
                announcers.entry(*prefix).or_default().push(device);
            }
        }
        let borders: BTreeSet<usize> = announcers.values().flatten().copied().collect();
        let mut computation = Computation::new(&self.routers, self.default_route(), &borders);
        computation.summarise(self.default_route());
        let table = |device| computation.table(device, &announcers);
        (0..self.routers.len()).into_par_iter().map(table).collect()
    }

    /// Returns what it costs every device to reach some prefixes.
    pub(super) fn costs(&self, prefixes: &BTreeSet<IpNet>) -> Vec<BTreeMap<IpNet, u32>> {
        let mut computation = Computation::new(&self.routers, self.default_route(), &BTreeSet::new());
        computation.summarise(self.default_route());
        let costs = |device| computation.costs(device, prefixes);
        (0..self.routers.len()).into_par_iter().map(costs).collect()
    }

    fn default_route(&self) -> IpNet {
        match self.family {
            AfiSafi::Ipv4Unicast => Ipv4Net::default().into(),
            AfiSafi::Ipv6Unicast => Ipv6Net::default().into(),
        }
    }
}

impl Router {
    fn is_border(&self) -> bool {
        self.areas.len() > 1 && self.areas.contains_key(&AreaId::BACKBONE)
    }
}

impl<'d> Computation<'d> {
    fn new(routers: &'d [Router], default: IpNet, borders: &BTreeSet<usize>) -> Self {
        let networks =
            routers.iter().flat_map(|router| &router.stubs).map(|(_, prefix, _)| Destination::Network(*prefix));
        let destinations: BTreeSet<Destination> = networks
            .chain([Destination::Network(default)])
            .chain(borders.iter().map(|&device| Destination::Border(device)))
            .collect();
        let destinations: Vec<Destination> = destinations.into_iter().collect();
        let mut computation = Self { routers, destinations, announced: BTreeMap::new(), summaries: Summaries::new() };
        for (device, router) in routers.iter().enumerate() {
            for (area, prefix, cost) in &router.stubs {
                let Some(number) = computation.number(Destination::Network(*prefix)) else { continue };
                computation.announced.entry(*area).or_default().push((device, number, *cost));
            }
            // No external route comes out of a stub area.
            for (area, _) in router.areas.iter().filter(|(_, stub)| !**stub) {
                let Some(number) = computation.number(Destination::Border(device)) else { continue };
                computation.announced.entry(*area).or_default().push((device, number, 0));
            }
        }
        computation
    }

    fn number(&self, destination: Destination) -> Option<usize> {
        self.destinations.binary_search(&destination).ok()
    }

    /// Returns what a device reaches within its areas.
    fn within(&self, device: usize) -> Within {
        let number = self.destinations.len();
        let (ways_to, areas, mut sets) = (vec![None; number], vec![None; number], LinkSets::new());
        let mut within = Within { trees: BTreeMap::new(), ways: ways_to, areas, sets: LinkSets::new() };
        for &area in self.routers[device].areas.keys() {
            let tree = ways(self.routers, device, area, &mut sets);
            for &(announcer, number, cost) in self.announced.get(&area).into_iter().flatten() {
                let Some(way) = &tree[announcer] else { continue };
                let (cost, known) = (way.cost + cost, &mut within.ways[number]);
                let former = within.areas[number].filter(|former| *former != area);
                // Of areas in which a device with external routes is as far away, the one with the largest id counts (RFC 2328 16.4).
                let same = known.is_some_and(|known| known.cost == cost) && self.is_border(number);
                if former.is_some_and(|former| same || self.is_preferred(number, area, former)) {
                    *known = None;
                }
                match known {
                    Some(known) if known.cost < cost => continue,
                    Some(known) if known.cost == cost => {}
                    Some(_) | None => within.areas[number] = Some(area),
                }
                sets.offer(known, Way { cost, links: way.links });
            }
            within.trees.insert(area, tree);
        }
        within.sets = sets;
        within
    }

    /// Tells whether a way in an area comes before a known one whatever they cost: to a device with external routes, through an
    /// area that is not the backbone (RFC 2328 16.4.1).
    fn is_preferred(&self, number: usize, area: AreaId, known: AreaId) -> bool {
        self.is_border(number) && known == AreaId::BACKBONE && area != AreaId::BACKBONE
    }

    fn is_border(&self, number: usize) -> bool {
        matches!(self.destinations[number], Destination::Border(_))
    }

    /// Adds to the ways of a device those that the border routers of some areas tell of, where it has none within its areas.
    fn between(&self, within: &mut Within, areas: &[AreaId]) -> Ways {
        let mut between: Ways = vec![None; self.destinations.len()];
        for area in areas {
            let Some(tree) = within.trees.get(area) else { continue };
            for (border, summary) in self.summaries.get(area).into_iter().flatten() {
                let Some(way) = tree[*border].filter(|way| way.links != NO_LINKS) else { continue };
                for &(number, cost) in summary.iter().filter(|(number, _)| within.ways[*number].is_none()) {
                    within.sets.offer(&mut between[number], way.beyond(cost));
                }
            }
        }
        between
    }

    /// Lets the border routers say what they reach, first into the backbone, then out of it.
    fn summarise(&mut self, default: IpNet) {
        let borders: Vec<usize> = (0..self.routers.len()).filter(|&device| self.routers[device].is_border()).collect();
        let mut within: Vec<Within> = borders.par_iter().map(|&device| self.within(device)).collect();
        let from_areas = |within: &Within| {
            let ways = within.ways.iter().zip(&within.areas).enumerate();
            let foreign = ways.filter(|(_, (_, area))| area.is_some_and(|area| area != AreaId::BACKBONE));
            foreign.filter_map(|(number, (way, _))| Some((number, way.as_ref()?.cost))).collect()
        };
        let into_backbone = borders.iter().zip(&within).map(|(&device, within)| (device, from_areas(within))).collect();
        self.summaries.insert(AreaId::BACKBONE, into_backbone);

        let default = self.number(Destination::Network(default));
        let mut summaries = Summaries::new();
        for (&device, within) in borders.iter().zip(&mut within) {
            let between = self.between(within, &[AreaId::BACKBONE]);
            let areas = self.routers[device].areas.iter().filter(|(area, _)| **area != AreaId::BACKBONE);
            for (&area, &stub) in areas {
                let mut summary = Vec::new();
                for (number, destination) in self.destinations.iter().enumerate() {
                    let inside = within.ways[number].as_ref().filter(|_| within.areas[number] != Some(area));
                    let way = if within.ways[number].is_some() { inside } else { between[number].as_ref() };
                    let cost = way.map(|way| way.cost);
                    match destination {
                        Destination::Network(_) if stub && Some(number) == default => {
                            summary.push((number, DEFAULT_METRIC));
                        }
                        Destination::Border(_) if stub => {}
                        Destination::Network(_) | Destination::Border(_) => {
                            summary.extend(cost.map(|cost| (number, cost)))
                        }
                    }
                }
                summaries.entry(area).or_default().push((device, summary));
            }
        }
        self.summaries.extend(summaries);
    }

    /// Returns what a device reaches within its areas, and the ways between areas.
    fn reached(&self, device: usize) -> (Within, Ways) {
        let router = &self.routers[device];
        let mut within = self.within(device);
        let areas: Vec<AreaId> =
            if router.is_border() { vec![AreaId::BACKBONE] } else { router.areas.keys().copied().collect() };
        let between = self.between(&mut within, &areas);
        (within, between)
    }

    /// Returns what it costs a device to reach some prefixes.
    fn costs(&self, device: usize, prefixes: &BTreeSet<IpNet>) -> BTreeMap<IpNet, u32> {
        let (within, between) = self.reached(device);
        let cost = |prefix: &IpNet| {
            let number = self.number(Destination::Network(*prefix))?;
            Some((*prefix, within.ways[number].or(between[number])?.cost))
        };
        prefixes.iter().filter_map(cost).collect()
    }

    /// Returns the routes of a device, without those to what it is connected to.
    fn table(&self, device: usize, announcers: &BTreeMap<IpNet, Vec<usize>>) -> RouteTable {
        let router = &self.routers[device];
        let (Within { ways, areas, mut sets, .. }, between) = self.reached(device);
        let to = |number: usize| ways[number].or(between[number]);

        let mut next_hops = NextHops::default();
        let mut table = RouteTable::new();
        if router.areas.values().any(|stub| !stub) {
            for (prefix, announcers) in announcers {
                let mut best = None;
                let others = announcers.iter().filter(|&&border| border != device);
                let others: Vec<usize> =
                    others.filter_map(|&border| self.number(Destination::Border(border))).collect();
                // Those within an area that is not the backbone come first, whatever they cost (RFC 2328 16.4.1).
                let is_near = |number: usize| areas[number].is_some_and(|area| area != AreaId::BACKBONE);
                let any_near = others.iter().any(|&number| is_near(number));
                for &number in others.iter().filter(|&&number| !any_near || is_near(number)) {
                    if let Some(way) = to(number) {
                        sets.offer(&mut best, way);
                    }
                }
                table.extend(best.and_then(|way| Some((*prefix, self.route(device, way, &sets, &mut next_hops)?))));
            }
        }
        for (number, destination) in self.destinations.iter().enumerate() {
            let (Destination::Network(prefix), Some(way)) = (destination, to(number)) else { continue };
            match self.route(device, way, &sets, &mut next_hops) {
                Some(route) => table.insert(*prefix, route),
                None => table.remove(prefix),
            };
        }
        table
    }

    fn route(&self, device: usize, way: Way, sets: &LinkSets, known: &mut NextHops) -> Option<Route> {
        let router = &self.routers[device];
        let next_hops = || {
            let links = sets.get(way.links).iter().take(router.maximum_paths);
            links.map(|&link| router.links[usize::from(link)].next_hop.clone()).collect()
        };
        (way.links != NO_LINKS).then(|| Route {
            protocol: RouteProtocol::Ospf,
            next_hops: known.entry(way.links).or_insert_with(next_hops).clone(),
        })
    }
}
