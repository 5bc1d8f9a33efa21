//! The whole loop against real routers: FRR and BIRD with real sshd, in network namespaces.
//!
//! Needs root and the routers' packages; says what is missing and passes where they are not there.

#[allow(dead_code, reason = "each test file uses its own part")]
mod weft;

use std::time::Instant;

use weft::Project;

/// Tells whether the lab can run here, and prints why not.
fn lab_is_possible() -> bool {
    let missing = weft_lab::netns::missing();
    if !missing.is_empty() {
        eprintln!("SKIPPED, the lab of real routers needs: {}", missing.join(", "));
    }
    missing.is_empty()
}

#[test]
fn real_routers_do_what_the_intents_say() {
    if !lab_is_possible() {
        return;
    }
    let project = Project::example();
    project.weft("compile -q").expect(0);
    let four_leaves = project.commit_all("four-leaves");
    project.edit("intents/fabrics.yaml", "leaf: { count: 4", "leaf: { count: 5");
    project.weft("compile -q").expect(0);
    let five_leaves = project.commit_all("five-leaves");

    // The racks are cabled for five leaves; the first commit uses four of them.
    project.weft("lab up --backend netns").expect(0);
    let begun = Instant::now();
    let first = project.weft(&format!("run --commit {four_leaves}")).expect(0).says("17 compliant");
    eprintln!("first run, {:.1} s:\n{}", begun.elapsed().as_secs_f64(), first.out);
    project.weft(&format!("plan --commit {four_leaves}")).expect(0).says("no change");

    // Hosts of different buildings reach each other; the database is not seen from outside.
    project.weft_with("lab exec b1-leaf-01-swp1 ping -c 3 -W 2 203.0.113.34".split(' ')).expect(0);

    // Adding a leaf touches only the leaf and its spines.
    project
        .weft(&format!("plan --commit {five_leaves}"))
        .expect(0)
        .says("3 devices change")
        .says("b1-leaf-05")
        .says("b1-spine-01")
        .says("b1-spine-02");
    project.weft(&format!("run --commit {five_leaves}")).expect(0);

    // A link that is cut, and a line changed by hand on FRR and on BIRD.
    project.weft("lab fault link-down b1-spine-01:swp1").expect(0);
    project.weft("verify").expect(1).says("fabric/b1").says("b1-spine-01").says("degraded");
    project.weft("lab heal link-down b1-spine-01:swp1").expect(0);
    project.weft("verify").expect(0);
    project
        .weft_with([
            "lab",
            "exec",
            "b2-leaf-01",
            "vtysh",
            "-c",
            "configure terminal",
            "-c",
            "router bgp 64710",
            "-c",
            "no bgp bestpath as-path multipath-relax",
        ])
        .code;
    project.weft_with(["lab", "exec", "b1-leaf-04", "ip", "link", "set", "swp1", "mtu", "1400"]).expect(0);
    project.weft("verify --now").expect(1).says("b1-leaf-04").says("segment/db");
    project.weft("run").expect(0);
    project.weft("verify --now").expect(0);

    // A change that cuts the management path comes back by itself, and so does every other device of the run.
    project.edit("pipeline/default.yaml", "confirm_seconds: 60", "confirm_seconds: 15");
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    project.weft("lab fault management-lost-after-apply b2-leaf-02").expect(0);
    project.weft("run").expect(3).says("b2-leaf-02").says("went back by itself");
    project.weft(&format!("plan --commit {five_leaves}")).expect(0).says("no change");
}
