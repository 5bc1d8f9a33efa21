//! The id of a run: its time and its commit, readable and in the order of time.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The id of a run, `20261123-073300-7f3a`: the second it started in (UTC), and the first digits of its commit, or `tree`
/// where there is none. A further run of the same second has `-2`, `-3` and so on behind it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Why a text is not the id of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the id of a run, such as `20261123-073300-7f3a`", .0.escape_debug())]
pub struct InvalidRunId(String);

impl RunId {
    /// Returns the id of the `nth` run (from 1) that starts at `started` from `commit`.
    pub fn new(started: Timestamp, commit: Option<&str>, nth: u32) -> Self {
        let commit: String = match commit {
            Some(commit) => commit.chars().filter(char::is_ascii_hexdigit).take(4).collect(),
            None => "tree".to_owned(),
        };
        let time = started.compact();
        Self(if nth <= 1 { format!("{time}-{commit}") } else { format!("{time}-{commit}-{nth}") })
    }

    /// Returns the id as text, fit for the name of a folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        let mut parts = text.split('-');
        let mut digits = |count: usize| {
            parts.next().is_some_and(|part| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let time = digits(8) && digits(6);
        let commit = parts.next().is_some_and(|part| {
            (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        });
        let nth = parts
            .next()
            .is_none_or(|part| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
        if time && commit && nth && parts.next().is_none() {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRunId(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;

    fn try_from(text: String) -> Result<Self, InvalidRunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for RunId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RunId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{8}-[0-9]{6}-[a-z0-9]{1,4}(-[0-9]+)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_time_and_commit() {
        let at = Timestamp::from_milliseconds(1_795_418_780_123);
        assert_eq!(RunId::new(at, Some("7f3a9c"), 1).as_str(), "20261123-072620-7f3a");
        assert_eq!(RunId::new(at, None, 3).as_str(), "20261123-072620-tree-3");
    }

    #[test]
    fn a_path_is_not_an_id() {
        for bad in
            ["", "../x", "20261123-072620", "20261123-072620-7f3a/..", "20261123-072620-7f3a-", "2026112-0726200-7f3a"]
        {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
        for good in ["20261123-072620-7f3a", "20261123-072620-tree-3"] {
            assert!(good.parse::<RunId>().is_ok(), "{good}");
        }
    }
}
