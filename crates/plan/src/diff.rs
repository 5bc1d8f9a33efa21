//! Unified diffs whose hunks say in which section they are.

use std::collections::BTreeSet;

use similar::{ChangeTag, TextDiff};
use weft_model::{SecretDigests, SecretRef, changed_secrets};

use crate::FileChange;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 3;
/// The columns of a terminal: a hunk's header is not longer.
const COLUMNS: usize = 80;

/// Compares the running and the intended text of a file, both comparable and normalised; `None` when they are the same.
///
/// A secret in a line that changes is shown with the digest of its value.
pub fn compare(file: &str, running: &str, intended: &str, secrets: &SecretDigests) -> Option<FileChange> {
    compare_named((&format!("{file} (running)"), running), (&format!("{file} (intended)"), intended), secrets)
}

/// Compares two texts, each with the name that stands in the diff; `None` when they are the same.
///
/// A secret in a line that changes is shown with the digest of its value.
pub fn compare_named(old: (&str, &str), new: (&str, &str), secrets: &SecretDigests) -> Option<FileChange> {
    let ((old_name, old), (new_name, new)) = (old, new);
    if old == new {
        return None;
    }
    let old: Vec<&str> = old.lines().collect();
    let new: Vec<&str> = new.lines().collect();
    let diff = TextDiff::from_slices(&old, &new);
    let mut change =
        FileChange { added: 0, removed: 0, diff: format!("--- {old_name}\n+++ {new_name}\n"), secrets: changed(&diff) };
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (old_start, old_end) = (first.old_range().start, last.old_range().end);
        let (new_start, new_end) = (first.new_range().start, last.new_range().end);
        let changes: Vec<_> = group.iter().flat_map(|op| diff.iter_changes(op)).collect();
        // The section of the first line that changes, as far as it begins above the hunk.
        let section = changes.iter().find_map(|line| match line.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Insert => Some(parents(&new, line.new_index()?, new_start)),
            ChangeTag::Delete => Some(parents(&old, line.old_index()?, old_start)),
        });
        let place = format!("@@ -{} +{} @@", range(old_start, old_end), range(new_start, new_end));
        change.diff.push_str(&header(&place, &section.unwrap_or_default()));
        change.diff.push('\n');
        for line in changes {
            let sign = match line.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Insert => {
                    change.added += 1;
                    '+'
                }
                ChangeTag::Delete => {
                    change.removed += 1;
                    '-'
                }
            };
            change.diff.push(sign);
            match sign {
                ' ' => change.diff.push_str(line.value()),
                _ => change.diff.push_str(&secrets.shown(line.value())),
            }
            change.diff.push('\n');
        }
    }
    Some(change)
}

/// Returns the secrets that the running text has with another value.
fn changed(diff: &TextDiff<'_, '_, str>) -> BTreeSet<SecretRef> {
    let of = |tag| diff.iter_all_changes().filter(move |line| line.tag() == tag).map(|line| line.value());
    changed_secrets(of(ChangeTag::Delete), of(ChangeTag::Insert))
}

/// A range of lines as POSIX writes it: the first line and the count, or the line before an empty range.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns the lines that a line is indented below, the outermost first, of those before `shown_from`.
fn parents<'a>(lines: &[&'a str], line: usize, shown_from: usize) -> Vec<&'a str> {
    let Some(mut depth) = lines.get(line).map(|text| indentation(text)) else { return Vec::new() };
    let mut found = Vec::new();
    for (index, text) in lines[..line].iter().enumerate().rev() {
        if depth == 0 {
            break;
        }
        if !text.trim().is_empty() && indentation(text) < depth {
            depth = indentation(text);
            if index < shown_from {
                found.push(text.trim());
            }
        }
    }
    found.reverse();
    found
}

