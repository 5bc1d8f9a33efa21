//! The traffic that goes other ways once a plan is carried out, as plans, comparisons and reports hold it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_model::{NodeName, TrafficWhat};

/// Which traffic changes from one network to another, as the predictions of both say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// What the network of before is, in words; none where that is said elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// What is not known, and what could not be compared for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The pairs of a source and a destination that were compared.
    pub compared: usize,
    /// Those of them that change in nothing.
    pub same: usize,
    /// What changes: those first that are not allowed, then the worst.
    pub changes: Vec<TrafficChange>,
}

/// Pairs of places of two classes whose traffic changes in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficChange {
    /// How it changes.
    pub what: TrafficWhat,
    /// Where the packets start, such as `segment/web`.
    pub from: String,
    /// Where they go, such as `internet`.
    pub to: String,
    /// The packets that are concerned, such as `tcp 443`; none where all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<String>,
    /// How packets ended; none where a place is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How packets end; none where a place is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The intent with the rule that drops packets now and did not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The pairs that change so.
    pub pairs: usize,
    /// All pairs of these classes.
    pub of: usize,
    /// The devices where the packets start.
    #[schemars(with = "Vec<String>")]
    pub sources: BTreeSet<NodeName>,
    /// The equal-cost ways out of the devices where the packets start.
    pub width: BeforeAfter,
    /// The equal-cost paths.
    pub paths: BeforeAfter,
    /// The links that packets cross.
    pub hops: BeforeAfter,
    /// The devices that the packets passed, and do not pass any more.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub leaves: BTreeSet<NodeName>,
    /// The devices that the packets pass now, and did not before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub joins: BTreeSet<NodeName>,
    /// One of the pairs: its source and its destination.
    pub example: [String; 2],
    /// Whether the pipeline allows it.
    pub allowed: bool,
}

/// The least and the most of a number, before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeforeAfter {
    /// Before; none where a place is new.
    pub before: Option<[u64; 2]>,
    /// After; none where a place is gone.
    pub after: Option<[u64; 2]>,
}

impl BeforeAfter {
    /// Returns both in words, such as `2 -> 1` or `2-4`; nothing where there are none.
    pub fn words(&self) -> Option<String> {
        let range = |[least, most]: [u64; 2]| match least == most {
            true => least.to_string(),
            false => format!("{least}-{most}"),
        };
        match (self.before, self.after) {
            (Some(before), Some(after)) if before != after => Some(format!("{} -> {}", range(before), range(after))),
            (Some(only), _) | (None, Some(only)) => Some(range(only)),
            (None, None) => None,
        }
    }

    /// Tells whether it is another number after than before.
    pub fn differs(&self) -> bool {
        matches!((self.before, self.after), (Some(before), Some(after)) if before != after)
    }
}
