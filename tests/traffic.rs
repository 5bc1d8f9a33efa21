//! Traffic: what a packet does and why, what a failure does, what moves between two revisions and by a plan.

mod weft;

use serde_json::Value;
use weft::{Project, Ran};

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n--- out\n{}", ran.out))
}

/// Panics when a line is longer than a terminal is wide.
#[track_caller]
fn fits(ran: Ran) -> Ran {
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    ran
}

#[test]
fn a_trace_says_what_decides_at_each_device() {
    let project = Project::example();
    let text = fits(project.weft("trace b1-leaf-01:swp1 b1-leaf-03:swp1").expect(0)).out;
    let expected = "\
203.0.113.1 (segment/web at b1-leaf-01:swp1) to 10.20.0.1 (segment/db at
  b1-leaf-03:swp1)
  0 b1-leaf-01
      10.20.0.0/24 by BGP, 2 equal-cost next hops, all there are
      because of segment/db (intents/segments.yaml:20)
      to b1-spine-01 (swp15), b1-spine-02 (swp16)
  1 b1-spine-01, b1-spine-02
      10.20.0.0/24 by BGP, 1 next hop, the only one
      to b1-leaf-03
  2 b1-leaf-03
    = delivered
";
    assert_eq!(text, expected);
    fits(project.weft("trace b1-dci-01 198.51.100.1").expect(0)).says("shortest AS path").says("= out of the network");
    fits(project.weft("trace b1-leaf-01 b2-leaf-04 --fail node:b1-spine-01").expect(0))
        .says("while b1-spine-01 is off")
        .says("10.0.2.8/32 by BGP, 1 next hop")
        .does_not_say("b1-spine-01 (");
    project.weft("trace segment/web segment/db").expect(0).says("4 of 16 pairs of places; `-v` prints all");
    project.weft("trace peering/transit-a b1-leaf-03:swp1").expect(0).says("stays outside");
    project.weft("trace b1-leaf-01 203.0.113.14").expect(0).says("(at b1-leaf-01:swp1)").says("= delivered");

    let json = parsed(&project.weft("trace b1-leaf-01:swp1 b1-leaf-03:swp1 --format json").expect(0));
    assert_eq!(json[0]["arrives"], true);
    assert_eq!(json[0]["hops"][0]["route"]["next_hops"], 2);
    assert_eq!(json[0]["hops"][0]["route"]["source"]["intent"], "segment/db");
    assert_eq!(json[0]["hops"][3]["ends"][0], "delivered");

    project.weft("trace b1-lef-01 b1-leaf-02").expect(1).says("did you mean `b1-leaf-01`?");
    project.weft("trace segment/wob b1-leaf-02").expect(1).says("no segment `wob`; did you mean `web`?");
    project.weft("trace 192.0.2.200 b1-leaf-02").expect(1).says("no device has the address");
    project.weft("trace b1-leaf-01 b1-leaf-02 --fail node:b1-leaf-01").expect(1).says("b1-leaf-01 is off");
    project.weft("trace b1-leaf-01 b1-leaf-02 --proto icmp --port 1").expect(2);
    project.weft("trace b1-leaf-01 b1-leaf-02 --fail b1-leaf-01").expect(2).says("link:NODE:PORT");
}

/// An Access intent that lets only the databases' port pass.
const ACCESS: &str = "\
apiVersion: weft/v1
kind: Access
metadata: { name: db }
spec:
  protect: [segment/db]
  rules:
    - { name: queries, action: allow, from: segment/web, protocol: tcp, ports: [5432] }
";

#[test]
fn a_trace_names_the_rule_that_drops_the_packet() {
    let project = Project::example();
    std::fs::write(project.path().join("intents/access.yaml"), ACCESS).expect("write the intent");
    fits(project.weft("trace b1-leaf-01:swp1 b1-leaf-03:swp1 --port 5432").expect(0))
        .says("tcp port 5432")
        .says("rule `queries`")
        .says("lets it pass: access/db (intents/access.yaml:7)")
        .says("= delivered");
    fits(project.weft("trace b1-leaf-01:swp1 b1-leaf-03:swp1 --proto tcp --port 22").expect(0))
        .says("drops it")
        .says("= dropped");
}

