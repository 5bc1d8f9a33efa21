//! The prediction against real routers: what each device does, whole and while each single link is cut.
//!
//! The long test, which cuts every link of every lab, runs when it is asked for: `make labs`.

use super::proof::{Cuts, prove};
use crate::weft::lab;

/// The labs, with the folders of their intents.
const LABS: [(&str, &str); 9] = [
    ("fabric-numbered", "tests/labs/fabric-numbered/intents"),
    ("fabric-unnumbered", "tests/labs/fabric-unnumbered/intents"),
    ("three-tiers", "tests/labs/three-tiers/intents"),
    ("ospf-mesh", "tests/labs/ospf-mesh/intents"),
    ("ospf-exits", "tests/labs/ospf-exits/intents"),
    ("ospf-dual", "tests/labs/ospf-dual/intents"),
    ("ibgp-rr", "tests/labs/ibgp-rr/intents"),
    ("ebgp-dual", "tests/labs/ebgp-dual/intents"),
    ("two-buildings", "intents"),
];

/// Cuts links of a lab, and checks that the routers do what is predicted.
fn is_as_predicted(name: &str, cuts: Cuts) {
    if !lab::is_possible() {
        return;
    }
    let (_, intents) = LABS.iter().find(|(known, _)| *known == name).expect("a lab of that name");
    let mismatches = prove(name, intents, cuts).mismatches;
    assert!(mismatches.is_empty(), "{mismatches:#?}");
}

#[test]
fn a_fabric_with_addresses_on_its_links_is_as_predicted() {
    is_as_predicted("fabric-numbered", Cuts::At(&["f-leaf-01:swp15", "f-leaf-03:swp16"]));
}

#[test]
fn a_fabric_without_addresses_on_its_links_is_as_predicted() {
    is_as_predicted("fabric-unnumbered", Cuts::At(&["f-leaf-01:swp15", "f-leaf-03:swp16"]));
}

#[test]
fn a_fabric_of_three_tiers_is_as_predicted() {
    is_as_predicted("three-tiers", Cuts::At(&["f-p1-leaf-01:swp15", "f-p2-spine-02:swp15"]));
}

#[test]
fn a_mesh_with_ospf_is_as_predicted() {
    is_as_predicted("ospf-mesh", Cuts::At(&["core-1:swp1", "core-3:swp4"]));
}

#[test]
fn both_families_over_ebgp_are_as_predicted() {
    is_as_predicted("ebgp-dual", Cuts::At(&["spine-1:swp1", "spine-2:swp2"]));
}

#[test]
#[ignore = "takes many minutes: every link of every lab, by `make labs`"]
fn every_lab_is_as_predicted_while_each_link_is_cut() {
    // `LABS=ospf` runs those with that in their name.
    let chosen = std::env::var("LABS").unwrap_or_default();
    for (name, _) in LABS.iter().filter(|(name, _)| name.contains(&chosen)) {
        is_as_predicted(name, Cuts::Every);
    }
}
