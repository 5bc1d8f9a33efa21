//! Rules of the organisation, as a user meets them: on validation, on a plan, and before a push.

mod weft;

use std::fs;

use weft::Project;

#[test]
fn a_broken_rule_fails_validation_of_the_working_tree_and_of_a_commit() {
    let project = Project::example();
    project.weft("validate").expect(0).says("no findings");
    project.edit("intents/fabrics.yaml", "spine: { count: 2", "spine: { count: 1");
    project
        .weft("validate")
        .expect(1)
        .says("error[WEFT-230]: 1 spines do not spread over two power feeds")
        .says("intents/fabrics.yaml:11:19")
        .says("the rule `house-rules/even-spines`");
    let commit = project.commit_all("one-spine");
    project.edit("intents/fabrics.yaml", "spine: { count: 1", "spine: { count: 2");
    project.weft("validate").expect(0);
    project.weft(&format!("validate --commit {commit}")).expect(1).says("house-rules/even-spines");
    fs::remove_dir_all(project.path().join("policy")).expect("remove the policy");
    project.edit("intents/fabrics.yaml", "spine: { count: 2", "spine: { count: 1");
    project.weft("validate").expect(1).does_not_say("WEFT-23");
}

#[test]
fn a_plan_that_breaks_a_rule_is_shown_and_never_pushed() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    project.edit("policy/house-rules.yaml", "size(item.devices) <= 20", "size(item.devices) <= 10");
    let rule = "    - name: one-spine-at-a-time\n      on: plan\n      each: plan.waves\n      assert: \
        size(plan.devices.filter(d, d.role == \"spine\" && d.name in item.devices)) <= 1\n      message: \
        \"{{plan.devices.filter(d, d.role == 'spine' && d.name in item.devices).map(d, d.name)}} change together\"\n";
    let policy = project.path().join("policy/house-rules.yaml");
    let text = fs::read_to_string(&policy).expect("the policy") + rule;
    fs::write(&policy, &text).expect("write the policy");
    project
        .weft("plan")
        .expect(1)
        .says("\"b1-spine-01\",\"b1-spine-02\",\"b2-spine-01\",\"b2-spine-02\"] change together");
    fs::write(&policy, text.replace(rule, "")).expect("write the policy");
    let planned = project.weft("plan").expect(1).says("20 devices change").says("wave 1 changes 19 devices at once");
    assert!(planned.err.contains("policy/house-rules.yaml"), "{}", planned.err);
    project.weft("run").expect(1).says("wave 1 changes 19 devices at once").says("push skipped");
    // Nothing was changed: with smaller waves all of them would be.
    project.edit("pipeline/default.yaml", "size: 20", "size: 10");
    project.weft("plan").expect(0).says("20 devices change");
}
