//! What became of an intent.

use std::fmt;

use serde::{Deserialize, Serialize};
use weft_model::{IntentRef, NodeName, Source};

/// Whether the network does what an intent says (RFC 9315 compliance). They sort from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compliance {
    /// It does.
    Compliant,
    /// It does, with less redundancy than asked for.
    Degraded,
    /// It could not be observed.
    Unknown,
    /// It does not.
    Violated,
}

impl fmt::Display for Compliance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Compliant => "compliant",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Violated => "violated",
        })
    }
}

/// One observation that speaks for or against an intent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What this observation alone makes of the intent.
    pub compliance: Compliance,
    /// The device that was observed, if it was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<NodeName>,
    /// What was looked at, such as `session swp3 to b1-spine-01`.
    pub subject: String,
    /// What should be, such as `established`.
    pub expected: String,
    /// What is, such as `active`.
    pub observed: String,
}

/// What became of one intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentResult {
    /// The intent.
    pub intent: IntentRef,
    /// Where it stands.
    pub source: Source,
    /// The worst of the evidence, and compliant where all of it is.
    pub compliance: Compliance,
    /// How many observations were made for it, good ones included.
    pub observations: usize,
    /// In a line: what holds, or the worst that does not.
    pub summary: String,
    /// The observations that are not compliant, worst first; of the others a number is enough.
    pub evidence: Vec<Evidence>,
}
