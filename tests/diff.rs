//! `weft diff`: what two revisions of a project mean for each other.

mod weft;

use std::fs;

use serde_json::Value;
use weft::{Project, Ran};

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n--- out\n{}", ran.out))
}

/// Returns a project with two commits: the second has a leaf more in building 1, one intent less and a new one.
fn two_commits() -> Project {
    let project = Project::example();
    project.commit_all("first");
    project.edit("intents/fabrics.yaml", "leaf: { count: 4", "leaf: { count: 5");
    project.edit("intents/reachability.yaml", "name: internet-not-to-storage", "name: outside-not-to-storage");
    project.weft("compile").expect(0);
    project.commit_all("second");
    project
}

#[test]
fn a_leaf_more_is_told_as_intent_allocations_and_lines() {
    let project = two_commits();
    let text = project.weft("diff HEAD~1..HEAD").expect(0).out;
    for said in [
        "Intents: 1 added, 1 changed, 1 removed",
        "  changed  fabric/b1                          intents/fabrics.yaml:2\n           /spec/leaf/count: 4 -> 5\n",
        "added    reachability/outside-not-to-storage",
        "removed  reachability/internet-not-to-storage",
        "asns.b1-leaf-05 comes: 64717",
        "Devices: 1 added (+",
        "2 changed (+",
        "18 untouched",
        "b1-spine-01 frr.conf\n@@ ",
        "\n+interface swp5\n",
    ] {
        assert!(text.contains(said), "`{said}`\n{text}");
    }
    // All lines of a device that comes are told only when asked for.
    assert!(!text.contains("b1-leaf-05 frr.conf"), "{text}");
    project.weft("diff -v HEAD~1..HEAD").expect(0).says("b1-leaf-05 frr.conf").says("+router bgp 64717");
    let prose: Vec<&str> = text.lines().take_while(|line| !line.contains("frr.conf")).collect();
    assert!(prose.iter().all(|line| line.chars().count() <= 80), "{text}");

    let json = parsed(&project.weft("diff HEAD~1 HEAD --format json").expect(0));
    assert_eq!(json["untouched"], 18);
    assert_eq!(json["devices"]["b1-leaf-05"]["became"], "added");
    assert_eq!(json["devices"]["b1-spine-02"]["became"], "changed");
    assert_eq!(json["intents"][0]["fields"][0]["pointer"], "/spec/leaf/count");
    assert_eq!(
        (&json["intents"][0]["fields"][0]["old"], &json["intents"][0]["fields"][0]["new"]),
        (&4.into(), &5.into())
    );

    let markdown = project.weft("diff HEAD~1..HEAD --format markdown").expect(0).out;
    for said in ["| Intents | 1 added, 1 changed, 1 removed |", "<details><summary><code>b1-spine-01</code>", "```diff"]
    {
        assert!(markdown.contains(said), "`{said}`\n{markdown}");
    }
    assert!(markdown.chars().count() <= 65_000);

    // The other way round, what came goes.
    project.weft("diff HEAD..HEAD~1").expect(0).says("removed  b1-leaf-05").says("/spec/leaf/count: 5 -> 4");
}

#[test]
fn the_working_tree_is_compared_and_the_exit_code_tells() {
    let project = two_commits();
    for line in ["diff HEAD", "diff HEAD..", "diff HEAD~0..HEAD", "diff HEAD --exit-code"] {
        project.weft(line).expect(0).says("no difference; 21 devices have the same configuration");
    }
    project.weft("diff HEAD~1.. --exit-code").expect(1).says("/spec/leaf/count: 4 -> 5");
    // Words that mean nothing to the network are no difference.
    let fabrics = project.path().join("intents/fabrics.yaml");
    let text = fs::read_to_string(&fabrics).expect("the intents");
    fs::write(&fabrics, format!("# A comment\n\n{text}")).expect("write the intents");
    project.weft("diff HEAD --exit-code").expect(0).says("no difference");

    project.edit("intents/segments.yaml", "scope: site", "scope: network");
    let ran = project.weft("diff HEAD..").expect(0).says("/spec/scope: site -> network");
    assert!(!ran.out.contains("Allocations"), "{}", ran.out);
    // A lock file that was not kept up with the intents.
    project.edit("intents/fabrics.yaml", "leaf: { count: 5", "leaf: { count: 6");
    project.weft("diff HEAD").expect(0).says("the lock file of the working tree is out of date").says("b1-leaf-06");

    for line in ["diff HEAD..HEAD HEAD", "diff ..HEAD", "diff HEAD...HEAD"] {
        project.weft(line).expect(2).says("A..B");
    }
    project.weft("diff no-such-branch..").expect(1).says("no-such-branch");
    project.weft("diff HEAD --format junit").expect(2);
}

#[test]
fn a_revision_with_mistakes_is_named() {
    let project = Project::example();
    project.edit("intents/fabrics.yaml", "site: b1", "sight: b1");
    project.commit_all("broken");
    project.edit("intents/fabrics.yaml", "sight: b1", "site: b1");
    project
        .weft("diff HEAD..")
        .expect(1)
        .says("intents/fabrics.yaml:9:3")
        .says("HEAD (")
        .says("cannot be compared: 1 error")
        .does_not_say("the working tree cannot");
    let json = parsed(&project.weft("diff HEAD.. --format json").expect(1));
    assert_eq!(json["invalid"][0]["revision"], "HEAD");
    assert_eq!(json["invalid"][0]["findings"][0]["code"], "WEFT-101");
}

#[test]
fn an_authentication_key_is_told_as_a_reference() {
    let project = Project::example();
    project.commit_all("first");
    let bfd = "  bfd: { interval_ms: 1000, multiplier: 3 }";
    project.edit("intents/underlay.yaml", bfd, "  authentication: { tcp_md5: env/UNDERLAY_KEY }");
    let mut command = project.command("diff HEAD..".split(' '));
    let ran = Ran::from(command.env("UNDERLAY_KEY", "hunter2").output().expect("weft starts"));
    ran.expect(0)
        .says("/spec/authentication: added { tcp_md5: env/UNDERLAY_KEY }")
        .says("/spec/bfd: removed { interval_ms: 1000, multiplier: 3 }")
        .does_not_say("hunter2");
}