#[test]
fn what_if_tells_sessions_traffic_and_intents() {
    let project = Project::example();
    fits(project.weft("what-if --fail link:b1-leaf-01:swp15").expect(0))
        .says("While b1-leaf-01:swp15 -- b1-spine-01:swp1 is cut:")
        .says("Sessions down: 1")
        .says("narrower delivered; no longer over b1-spine-01")
        .says("segment/web -> segment/db 4 of 16 pairs, width 2 -> 1")
        .says("nothing else changes: the other 1187 pairs go as before, path by path")
        .says("none breaks of 4 Reachability intents, 1 holds with less than asked for");
    fits(project.weft("what-if --fail node:b1-spine-01 --fail node:b1-spine-02").expect(1))
        .says("Sessions down: 16")
        .says("lost delivered -> no route")
        .says("Intents: 2 break")
        .says("error[WEFT-550]")
        .says("intents/reachability.yaml:8:7");
    let json = parsed(&project.weft("what-if --fail link:b1-leaf-01:swp15 --format json").expect(0));
    assert_eq!(json["sessions"][0]["protocols"][0], "BGP");
    assert_eq!(json["traffic"]["compared"], 1354);
    assert_eq!(json["intents"][0]["severity"], "warning");

    project.edit(
        "intents/interconnect.yaml",
        "b2-dci-01:swp7\", mtu: 9000 }",
        "b2-dci-01:swp7\", mtu: 9000, shared_risks: [north] }",
    );
    project.edit(
        "intents/interconnect.yaml",
        "b2-dci-02:swp7\", mtu: 9000 }",
        "b2-dci-02:swp7\", mtu: 9000, shared_risks: [north] }",
    );
    fits(project.weft("what-if --fail group:north").expect(0)).says("Sessions down: 2");
    project.weft("what-if --fail group:nort").expect(1).says("did you mean `north`?");
    project.weft("what-if --fail link:b1-leaf-01:swp9").expect(1).says("there is no link at `b1-leaf-01:swp9`");
    project.weft("what-if").expect(2).says("--fail");
}

#[test]
fn a_diff_tells_the_traffic_that_moves_and_that_nothing_else_does() {
    let project = Project::example();
    project.commit_all("first");
    fits(project.weft("diff HEAD.. --traffic").expect(0))
        .says("no difference")
        .says("Traffic: none of 1354 pairs changes")
        .says("nothing changes: the 1354 pairs go as before, path by path");

    // One session less with a transit provider.
    let session = "    - { port: \"b1-border-02:swp1\", address: 192.0.2.4/31, neighbor: 192.0.2.5 }\n";
    project.edit("intents/peerings.yaml", session, "");
    project.commit_all("one-way-less");
    let ran = fits(project.weft("diff HEAD~1..HEAD --traffic").expect(0));
    let ran = ran.says("out at transit-a or out at transit-b -> out at transit-a").says("segment/web -> internet");
    ran.says("nothing else changes: the other");
    let json = parsed(&project.weft("diff HEAD~1..HEAD --traffic --format json").expect(0));
    let changes = json["traffic"]["changes"].as_array().expect("changes");
    let pairs: u64 = changes.iter().map(|change| change["pairs"].as_u64().expect("a number")).sum();
    assert_eq!(json["traffic"]["same"].as_u64().map(|same| same + pairs), json["traffic"]["compared"].as_u64());
    let markdown = project.weft("diff HEAD~1..HEAD --traffic --format markdown").expect(0).out;
    assert!(markdown.contains("### Traffic\n\n| | From → to | What |"), "{markdown}");
    assert!(markdown.contains("✅ nothing else changes"), "{markdown}");

    // A rule is told with its intent, and only the packets that it concerns.
    std::fs::write(project.path().join("intents/access.yaml"), ACCESS).expect("write the intent");
    fits(project.weft("diff HEAD.. --traffic").expect(0))
        .says("segment/web -> segment/db")
        .says("because of access/db (intents/access.yaml")
        .says("all but tcp 5432: delivered -> no rule of `db` lets it pass");
    assert!(!project.weft("diff HEAD..").expect(0).out.contains("Traffic"));
}

/// Starts the lab of a project that is committed, and brings its network up.
fn running() -> Project {
    let project = Project::example();
    project.commit_all("first");
    project.weft("lab up").expect(0);
    let ran = project.weft("run").expect(0);
    assert!(ran.out.contains("Traffic: no device routes anything yet, so no traffic moves"), "{}", ran.out);
    project
}

