//! The stable code of a finding and the sentence that documents it.

use std::fmt;

use serde::{Serialize, Serializer};

/// A stable identifier such as `WEFT-101`, with its title and its explanation.
///
/// Codes are declared as constants, each in the `codes` module of the crate that reports them. Two codes are equal when
/// their identifiers are.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    id: &'static str,
    title: &'static str,
    explanation: &'static str,
}

impl Code {
    /// Declares a code: `id` is `WEFT-nnn`, `title` names the mistake in a few words, `explanation` tells what it means
    /// and what to do.
    pub const fn new(id: &'static str, title: &'static str, explanation: &'static str) -> Self {
        Self { id, title, explanation }
    }

    /// Returns the identifier, `WEFT-nnn`.
    pub const fn id(&self) -> &'static str {
        self.id
    }

    /// Returns the name of the mistake, a few words in lower case.
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// Returns what the code means and what to do about it.
    pub const fn explanation(&self) -> &'static str {
        self.explanation
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Code {}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.id.cmp(other.id)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}
