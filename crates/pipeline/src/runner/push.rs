//! The stage that pushes: whether it may begin, and how it ended.

use std::collections::BTreeMap;

use weft_diagnostics::{Diagnostic, has_errors};
use weft_plan::Plan;
use weft_push::PushReport;

use super::{Forward, Outcome, Run};
use crate::{
    approval,
    definition::{PushStage, Unreachable},
    recovery, report,
    run::{DeviceResult, StageState, StoreError},
    stages::{self, Consent, PushRequest},
};

impl Run<'_> {
    /// Carries out the plan, if it may be.
    pub(super) async fn push(&mut self, parameters: &PushStage) -> Result<Outcome, StoreError> {
        let (Some(plan), Some(compiled), Some(reach)) = (&self.plan, &self.compiled, &self.reach) else {
            return Ok(Outcome::skipped("there is no plan"));
        };
        if !plan.has_changes() {
            let unreachable: Vec<&str> = plan.unreachable().map(|(device, _)| device.as_str()).collect();
            return Ok(match (unreachable.as_slice(), plan.devices.len()) {
                ([], _) => Outcome::succeeded("every device runs what is intended".to_owned()),
                (all, devices) if all.len() == devices => Outcome::skipped("no device could be reached"),
                (some, _) => Outcome::skipped(&format!(
                    "nothing to change on the devices that answer; unreachable: {}",
                    report::named(some)
                )),
            });
        }
        let findings = stages::gate_findings(plan, self.sources, parameters);
        if has_errors(&findings) {
            return Ok(Outcome::found(findings, String::new()));
        }
        if let Some(outcome) = self.unapproved(plan, parameters, format!("weft apply {}", self.record.id))? {
            return Ok(outcome);
        }
        recovery::hand_over(&self.directory, self.pipeline, self.sources, self.options, false)?;
        let request = PushRequest {
            plan,
            compiled,
            reach,
            parameters,
            run: self.record.id.as_str(),
            journal: &self.directory.path().join("journal.jsonl"),
            leases: &self.options.root.join(".weft").join("leases"),
            cancel: self.options.cancel.clone(),
        };
        let (report, findings) = match stages::push(request, &Forward(self.observer)).await {
            Ok(pushed) => pushed,
            Err(error) => return Ok(Outcome::error(error)),
        };
        self.directory.write_json("push.json", &report)?;
        for (device, pushed) in &report.devices {
            if let Some(record) = self.record.devices.get_mut(device)
                && record.result == DeviceResult::Planned
            {
                stages::note(record, device, pushed, &report);
            }
        }
        stages::note_waves(&mut self.record.waves, &report);
        self.pushed(&report, findings, parameters)
    }

    /// Returns how a push ends that must not begin, as people must approve its plan first. `command` carries it out then.
    pub(crate) fn unapproved(
        &self,
        plan: &Plan,
        parameters: &PushStage,
        command: String,
    ) -> Result<Option<Outcome>, StoreError> {
        let (approvals, consent) = stages::consent(&stages::Asked {
            root: &self.options.root,
            sources: self.sources,
            plan,
            parameters,
            user: &self.options.user,
            run: &self.record.id,
            wanted: self.options.plan.as_ref(),
            command: command + &self.pipeline.argument(),
            now: (self.options.clock)(),
        })?;
        if let Some(approvals) = &approvals {
            approvals.keep(&self.directory)?;
        }
        Ok(match consent {
            Consent::Given => None,
            Consent::Refused(findings) => Some(Outcome::found(findings, String::new())),
            Consent::Waits(findings) => {
                let summary = approvals.as_ref().map(stages::waits_for).unwrap_or_default();
                Some(Outcome { state: StageState::Waiting, summary, findings, error: None })
            }
        })
    }

    /// Returns how a push ended. Runs that waited for the approvals of its plan wait no more once it is carried out.
    pub(crate) fn pushed(
        &self,
        report: &PushReport,
        findings: Vec<Diagnostic>,
        parameters: &PushStage,
    ) -> Result<Outcome, StoreError> {
        if let (Some(_), true, Some(plan)) = (&parameters.approval, report.succeeded(), &self.plan) {
            approval::carried_out(&self.options.root, &plan.digest.to_string(), &self.record.id)?;
        }
        let mut counts = BTreeMap::new();
        for device in self.record.devices.values().filter(|device| device.wave.is_some()) {
            *counts.entry(device.result).or_insert(0_usize) += 1;
        }
        let counts: Vec<String> = counts.iter().map(|(result, count)| format!("{count} {result}")).collect();
        let summary = format!("{} in {}", counts.join(", "), report::counted(report.waves.len(), "wave"));
        let lost = parameters.unreachable == Unreachable::Fail
            && report
                .devices
                .values()
                .any(|device| matches!(device.result, weft_push::DeviceResult::Unreachable { .. }));
        // With nothing changed, the devices that could not be reached were the whole of the matter.
        let any = |result| self.record.devices.values().any(|device| device.result == result);
        let nothing = any(DeviceResult::Unreachable) && !any(DeviceResult::Changed);
        if report.succeeded() && !lost && !nothing {
            return Ok(Outcome { findings, ..Outcome::succeeded(summary) });
        }
        let state = if report.cancelled { StageState::Cancelled } else { StageState::Failed };
        Ok(Outcome { state, summary, findings, error: stages::why(report) })
    }
}