#[test]
fn a_plan_tells_the_traffic_that_it_moves_and_the_pipeline_gates_on_it() {
    let project = running();
    let session = "    - { port: \"b1-border-02:swp1\", address: 192.0.2.4/31, neighbor: 192.0.2.5 }\n";
    project.edit("intents/peerings.yaml", session, "");
    let plan = fits(project.weft("-q plan --format text").expect(0));
    let plan = plan.says("compared with run ").says("no longer over b1-border-02").says("nothing else changes");
    assert!(plan.out.contains("Traffic: "), "{}", plan.out);
    let json = parsed(&project.weft("-q plan --format json").expect(0));
    assert!(json["traffic"]["changes"][0]["pairs"].as_u64() > Some(0), "{json}");

    // Nothing may move.
    project.edit("pipeline/default.yaml", "plan: { concurrency: 16 }", "plan: { allow_changes: [] }");
    fits(project.weft("-q run").expect(1))
        .says("error[WEFT-548]")
        .says("pipeline/default.yaml:12:15")
        .says("not allowed: ")
        .says("the traffic from segment/web to internet ends in another way: 2 pairs of 4")
        .says("allow it: `{ from: segment/web, to: internet, what: [verdict] }`");
    project.weft("-q plan").expect(1).says("error[WEFT-548]");

    // The traffic to the internet may, and nothing else does.
    let allowed = "plan: { allow_changes: [{ to: internet, what: [verdict] }] }";
    project.edit("pipeline/default.yaml", "plan: { allow_changes: [] }", allowed);
    let ran = project.weft("-q run").expect(1);
    let ran = ran.says("the traffic from peering/transit-b to segment/web");
    assert!(!ran.out.contains("to internet ends"), "{}", ran.out);
    // What the pipeline does not allow, the commit may.
    let in_commit = allowed.replace("plan: {", "plan: { changes_in_commit: true,");
    project.edit("pipeline/default.yaml", allowed, &in_commit);
    let message = project.path().join("message");
    std::fs::write(&message, "One way less\n\nAllow-change: peering/transit-b -> any\nAllow-change: any > any\nAllow-change: role/lef -> any\n")
        .expect("write");
    project.git("add -A intents pipeline");
    project.git("commit -q -F message");
    std::fs::remove_file(&message).expect("remove the message");
    let ran = project.weft("-q run").expect(1).says("error[WEFT-205]").says("`Allow-change: any > any`");
    ran.says("the traffic from loopbacks to loopbacks has fewer paths")
        .says("warning[WEFT-206]")
        .says("no traffic starts or goes at `role/lef`")
        .does_not_say("the traffic from peering/transit-b");
    project.edit("pipeline/default.yaml", &in_commit, allowed);
    let allowed_now = "plan: { allow_changes: [{ to: internet, what: [verdict] }, { from: peering/transit-b }, { from: node/b1-spine-02 }, { from: node/b1-spine-01 }] }";
    project.edit("pipeline/default.yaml", allowed, allowed_now);
    let ran = fits(project.weft("-q run").expect(0));
    assert!(ran.out.contains("nothing else changes"), "{}", ran.out);
    let html = project.weft("report latest --format html").expect(0).out;
    assert!(html.contains("id=\"h-traffic\"") && html.contains("nothing else changes"));
    project.weft("report latest --format markdown").expect(0).says("### Traffic");

    // A device that runs what no revision says: the promise cannot be kept.
    let by_hand = "lab exec b1-leaf-01 configure exclusive ; interface swp1 ; mtu 1400 ; commit";
    project.weft_with(by_hand.split(' ')).expect(0);
    project.weft("-q run").expect(1).says("error[WEFT-549]").says("b1-leaf-01 may run something else than run ");
    // Without a list, nothing is promised.
    project.edit("pipeline/default.yaml", allowed_now, "plan: {}");
    project.weft("-q run").expect(0).says("note: b1-leaf-01 may run something else");
}

#[test]
fn the_ends_of_allowed_changes_are_checked_where_they_stand() {
    let project = Project::example();
    project.edit("pipeline/default.yaml", "plan: { concurrency: 16 }", "plan: { allow_changes: [{ from: web }] }");
    project.weft("plan").expect(1).says("WEFT-204").says("pipeline/default.yaml:12:39").says("segment/NAME");
    project.edit("pipeline/default.yaml", "from: web", "what: [width]");
    project.weft("plan").expect(1).says("pipeline/default.yaml:12").says("narrower");
}
