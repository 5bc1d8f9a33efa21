//! Which plans people must approve before they are pushed.

use std::path::{Component, Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_diagnostics::Diagnostic;
use weft_intent::Document;
use weft_model::{IntentKind, IntentRef};

use super::PushStage;
use crate::codes;

/// Who must approve a plan before it is pushed. Whoever made the plan or the commit does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalStage {
    /// How many people must approve. Default 1: with the one who made the plan, four eyes.
    #[schemars(range(min = 1, max = 16))]
    pub required: u16,
    /// Which plans need it: those for which any of these holds. Without it, all.
    pub when: Option<ApprovalWhen>,
    /// How long an approval counts, in minutes. Default 1440, a day.
    #[schemars(range(min = 1, max = 525_600))]
    pub expires_minutes: u32,
    /// The file that says who may approve, with which keys, as ssh-keygen(1) has it; relative to the project, or absolute. It is
    /// read from this machine, never from the commit. Default `.weft/allowed_signers`.
    pub allowed_signers: String,
}

impl Default for ApprovalStage {
    fn default() -> Self {
        Self { required: 1, when: None, expires_minutes: 1440, allowed_signers: ".weft/allowed_signers".to_owned() }
    }
}

/// Which plans people must approve.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalWhen {
    /// Those that change more devices.
    pub devices_over: Option<u32>,
    /// Those that change devices at more sites.
    pub sites_over: Option<u32>,
    /// Those after which devices have other routes to more prefixes.
    pub prefixes_over: Option<u32>,
    /// Those that touch a line of one of these intents: `KIND/NAME`, or `KIND` for all of a kind.
    pub intents: Vec<String>,
    /// Those after which some traffic does not all arrive any more. Default false.
    pub traffic_lost: bool,
}

/// Returns what is wrong with the approval that the push at `pointer` asks for, and with its time to watch.
pub(super) fn mistakes(document: &Document, pointer: &str, push: &PushStage) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let soak = u32::from(push.waves.soak_seconds);
    let needed = u32::from(push.converge_seconds) + soak;
    if soak > 0 && u32::from(push.confirm_seconds) <= needed {
        let message = format!(
            "a device waits {} s for its confirmation, and a wave may be watched for {needed} s",
            push.confirm_seconds
        );
        findings.push(
            Diagnostic::error(codes::SOAK_TOO_LONG, message)
                .at(document.span(&format!("{pointer}/waves/soak_seconds")))
                .help(format!(
                    "set `confirm_seconds` to more than {needed}: `converge_seconds` and `soak_seconds` together"
                )),
        );
    }
    let Some(approval) = &push.approval else { return findings };
    let kinds: Vec<&str> = IntentKind::ALL.map(IntentKind::as_str).to_vec();
    let intents = approval.when.iter().flat_map(|when| &when.intents);
    for (index, intent) in intents.enumerate() {
        if kinds.contains(&intent.as_str()) || intent.parse::<IntentRef>().is_ok() {
            continue;
        }
        findings.push(
            Diagnostic::error(codes::NOT_AN_APPROVAL, format!("`{}` is no intent", intent.escape_debug()))
                .at(document.span(&format!("{pointer}/approval/when/intents/{index}")))
                .help("write `KIND/NAME`, such as `segment/web`, or only the kind"),
        );
    }
    let file = Path::new(&approval.allowed_signers);
    let stays =
        file.is_absolute() || file.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if approval.allowed_signers.is_empty() || !stays {
        let message = format!("`{}` leads out of the project", approval.allowed_signers.escape_debug());
        findings.push(
            Diagnostic::error(codes::NOT_AN_APPROVAL, message)
                .at(document.span(&format!("{pointer}/approval/allowed_signers")))
                .help("write a file relative to the project, or an absolute path"),
        );
    }
    findings
}
