//! Fat-trees against closed forms: widths, paths, and what each kind of link takes away when it is cut.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;

use std::collections::{BTreeMap, BTreeSet};

use fabric::{Fabric, fat_tree, node, ospf_fat_tree, prefix, tiered_fat_tree};
use weft_simulate::{Cable, Failed, Routing, simulate, trace};

/// The subnet of `e-0-0`.
const SUBNET: &str = "172.16.0.0/24";

/// Returns the failure of the link between two devices.
fn between(fabric: &Fabric, cut: [&str; 2]) -> Failed {
    let is_cut = |cable: &&Cable| cut.iter().all(|name| cable.iter().any(|end| end.node.as_str() == *name));
    let links: BTreeSet<_> = fabric.cables.iter().filter(is_cut).map(|cable| cable[0].clone()).collect();
    assert_eq!(links.len(), 1);
    Failed { links, ..Failed::default() }
}

/// Returns the number of equal-cost ways of each device to the subnet.
fn widths(fabric: &Fabric, cut: Option<[&str; 2]>) -> BTreeMap<String, usize> {
    widths_after(fabric, &cut.map(|cut| between(fabric, cut)).unwrap_or_default())
}

fn widths_after(fabric: &Fabric, failed: &Failed) -> BTreeMap<String, usize> {
    let states = simulate(&fabric.configs, &fabric.cables, failed).states;
    let width = |state: &weft_device::state::DeviceState| {
        state.rib.as_ref().unwrap().get(&prefix(SUBNET)).map_or(0, |route| route.next_hops.len())
    };
    states.iter().map(|(name, state)| (name.to_string(), width(state))).collect()
}

/// Returns the number of ways that each device has in a whole fat-tree.
fn expected(k: usize) -> BTreeMap<String, usize> {
    let half = k / 2;
    let mut widths = BTreeMap::new();
    for (a, b) in (0..half).flat_map(|a| (0..half).map(move |b| (a, b))) {
        widths.insert(format!("c-{a}-{b}"), 1);
    }
    for (pod, n) in (0..k).flat_map(|pod| (0..half).map(move |n| (pod, n))) {
        widths.insert(format!("a-{pod}-{n}"), if pod == 0 { 1 } else { half });
        // The subnet itself is connected.
        widths.insert(format!("e-{pod}-{n}"), if (pod, n) == (0, 0) { 1 } else { half });
    }
    widths
}

#[test]
fn every_device_has_the_widths_and_paths_of_the_closed_form() {
    for k in [4, 6, 8] {
        for fabric in [fat_tree(k), tiered_fat_tree(k)] {
            let k = k as usize;
            let half = k / 2;
            assert_eq!(widths(&fabric, None), expected(k));
            let states = fabric.simulate().states;
            let (source, destination) = ("172.17.0.10".parse().unwrap(), "172.16.0.10".parse().unwrap());
            let paths = |from: &str| trace(&states, &fabric.cables, &node(from), source, destination).paths as usize;
            assert_eq!(paths("e-1-0"), half * half);
            assert_eq!(paths("e-0-1"), half);
            assert_eq!([paths("a-1-0"), paths("c-0-0"), paths("a-0-0")], [half, 1, 1]);
        }
    }
}

#[test]
fn a_cut_takes_away_what_the_closed_form_says() {
    for k in [4, 6] {
        let fabric = tiered_fat_tree(k);
        let k = k as usize;
        let half = k / 2;
        // A link of the edge itself: the aggregation behind it, its cores, and all that have none but these lose the subnet, because no
        // device takes a path through its own AS; every other edge loses one of its ways.
        let mut widths_then = expected(k);
        widths_then.insert("a-0-0".to_owned(), 0);
        for core in 0..half {
            widths_then.insert(format!("c-0-{core}"), 0);
        }
        for pod in 0..k {
            widths_then.insert(format!("a-{pod}-0"), 0);
            for edge in (0..half).filter(|edge| (pod, *edge) != (0, 0)) {
                widths_then.insert(format!("e-{pod}-{edge}"), half - 1);
            }
        }
        assert_eq!(widths(&fabric, Some(["e-0-0", "a-0-0"])), widths_then);

        // Between an aggregation of its pod and a core: that core loses it, and those above which it was lose a way.
        let mut widths_then = expected(k);
        widths_then.insert("c-0-0".to_owned(), 0);
        for pod in 1..k {
            widths_then.insert(format!("a-{pod}-0"), half - 1);
        }
        assert_eq!(widths(&fabric, Some(["a-0-0", "c-0-0"])), widths_then);

        // In another pod only the lower end of the link loses a way.
        for (cut, end) in [(["a-1-0", "c-0-0"], "a-1-0"), (["e-1-0", "a-1-0"], "e-1-0"), (["e-0-1", "a-0-0"], "e-0-1")]
        {
            let mut widths_then = expected(k);
            widths_then.insert(end.to_owned(), half - 1);
            assert_eq!(widths(&fabric, Some(cut)), widths_then);
        }
    }
}