/// Puts place and section into one line. When that is too long the outer sections give way: the innermost says most.
fn header(place: &str, section: &[&str]) -> String {
    for skipped in 0..section.len() {
        let shown = section[skipped..].join(" / ");
        let line = format!("{place} {}{shown}", if skipped > 0 { "... / " } else { "" });
        if line.chars().count() <= COLUMNS {
            return line;
        }
    }
    match section.last() {
        Some(last) => {
            let line: String = format!("{place} {last}").chars().take(COLUMNS - 3).collect();
            format!("{line}...")
        }
        None => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weft_model::SecretDigest;

    use super::*;

    const RUNNING: &str = "hostname a
interface swp1
  mtu 9100
router bgp 64701
  neighbor 10.1.0.0
    remote-as 64601
    description one
    timers 3 9
    password x
    import-policy in
    export-policy out
    maximum-prefixes 100
";

    #[test]
    fn a_hunk_says_where_its_lines_belong() {
        let intended = RUNNING.replace("mtu 9100", "mtu 1500").replace("maximum-prefixes 100", "maximum-prefixes 200");
        let change = compare("running.conf", RUNNING, &intended, &SecretDigests::default()).unwrap();
        assert_eq!((change.added, change.removed), (2, 2));
        assert_eq!(
            change.diff,
            "--- running.conf (running)
+++ running.conf (intended)
@@ -1,6 +1,6 @@
 hostname a
 interface swp1
-  mtu 9100
+  mtu 1500
 router bgp 64701
   neighbor 10.1.0.0
     remote-as 64601
@@ -9,4 +9,4 @@ router bgp 64701 / neighbor 10.1.0.0
     password x
     import-policy in
     export-policy out
-    maximum-prefixes 100
+    maximum-prefixes 200
"
        );
    }

    #[test]
    fn a_secret_that_differs_is_named_and_shown_by_its_digests() {
        let digest = SecretDigest::of_hash(&[9; 32]);
        let secrets = SecretDigests::new([("env/KEY".parse().unwrap(), digest)].into());
        let running = RUNNING.replace("password x", "password ${secret:?:0101010101010101}");
        let intended = RUNNING.replace("password x", "password ${secret:env/KEY}");
        let change = compare("running.conf", &running, &intended, &secrets).unwrap();
        assert!(
            change.diff.contains(
                "\n-    password ${secret:?:0101010101010101}\n+    password ${secret:env/KEY:0909090909090909}\n"
            ),
            "{}",
            change.diff
        );
        assert_eq!(change.secrets, ["env/KEY".parse().unwrap()].into());
    }

    #[test]
    fn a_header_fits_a_terminal() {
        let long = "neighbor ".to_owned() + &"x".repeat(90);
        for section in
            [vec!["router bgp 1", "address-family ipv4 unicast", "neighbor 10.255.255.255 a"], vec![&long[..]]]
        {
            let line = header("@@ -100,12 +100,14 @@", &section);
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(header("@@ -1 +1 @@", &[]), "@@ -1 +1 @@");
    }

    /// Applies a diff made by `compare`.
    fn apply(old: &str, diff: &str) -> String {
        let old: Vec<&str> = old.lines().collect();
        let (mut out, mut at) = (Vec::new(), 0);
        for line in diff.lines().skip(2) {
            match line.split_at(1) {
                ("@", rest) => {
                    let (start, count) = rest
                        .split_once('-')
                        .unwrap()
                        .1
                        .split(' ')
                        .next()
                        .unwrap()
                        .split_once(',')
                        .unwrap_or((rest.split_once('-').unwrap().1.split(' ').next().unwrap(), "1"));
                    let start: usize = start.parse().unwrap();
                    let start = if count == "0" { start } else { start - 1 };
                    out.extend_from_slice(&old[at..start]);
                    at = start;
                }
                (" ", text) => {
                    assert_eq!(old[at], text);
                    out.push(old[at]);
                    at += 1;
                }
                ("-", text) => {
                    assert_eq!(old[at], text);
                    at += 1;
                }
                (_, text) => out.push(text),
            }
        }
        out.extend_from_slice(&old[at..]);
        out.iter().map(|line| format!("{line}\n")).collect()
    }

    proptest! {
        #[test]
        fn a_diff_leads_from_running_to_intended(
            old in proptest::collection::vec("( {0,3}[a-c]{1,2})", 0..30),
            new in proptest::collection::vec("( {0,3}[a-c]{1,2})", 0..30),
        ) {
            let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
            let (old, new) = (text(&old), text(&new));
            match compare("f", &old, &new, &SecretDigests::default()) {
                Some(change) => prop_assert_eq!(apply(&old, &change.diff), new),
                None => prop_assert_eq!(old, new),
            }
        }
    }
}
