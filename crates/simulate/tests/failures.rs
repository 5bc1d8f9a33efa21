//! Many failures at once against scenarios one by one: the same devices change, and who is not exposed keeps to ways of before.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

mod fabric;

use std::{collections::BTreeSet, net::IpAddr};

use fabric::{Fabric, tiered_fat_tree};
use proptest::prelude::*;
use weft_device::config::{Action, Prepend, Transformations};
use weft_model::{Community, Name};
use weft_simulate::{Failed, Scenarios};

/// Returns every failure of a cable and of a device, and some of two cables and a device.
fn failures(fabric: &Fabric) -> Vec<Failed> {
    let (cables, nodes) = (&fabric.cables, fabric.configs.keys().cloned().collect::<Vec<_>>());
    let cut = |number: usize| cables[number % cables.len()][number % 2].clone();
    let cuts = (0..cables.len()).map(|number| Failed { links: [cut(number)].into(), nodes: BTreeSet::new() });
    let off = nodes.iter().map(|node| Failed { links: BTreeSet::new(), nodes: [node.clone()].into() });
    let several = (0..cables.len()).map(|number| Failed {
        links: [cut(number), cut(number * 7 + 3)].into(),
        nodes: (number % 3 == 0).then(|| nodes[number % nodes.len()].clone()).into_iter().collect(),
    });
    cuts.chain(off).chain(several).collect()
}

/// Asserts that they agree; returns in how many cases nobody was exposed although something changed.
fn agree(fabric: &Fabric, destinations: &BTreeSet<IpAddr>) -> usize {
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, destinations);
    let failed = failures(fabric);
    let failures = scenarios.failures(&failed);
    let all: BTreeSet<usize> = (0..fabric.configs.len()).collect();
    let steady = scenarios.steady();
    let mut spared = 0;
    for &destination in destinations {
        let mut changed = Vec::new();
        let known = failures.changed(destination, |number, devices| {
            assert_eq!(number, changed.len());
            changed.push(devices.map(|devices| devices.iter().copied().collect::<BTreeSet<_>>()));
        });
        let exposed = failures.exposed(destination, &all);
        let Some(before) = steady.ways(destination, None, all.iter().copied()) else {
            assert!(known.is_none() && exposed.is_none());
            continue;
        };
        let (exposed, failed_before) = (exposed.unwrap(), before.fail());
        for (number, failed) in failed.iter().enumerate() {
            let scenario = scenarios.fail(failed);
            assert_eq!(changed[number], scenario.changed(destination), "{failed:?} {destination}");
            let exposed: BTreeSet<usize> = exposed.get(&number).into_iter().flatten().copied().collect();
            let Some(after) = scenario.ways(destination, None, all.iter().copied()) else {
                assert_eq!(exposed, all);
                continue;
            };
            spared += usize::from(exposed.is_empty() && changed[number].iter().flatten().next().is_some());
            let fail = after.fail();
            for &from in all.difference(&exposed) {
                let ([old, new], context) = ([&before, &after], || format!("{failed:?}: {from} to {destination}"));
                let [hops, now] = [old, new].map(|ways| ways.hops(from).into_iter().collect::<BTreeSet<_>>());
                assert!(now.is_subset(&hops), "{}", context());
                assert!(new.delivered_at(from).is_subset(&old.delivered_at(from)), "{}", context());
                assert!(failed_before.has(from) || !fail.has(from), "{}", context());
                assert!(old.longest(from).is_none_or(|old| new.longest(from) <= Some(old)), "{}", context());
            }
        }
    }
    spared
}

#[test]
fn a_fat_tree_spares_its_edges_what_a_cut_takes() {
    let fabric = tiered_fat_tree(4);
    let destinations: BTreeSet<IpAddr> = ["172.16.0.10", "172.17.1.1"].map(|a| a.parse().unwrap()).into();
    assert!(agree(&fabric, &destinations) > 0);
    // Of all cuts, an edge is exposed to none, for it has a second way.
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
    let cut = |cable: &weft_simulate::Cable| Failed { links: [cable[0].clone()].into(), nodes: BTreeSet::new() };
    let cuts: Vec<Failed> = fabric.cables.iter().map(cut).collect();
    let edges = fabric.configs.keys().filter(|node| node.as_str().starts_with('e'));
    let edges = edges.filter_map(|node| scenarios.number(node)).collect();
    for destination in destinations {
        assert_eq!(scenarios.failures(&cuts).exposed(destination, &edges), Some([].into()));
    }
}

#[test]
fn a_network_that_is_simulated_whole_is_not_known() {
    let mut fabric = tiered_fat_tree(4);
    fabric.neighbor("e-0-0", 4).maximum_prefixes = Some(5);
    agree(&fabric, &["172.17.1.1".parse().unwrap()].into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_networks_agree(
        asns in proptest::collection::vec(0_u32..7, 3..9),
        links in proptest::collection::vec((0_usize..9, 0_usize..9, 0_usize..24), 3..18),
        maximum_paths in 1_u16..4,
        aggregates in proptest::collection::vec((0_usize..9, 0_usize..3), 0..4),
        preferred in proptest::bool::weighted(0.2),
    ) {
        let mut fabric = Fabric::default();
        for (device, asn) in asns.iter().enumerate() {
            fabric.device(&format!("d{device}"), 65_000 + asn, maximum_paths);
        }
        let prepend = Prepend { asn: 64_999.try_into().unwrap(), times: 1 };
        let mut policies: Vec<Transformations> = vec![
            Transformations { prepend: Some(prepend), ..Default::default() },
            Transformations { med: Some(10), ..Default::default() },
            Transformations { add_communities: vec![Community::GRACEFUL_SHUTDOWN], ..Default::default() },
        ];
        if preferred {
            policies.push(Transformations { local_preference: Some(200), ..Default::default() });
        }
        let policies: Vec<Name> = policies
            .into_iter()
            .enumerate()
            .map(|(number, change)| fabric.policy(&format!("p{number}"), &[(None, change, Action::Accept)]))
            .collect();
        let mut destinations: BTreeSet<IpAddr> = ["10.0.0.1", "10.0.0.3", "192.0.2.1"].map(|a| a.parse().unwrap()).into();
        for (a, b, import) in links {
            let (a, b) = (a % asns.len(), b % asns.len());
            if a != b {
                let cable = fabric.link(&format!("d{a}"), &format!("d{b}"), true);
                fabric.neighbor(&format!("d{a}"), cable).import_policy = policies.get(import).cloned();
                if import % 3 == 0 {
                    let subnet = std::net::Ipv4Addr::from(0x0a80_0000 + 2 * u32::try_from(cable).unwrap());
                    fabric.originate(&format!("d{a}"), &format!("{subnet}/31"));
                    destinations.insert(subnet.into());
                }
            }
        }
        for (device, which) in aggregates {
            let (name, network) = (format!("d{}", device % asns.len()), ["0.0.0.0/0", "10.0.0.0/30", "10.0.0.3/32"][which]);
            fabric.discard(&name, network);
            fabric.originate(&name, network);
        }
        prop_assume!(!fabric.cables.is_empty());
        agree(&fabric, &destinations);
    }
}