#[test]
fn a_cut_takes_away_as_many_paths_as_the_closed_form_says() {
    for k in [4, 6] {
        let fabric = tiered_fat_tree(k);
        let half = k as usize / 2;
        let paths = |cut| {
            let states = simulate(&fabric.configs, &fabric.cables, &between(&fabric, cut)).states;
            let (source, destination) = ("172.17.0.10".parse().unwrap(), "172.16.0.10".parse().unwrap());
            trace(&states, &fabric.cables, &node("e-1-0"), source, destination).paths as usize
        };
        // A link of an edge is on every path through its aggregation, one of a core on one path.
        let all = half * half;
        assert_eq!([["e-1-0", "a-1-0"], ["a-0-0", "e-0-0"]].map(paths), [all - half; 2]);
        assert_eq!([["a-1-0", "c-0-0"], ["a-0-0", "c-0-0"]].map(paths), [all - 1; 2]);
        assert_eq!([["e-0-1", "a-0-0"], ["a-2-0", "c-0-0"]].map(paths), [all; 2]);
    }
}

#[test]
fn a_device_that_goes_off_takes_away_what_the_closed_form_says() {
    for k in [4, 6] {
        let fabric = tiered_fat_tree(k);
        let k = k as usize;
        let half = k / 2;
        let off = |name: &str| widths_after(&fabric, &Failed { nodes: [node(name)].into(), ..Failed::default() });
        // A core: the aggregations below it that are not those of the subnet lose a way.
        let mut widths_then = expected(k);
        widths_then.remove("c-0-0");
        for pod in 1..k {
            widths_then.insert(format!("a-{pod}-0"), half - 1);
        }
        assert_eq!(off("c-0-0"), widths_then);

        // An aggregation of another pod: the edges of its pod lose a way.
        let mut widths_then = expected(k);
        widths_then.remove("a-1-0");
        for edge in 0..half {
            widths_then.insert(format!("e-1-{edge}"), half - 1);
        }
        assert_eq!(off("a-1-0"), widths_then);

        // Another edge: nobody loses anything.
        let mut widths_then = expected(k);
        widths_then.remove("e-1-0");
        assert_eq!(off("e-1-0"), widths_then);
    }
}

#[test]
fn ospf_has_the_widths_of_the_closed_form() {
    for k in [4, 6] {
        let fabric = ospf_fat_tree(k);
        let half = k as usize / 2;
        let states = fabric.simulate().states;
        let to = fabric.loopback("e-0-0");
        for (name, state) in states.iter().filter(|(name, _)| name.as_str() != "e-0-0") {
            let width = match name.as_str() {
                "a-0-0" | "a-0-1" | "a-0-2" => 1,
                name if name.starts_with('c') => 1,
                _ => half,
            };
            assert_eq!(state.rib.as_ref().unwrap()[&to].next_hops.len(), width, "{name}");
        }
    }
}

#[test]
fn one_device_is_as_in_the_whole_prediction() {
    let fabric = fat_tree(4);
    let failed = Failed { links: [fabric.cables[0][0].clone()].into(), nodes: [node("e-1-1")].into() };
    let routing = Routing::new(&fabric.configs, &fabric.cables, &failed);
    let whole = simulate(&fabric.configs, &fabric.cables, &failed).states;
    for name in fabric.configs.keys() {
        assert_eq!(routing.state(name).as_ref(), whole.get(name), "{name}");
    }
    assert_eq!(routing.state(&node("nobody")), None);
}
