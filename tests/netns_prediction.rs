//! The prediction against real routers: what each device does, whole and while each single link is cut.
//!
//! Needs root and the routers' packages; says what is missing and passes where they are not there. The long test, which cuts
//! every link of every lab, runs when it is asked for: `make labs`.

#[path = "weft/prediction.rs"]
mod prediction;
mod weft;

use prediction::{Counts, Cuts, prove};
use weft::lab;

/// A lab, the folder of its intents, and the links that the short test cuts: one of each kind, and none where `netns_underlay` and
/// `netns` cut some already.
type Case = (&'static str, &'static str, &'static [&'static str]);

const LABS: [Case; 7] = [
    ("fabric-numbered", "tests/labs/fabric-numbered/intents", &["f-leaf-01:swp15", "f-leaf-03:swp16"]),
    ("fabric-unnumbered", "tests/labs/fabric-unnumbered/intents", &["f-leaf-01:swp15", "f-leaf-03:swp16"]),
    ("three-tiers", "tests/labs/three-tiers/intents", &["f-p1-leaf-01:swp15", "f-p2-spine-02:swp15"]),
    ("ospf-mesh", "tests/labs/ospf-mesh/intents", &["core-1:swp1", "core-3:swp4"]),
    ("ospf-dual", "tests/labs/ospf-dual/intents", &[]),
    ("ebgp-dual", "tests/labs/ebgp-dual/intents", &["spine-1:swp1", "spine-2:swp2"]),
    ("two-buildings", "intents", &[]),
];

fn all_are_as_predicted(counts: &[Counts]) {
    let mismatches: Vec<&String> = counts.iter().flat_map(|counts| &counts.mismatches).collect();
    assert!(mismatches.is_empty(), "{mismatches:#?}");
}

#[test]
fn routers_do_what_is_predicted_while_a_link_of_each_kind_is_cut() {
    let Some(_one) = lab::is_possible() else { return };
    let labs = LABS.iter().filter(|(_, _, cuts)| !cuts.is_empty());
    let proofs = labs.map(|(name, intents, cuts)| prove(name, intents, Cuts::At(cuts)));
    all_are_as_predicted(&proofs.collect::<Vec<_>>());
}

#[test]
#[ignore = "takes many minutes: every link of every lab, by `make labs`"]
fn routers_do_what_is_predicted_while_each_link_is_cut() {
    let Some(_one) = lab::is_possible() else { return };
    // `LABS=ospf` runs those with that in their name.
    let chosen = std::env::var("LABS").unwrap_or_default();
    let labs = LABS.iter().filter(|(name, _, _)| name.contains(&chosen));
    let proofs = labs.map(|(name, intents, _)| prove(name, intents, Cuts::Every));
    all_are_as_predicted(&proofs.collect::<Vec<_>>());
}
