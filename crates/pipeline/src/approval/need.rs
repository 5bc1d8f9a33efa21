//! Which plans need the approval of people.

use weft_model::TrafficWhat;
use weft_plan::Plan;

use crate::{
    definition::{ApprovalStage, ApprovalWhen},
    report::counted,
};

/// Returns why a plan needs approvals, in words; nothing where it needs none. Where it is not known how far a plan reaches, it
/// reaches too far.
pub fn need(policy: &ApprovalStage, plan: &Plan) -> Vec<String> {
    if !plan.has_changes() {
        return Vec::new();
    }
    let Some(when) = &policy.when else { return vec!["every plan needs it".to_owned()] };
    let ApprovalWhen { devices_over, sites_over, prefixes_over, intents, traffic_lost } = when;
    let Some(radius) = &plan.radius else { return vec!["it is not known how far it reaches".to_owned()] };
    let mut reasons = Vec::new();
    let mut over = |count: usize, most: &Option<u32>, noun: &str| {
        if let Some(most) = most.filter(|most| count > usize::try_from(*most).unwrap_or(usize::MAX)) {
            reasons.push(format!("{}, more than {most}", counted(count, noun)));
        }
    };
    over(radius.devices.len(), devices_over, "device");
    over(radius.sites.len(), sites_over, "site");
    match &radius.prefixes {
        Some(prefixes) => over(prefixes.len(), prefixes_over, "changed route"),
        None if prefixes_over.is_some() => reasons.push("the routes of before are not known".to_owned()),
        None => {}
    }
    let named = |wanted: &&String| {
        let is = |text: &str| text == wanted.as_str();
        radius.intents.iter().any(|intent| is(intent.kind.as_str()) || is(&intent.to_string()))
    };
    let touched: Vec<&str> = intents.iter().filter(named).map(String::as_str).collect();
    if !touched.is_empty() {
        reasons.push(format!("it touches {}", touched.join(", ")));
    }
    if *traffic_lost {
        match &plan.traffic {
            Some(traffic) if traffic.changes.iter().any(|change| change.what == TrafficWhat::Lost) => {
                reasons.push("traffic does not all arrive any more".to_owned());
            }
            Some(traffic) if traffic.compared > 0 || radius.prefixes.is_some() => {}
            Some(_) | None => reasons.push("the traffic of before is not known".to_owned()),
        }
    }
    reasons
}
