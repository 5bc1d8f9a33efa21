//! The text that a person signs to approve a plan.

use std::fmt;

use crate::run::{RunId, Timestamp};

/// What the signature is for, so that no signature over something else is taken for an approval.
pub const NAMESPACE: &str = "weft-approval";
/// The first line of the text.
const HEAD: &str = "weft approval 1";

/// What a person signs. Its text is the same byte by byte for the same approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalText {
    /// The run that made the plan.
    pub run: RunId,
    /// The digest of the plan.
    pub plan: String,
    /// Who approves.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for ApprovalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, plan, by, at } = self;
        write!(f, "{HEAD}\nrun: {run}\nplan: {plan}\nby: {by}\nat: {at}\n")
    }
}

impl ApprovalText {
    /// Reads a text; `None` where it is no approval, to the byte.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let is_head = lines.next()? == HEAD;
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
        let read = Self {
            run: field("run")?.parse().ok()?,
            plan: field("plan")?,
            by: field("by")?,
            at: field("at")?.parse().ok()?,
        };
        // What is left over, or written in another way, is not what was shown to the person who signed.
        (is_head && read.to_string() == text).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_back_and_nothing_else_does() {
        let text = "weft approval 1\nrun: 20261123-073300-7f3a\nplan: 00ff\nby: ann@example.net\n\
                    at: 2026-11-23T07:33:00.000Z\n";
        let read = ApprovalText::parse(text).unwrap();
        assert_eq!((read.to_string().as_str(), read.by.as_str()), (text, "ann@example.net"));
        for (from, to) in [
            ("weft approval 1", "weft approval 2"),
            ("\nat", "\nat: now\nat"),
            ("7f3a", "../x"),
            ("by: ", "by:  "),
            ("00Z\n", "00Z\n\n"),
        ] {
            let bad = text.replacen(from, to, 1);
            let is_same = ApprovalText::parse(&bad).is_some_and(|read| read.by == "ann@example.net");
            assert!(!is_same, "{bad}");
        }
    }
}
