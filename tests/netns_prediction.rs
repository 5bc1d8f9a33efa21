//! The prediction against real routers: what each device does, whole and while each single link is cut.
//!
//! Needs root and the routers' packages; says what is missing and passes where they are not there. The long test, which cuts
//! every link of every lab, runs when it is asked for: `make labs`.

#[path = "weft/prediction.rs"]
mod prediction;
mod weft;

use prediction::{Counts, Cuts, prove};
use weft::lab;

/// The labs: the folder of the intents, and which links the short test cuts, one of each kind.
const LABS: [(&str, &[&str]); 7] = [
    ("tests/labs/fabric-numbered/intents", &[]),
    ("tests/labs/fabric-unnumbered/intents", &[]),
    ("tests/labs/three-tiers/intents", &["f-p1-leaf-01:swp15", "f-p1-spine-02:swp15", "f-p2-spine-01:swp16"]),
    ("tests/labs/ospf-mesh/intents", &["core-1:swp1", "core-3:swp4", "edge-1:swp3"]),
    ("tests/labs/ospf-dual/intents", &[]),
    ("tests/labs/ebgp-dual/intents", &[]),
    ("intents", &[]),
];

fn all_are_as_predicted(counts: &[Counts]) {
    let mismatches: Vec<&String> = counts.iter().flat_map(|counts| &counts.mismatches).collect();
    assert!(mismatches.is_empty(), "{mismatches:#?}");
}

#[test]
fn routers_do_what_is_predicted_while_a_link_of_each_kind_is_cut() {
    let Some(_one) = lab::is_possible() else { return };
    let labs = LABS.iter().filter(|(_, cuts)| !cuts.is_empty());
    all_are_as_predicted(&labs.map(|(intents, cuts)| prove(intents, Cuts::At(cuts))).collect::<Vec<_>>());
}

#[test]
#[ignore = "takes many minutes: every link of every lab, by `make labs`"]
fn routers_do_what_is_predicted_while_each_link_is_cut() {
    let Some(_one) = lab::is_possible() else { return };
    // `LABS=ospf` runs those with that in their name.
    let chosen = std::env::var("LABS").unwrap_or_default();
    let labs = LABS.iter().filter(|(intents, _)| intents.contains(&chosen));
    all_are_as_predicted(&labs.map(|(intents, _)| prove(intents, Cuts::Every)).collect::<Vec<_>>());
}
