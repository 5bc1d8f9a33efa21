//! Lays out the topology for drawing: a column for each site, a row for each tier.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Report;
use crate::run::{LinkState, NodeRecord};

const NODE_WIDTH: i32 = 108;
const NODE_HEIGHT: i32 = 40;
const NODE_GAP: i32 = 14;
/// From the top of one row to the top of the next.
const ROW_HEIGHT: i32 = 118;
/// From the top of one line of nodes to the next, where a row has more nodes than fit in one.
const LINE_HEIGHT: i32 = 56;
const SITE_PADDING: i32 = 22;
const SITE_TITLE: i32 = 34;
const SITE_GAP: i32 = 28;
/// Most nodes side by side within a site.
const MOST_IN_A_LINE: usize = 12;

/// A drawing, in pixels.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    width: i32,
    height: i32,
    sites: Vec<Site>,
    nodes: Vec<Node>,
    links: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct Site {
    name: String,
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

#[derive(Debug, Serialize)]
struct Node {
    name: String,
    role: String,
    managed: bool,
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

#[derive(Debug, Serialize)]
struct Link {
    a: String,
    b: String,
    state: LinkState,
    path: String,
}

/// Returns the row of a role, from the outside world at the top to the hosts at the bottom.
fn tier(role: &str) -> u8 {
    match role {
        "external" => 0,
        "border" | "dci" | "edge" | "core" | "wan" | "exit" => 1,
        "super-spine" | "superspine" => 2,
        "spine" => 3,
        "leaf" | "tor" | "access" => 5,
        _ => 4,
    }
}

/// Returns the drawing of a report's topology, and `None` where there are no nodes.
pub(super) fn draw(report: &Report) -> Option<Drawing> {
    if report.nodes.is_empty() {
        return None;
    }
    let tiers: BTreeSet<u8> = report.nodes.iter().map(|node| tier(&node.role)).collect();
    // A node without a site is drawn in a column of its own, behind the sites.
    let mut columns: BTreeMap<(bool, &str), BTreeMap<u8, Vec<&NodeRecord>>> = BTreeMap::new();
    for node in &report.nodes {
        let site = node.site.as_deref();
        columns
            .entry((site.is_none(), site.unwrap_or("")))
            .or_default()
            .entry(tier(&node.role))
            .or_default()
            .push(node);
    }
    for (index, rows) in columns.values_mut().enumerate() {
        for row in rows.values_mut() {
            // Roles are mirrored in every other site, so that those of one role stand near each other across the gap.
            row.sort_by(|a, b| {
                let roles = if index % 2 == 0 { a.role.cmp(&b.role) } else { b.role.cmp(&a.role) };
                roles.then_with(|| a.name.cmp(&b.name))
            });
        }
    }

    let mut tops: BTreeMap<u8, i32> = BTreeMap::new();
    let mut y = SITE_TITLE + 14;
    for &tier in &tiers {
        tops.insert(tier, y);
        let most = columns.values().filter_map(|rows| rows.get(&tier)).map(Vec::len).max().unwrap_or(0);
        let lines = i32::try_from(most.div_ceil(MOST_IN_A_LINE)).unwrap_or(1).max(1);
        y += ROW_HEIGHT + (lines - 1) * LINE_HEIGHT;
    }
    let height = y - ROW_HEIGHT + NODE_HEIGHT + SITE_PADDING;

    let (mut sites, mut nodes, mut x) = (Vec::new(), Vec::new(), 0);
    for ((_, name), rows) in &columns {
        let most = rows.values().map(|row| row.len().min(MOST_IN_A_LINE)).max().unwrap_or(1);
        let inner = span(most);
        for (tier, row) in rows {
            let top = tops.get(tier).copied().unwrap_or(0);
            for (line, members) in (0..).zip(row.chunks(MOST_IN_A_LINE)) {
                let left = x + SITE_PADDING + (inner - span(members.len())) / 2;
                for (place, node) in (0..).zip(members) {
                    nodes.push(Node {
                        name: node.name.clone(),
                        role: node.role.clone(),
                        managed: node.managed,
                        x: left + place * (NODE_WIDTH + NODE_GAP),
                        y: top + line * LINE_HEIGHT,
                        width: NODE_WIDTH,
                        height: NODE_HEIGHT,
                    });
                }
            }
        }
        let width = inner + 2 * SITE_PADDING;
        sites.push(Site { name: (*name).to_owned(), x, y: 0, width, height });
        x += width + SITE_GAP;
    }
    let links = route(report, &nodes);
    Some(Drawing { width: x - SITE_GAP, height, sites, nodes, links })
}

/// Returns the width of `count` nodes side by side.
fn span(count: usize) -> i32 {
    let count = i32::try_from(count).unwrap_or(1).max(1);
    count * NODE_WIDTH + (count - 1) * NODE_GAP
}

/// One end of a link on its way to a place on the edge of its node.
struct End<'a> {
    node: &'a Node,
    top: bool,
    far: i32,
}

/// Who wants a place on an edge: where the far end is, the link, and which of its ends.
type Place = (i32, usize, usize);

/// Returns the links as curves. Each has a place of its own on the edge of its node, in the order of the far ends, so that
/// links cross as little as the places of the nodes allow; those that are down come last, on top of the others.
fn route(report: &Report, nodes: &[Node]) -> Vec<Link> {
    let by_name: BTreeMap<&str, &Node> = nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let node_of = |end: &str| by_name.get(end.split_once(':').map_or(end, |(node, _)| node)).copied();
    let mut ends: Vec<[End<'_>; 2]> = Vec::new();
    let mut drawn = Vec::new();
    for link in &report.links {
        let (Some(a), Some(b)) = (node_of(&link.a), node_of(&link.b)) else { continue };
        // Between nodes of one row the link leaves both at the top.
        ends.push([End { node: a, top: a.y >= b.y, far: b.x }, End { node: b, top: b.y >= a.y, far: a.x }]);
        drawn.push(link);
    }
    let mut edges: BTreeMap<(&str, bool), Vec<Place>> = BTreeMap::new();
    for (index, pair) in ends.iter().enumerate() {
        for (side, end) in pair.iter().enumerate() {
            edges.entry((&end.node.name, end.top)).or_default().push((end.far, index, side));
        }
    }
    let mut places = vec![[0; 2]; ends.len()];
    for places_wanted in edges.values_mut() {
        places_wanted.sort_unstable();
        let count = i32::try_from(places_wanted.len()).unwrap_or(1);
        let step = ((NODE_WIDTH - 24) / count.max(1)).min(14);
        for (order, &(_, index, side)) in (0..).zip(places_wanted.iter()) {
            places[index][side] = NODE_WIDTH / 2 + (2 * order - (count - 1)) * step / 2;
        }
    }
    let mut links: Vec<Link> = drawn
        .iter()
        .zip(&ends)
        .zip(&places)
        .map(|((link, [a, b]), place)| Link {
            a: link.a.clone(),
            b: link.b.clone(),
            state: link.state,
            path: curve(a, b, place),
        })
        .collect();
    links.sort_by_key(|link| link.state == LinkState::Down);
    links
}

fn curve(a: &End<'_>, b: &End<'_>, place: &[i32; 2]) -> String {
    let edge = |end: &End<'_>| if end.top { end.node.y } else { end.node.y + NODE_HEIGHT };
    let (ax, ay) = (a.node.x + place[0], edge(a));
    let (bx, by) = (b.node.x + place[1], edge(b));
    if a.node.y == b.node.y {
        // The wider the arc, the higher, within the room between two rows.
        let rise = 16 + ((ax - bx).abs() / 9).min(ROW_HEIGHT - NODE_HEIGHT - 34);
        format!("M{ax} {ay}C{ax} {},{bx} {},{bx} {by}", ay - rise, by - rise)
    } else {
        let middle = (ay + by) / 2;
        format!("M{ax} {ay}C{ax} {middle},{bx} {middle},{bx} {by}")
    }
}
