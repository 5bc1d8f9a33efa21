//! Shortest paths within an area (RFC 2328 16.1).

use std::{cmp::Reverse, collections::BinaryHeap};

use weft_model::AreaId;

use super::Router;

/// How a device reaches something: the cost, and the links of the device through which it does, in order. No links lead to the
/// device itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Way {
    pub(super) cost: u32,
    pub(super) links: Vec<u16>,
}

impl Way {
    /// Returns the way to what is `cost` beyond.
    pub(super) fn beyond(&self, cost: u32) -> Self {
        Self { cost: self.cost + cost, links: self.links.clone() }
    }
}

/// Keeps the shorter of two ways, and both if they are as short.
pub(super) fn offer(known: &mut Option<Way>, way: Way) {
    match known {
        Some(known) if known.cost < way.cost => {}
        // What a device has itself, it reaches over no link.
        Some(known) if known.cost == way.cost => {
            if !known.links.is_empty() && !way.links.is_empty() {
                known.links.extend(way.links);
                known.links.sort_unstable();
                known.links.dedup();
            } else {
                known.links.clear();
            }
        }
        Some(_) | None => *known = Some(way),
    }
}

/// Returns the shortest ways from a device to all others of an area, with all that are as short.
pub(super) fn ways(routers: &[Router], root: usize, area: AreaId) -> Vec<Option<Way>> {
    let mut ways: Vec<Option<Way>> = vec![None; routers.len()];
    let mut done = vec![false; routers.len()];
    let mut waiting = BinaryHeap::from([Reverse((0, root))]);
    ways[root] = Some(Way::default());
    // Costs are at least 1, so that all ways to a device are known once it is its turn.
    while let Some(Reverse((_, device))) = waiting.pop() {
        if std::mem::replace(&mut done[device], true) {
            continue;
        }
        let Some(here) = ways[device].clone() else { continue };
        for (index, link) in (0_u16..).zip(&routers[device].links) {
            if link.area != area || done[link.to] {
                continue;
            }
            let way = if device == root { Way { cost: link.cost, links: vec![index] } } else { here.beyond(link.cost) };
            waiting.push(Reverse((way.cost, link.to)));
            offer(&mut ways[link.to], way);
        }
    }
    ways
}
