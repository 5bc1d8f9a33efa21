//! Shortest paths within an area (RFC 2328 16.1).

use std::{cmp::Reverse, collections::BinaryHeap};

use rustc_hash::FxHashMap;
use weft_model::AreaId;

use super::Router;
use crate::attributes::Numbered;

/// How a device reaches something: the cost, and the links of the device through which it does. No links lead to the device itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) cost: u32,
    pub(super) links: LinksId,
}

/// A set of links of a device, as a number of [`LinkSets`].
pub(super) type LinksId = u32;

/// No links.
pub(super) const NO_LINKS: LinksId = 0;

impl Way {
    /// Returns the way to what is `cost` beyond.
    pub(super) fn beyond(self, cost: u32) -> Self {
        Self { cost: self.cost + cost, links: self.links }
    }
}

/// The sets of links through which a device reaches something, each once.
#[derive(Debug)]
pub(super) struct LinkSets {
    /// In order.
    sets: Numbered<'static, Box<[u16]>>,
    unions: FxHashMap<(LinksId, LinksId), LinksId>,
}

impl LinkSets {
    pub(super) fn new() -> Self {
        let mut sets = Numbered::new(None);
        sets.number(&[][..], Box::default);
        Self { sets, unions: FxHashMap::default() }
    }

    /// Returns the links of a set, in order.
    pub(super) fn get(&self, links: LinksId) -> &[u16] {
        self.sets.get(links)
    }

    fn one(&mut self, link: u16) -> LinksId {
        self.sets.number(&[link][..], || [link].into())
    }

    fn union(&mut self, a: LinksId, b: LinksId) -> LinksId {
        if a == b {
            return a;
        }
        if let Some(&known) = self.unions.get(&(a, b)) {
            return known;
        }
        let mut links = [self.get(a), self.get(b)].concat();
        links.sort_unstable();
        links.dedup();
        let union = self.sets.number(&links[..], || links[..].into());
        self.unions.insert((a, b), union);
        union
    }

    /// Keeps the shorter of two ways, and both if they are as short.
    pub(super) fn offer(&mut self, known: &mut Option<Way>, way: Way) {
        match known {
            Some(known) if known.cost < way.cost => {}
            // What a device has itself, it reaches over no link.
            Some(known) if known.cost == way.cost => {
                known.links = if known.links == NO_LINKS || way.links == NO_LINKS {
                    NO_LINKS
                } else {
                    self.union(known.links, way.links)
                };
            }
            Some(_) | None => *known = Some(way),
        }
    }
}

/// Returns the shortest ways from a device to all others of an area, with all that are as short.
pub(super) fn ways(routers: &[Router], root: usize, area: AreaId, sets: &mut LinkSets) -> Vec<Option<Way>> {
    let mut ways: Vec<Option<Way>> = vec![None; routers.len()];
    let mut done = vec![false; routers.len()];
    let mut waiting = BinaryHeap::from([Reverse((0, root))]);
    ways[root] = Some(Way { cost: 0, links: NO_LINKS });
    // Costs are at least 1, so that all ways to a device are known once it is its turn.
    while let Some(Reverse((_, device))) = waiting.pop() {
        if std::mem::replace(&mut done[device], true) {
            continue;
        }
        let Some(here) = ways[device] else { continue };
        for (index, link) in (0_u16..).zip(&routers[device].links) {
            if link.area != area || done[link.to] {
                continue;
            }
            let links = if device == root { sets.one(index) } else { here.links };
            let way = Way { cost: here.cost + link.cost, links };
            // A way that is no shorter has the device waiting already.
            if ways[link.to].is_none_or(|known| way.cost < known.cost) {
                waiting.push(Reverse((way.cost, link.to)));
            }
            sets.offer(&mut ways[link.to], way);
        }
    }
    ways
}
