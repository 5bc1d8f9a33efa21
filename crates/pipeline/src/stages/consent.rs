//! Consent: whether the people whose approval a plan needs have given it.

use std::path::Path;

use weft_diagnostics::Diagnostic;
use weft_plan::{ApprovalsNeeded, Plan};

use crate::{
    approval::{self, Approvals, ApproveError},
    codes,
    definition::PushStage,
    report::counted,
    run::{RunId, StoreError, Timestamp},
    source::Sources,
};

/// What a push is told about the approval of its plan.
#[derive(Debug)]
pub enum Consent {
    /// It may begin.
    Given,
    /// It waits for people, who are told of it by this run.
    Waits(Vec<Diagnostic>),
    /// It must not begin: another run waits already, or it is not known who may approve.
    Refused(Vec<Diagnostic>),
}

/// Who asks for consent, and for what.
pub struct Asked<'a> {
    /// The folder of the project.
    pub root: &'a Path,
    /// The files that the plan is made of.
    pub sources: &'a Sources,
    /// The plan.
    pub plan: &'a Plan,
    /// The parameters of the stage.
    pub parameters: &'a PushStage,
    /// Who runs Weft.
    pub user: &'a str,
    /// The run.
    pub run: &'a RunId,
    /// The plan that was to be carried out, where it was given.
    pub wanted: Option<&'a Plan>,
    /// The command that carries it out.
    pub command: String,
    /// The time.
    pub now: Timestamp,
}

/// Tells whether a plan has the approvals that it needs.
///
/// # Errors
/// Fails when the folder of a run cannot be read.
pub fn consent(asked: &Asked<'_>) -> Result<(Option<Approvals>, Consent), StoreError> {
    let &Asked { root, sources, plan, parameters, user, run, wanted, now, .. } = asked;
    // What a plan is known to need, it needs by whatever pipeline it is carried out.
    let noted = wanted.and_then(|plan| plan.radius.as_ref()?.approvals.as_ref());
    if let Some(noted) = noted.filter(|noted| needed(parameters, plan) < noted.required) {
        let wants = counted(usize::from(noted.required), "approval");
        let message =
            format!("the plan needs {wants} ({}), and this pipeline asks for fewer", noted.because.join("; "));
        let finding = Diagnostic::error(codes::NOT_APPROVED, message)
            .help("carry it out by the pipeline that made it: add `--pipeline FILE`");
        return Ok((None, Consent::Refused(vec![finding])));
    }
    let Some(policy) = &parameters.approval else { return Ok((None, Consent::Given)) };
    let unknown = |why: String| {
        let finding = Diagnostic::error(codes::APPROVERS_UNKNOWN, why)
            .help("write a line for each of them, `NAME ssh-ed25519 KEY`, as for `ssh-keygen -Y verify`");
        Ok((None, Consent::Refused(vec![finding])))
    };
    let makers = match approval::makers(root, sources.exact_commit(), user) {
        Ok(makers) => makers,
        Err(error) => return unknown(error.to_string()),
    };
    let (mut approvals, first) = match approval::request(root, policy, plan, makers, now) {
        Ok(None) => return Ok((None, Consent::Given)),
        Ok(Some(request)) => request,
        Err(ApproveError::Store(error)) => return Err(error),
        Err(error) => return unknown(error.to_string()),
    };
    approvals.command = Some(asked.command.clone());
    let mut findings = Vec::new();
    for refused in &approvals.refused {
        let message = format!("the approval of {} does not count: {}", refused.by, refused.why);
        findings.push(Diagnostic::warning(codes::APPROVAL_REFUSED, message));
    }
    if approvals.missing() == 0 {
        return Ok((Some(approvals), Consent::Given));
    }
    let shown = first.as_ref().unwrap_or(run);
    let message = format!("the plan waits for people, it has {}", approvals.words());
    let help = format!("look at it with `weft report {shown}`, and approve it with `weft approve {shown}`");
    let refuse = wanted.is_some() && first.is_some();
    let finding = if refuse {
        Diagnostic::error(codes::NOT_APPROVED, message)
    } else {
        Diagnostic::note(codes::NOT_APPROVED, message)
    };
    findings.insert(0, finding.help(help));
    Ok((Some(approvals), if refuse { Consent::Refused(findings) } else { Consent::Waits(findings) }))
}

/// Returns how many approvals a plan needs by a pipeline.
fn needed(parameters: &PushStage, plan: &Plan) -> u16 {
    let policy = parameters.approval.as_ref().filter(|policy| !approval::need(policy, plan).is_empty());
    policy.map_or(0, |policy| policy.required)
}

/// Writes into a plan how many people must approve it, and why.
pub fn note_approvals(plan: &mut Plan, parameters: &PushStage) {
    let Some(policy) = &parameters.approval else { return };
    let because = approval::need(policy, plan);
    if let (false, Some(radius)) = (because.is_empty(), &mut plan.radius) {
        radius.approvals = Some(ApprovalsNeeded { required: policy.required, because });
    }
}

/// Says in a line what a push waits for.
pub(crate) fn waits_for(approvals: &Approvals) -> String {
    format!("waits for {}", counted(approvals.missing(), "approval"))
}
