//! Whether approvals count: the right plan, a person who may, in time, and nobody for their own work.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weft_ssh::AllowedSigners;

use super::{ApprovalText, NAMESPACE};
use crate::run::{RunId, Timestamp};

/// How far the clocks of people may be ahead.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// An approval that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Who approved.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The run whose plan was shown.
    pub run: RunId,
}

/// An approval that does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Whose it says to be.
    pub by: String,
    /// Why it does not count.
    pub why: String,
}

/// An approval as it lies in the folder of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) run: RunId,
    pub(super) message: String,
    pub(super) signature: String,
}

/// What approvals are held against.
pub(super) struct Rules<'r> {
    pub(super) plan: &'r str,
    pub(super) signers: &'r AllowedSigners,
    /// Those who do not count: they made the plan, or what it carries out.
    pub(super) makers: &'r BTreeSet<String>,
    pub(super) expires: Duration,
    pub(super) now: Timestamp,
}

/// Returns the approvals that count, the latest of each person, and those that do not.
pub(super) fn judge(found: &[Found], rules: &Rules<'_>) -> (Vec<Counted>, Vec<Refused>) {
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    let mut refused = BTreeSet::new();
    for found in found {
        match one(found, rules) {
            Ok(approval) => {
                let known = counted.entry(approval.by.clone()).or_insert_with(|| approval.clone());
                if approval.at > known.at {
                    *known = approval;
                }
            }
            Err(why) => drop(refused.insert(why)),
        }
    }
    refused.retain(|refused| !counted.contains_key(&refused.by));
    (counted.into_values().collect(), refused.into_iter().collect())
}

fn one(found: &Found, rules: &Rules<'_>) -> Result<Counted, Refused> {
    let refuse = |by: &str, why: String| Refused { by: by.to_owned(), why };
    let Some(text) = ApprovalText::parse(&found.message) else {
        return Err(refuse("somebody", "it is not the text of an approval".to_owned()));
    };
    let fail = |why: String| refuse(&text.by, why);
    if text.run != found.run {
        return Err(fail(format!("it is for run {}", text.run)));
    }
    if text.plan != rules.plan {
        return Err(fail("it is for another plan".to_owned()));
    }
    let now = moment(rules.now);
    rules
        .signers
        .verify(&text.by, NAMESPACE, (&found.message, &found.signature), now)
        .map_err(|error| fail(error.to_string()))?;
    if text.at.since(rules.now) > AHEAD {
        return Err(fail(format!("it is of {}, which is yet to come", text.at.readable())));
    }
    let age = rules.now.since(text.at);
    if age > rules.expires {
        let minutes = rules.expires.as_secs() / 60;
        return Err(fail(format!("it is of {}, and expired {minutes} minutes later", text.at.readable())));
    }
    if is_one_of(&text.by, rules.makers) {
        return Err(fail("four eyes are wanted, and these made it".to_owned()));
    }
    Ok(Counted { by: text.by, at: text.at, run: text.run })
}

/// Tells whether a person is one of those who made something. Mail addresses make no difference between large and small letters.
pub(super) fn is_one_of(person: &str, makers: &BTreeSet<String>) -> bool {
    makers.iter().any(|maker| maker.eq_ignore_ascii_case(person))
}

/// Returns a time as the signatures have it.
pub(super) fn moment(time: Timestamp) -> jiff::Timestamp {
    // Every time that a run can have is one.
    time.to_string().parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
