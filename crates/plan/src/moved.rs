//! Which line of a device is another one than when its plan was made.
//!
//! A plan keeps no running configuration, but the way from it to the intended one. Where that is still intended, two ways tell what
//! differs between their beginnings: lines that were to go and are gone, and lines that were to come and are there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{DeviceChange, FileChange};

/// A line that differs between what a device ran and what it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedLine {
    /// The file.
    pub file: String,
    /// The sections around it, the outermost first; empty at the top of the file.
    pub section: Vec<String>,
    /// What the device had, if it had a line there.
    pub had: Option<String>,
    /// What it has, if it has a line there.
    pub has: Option<String>,
    /// How many more lines differ.
    pub more: usize,
}

impl MovedLine {
    /// Returns it in words, such as ``running.conf, interface swp1: `mtu 9216` is now `mtu 1400` ``.
    pub fn words(&self) -> String {
        let mut place = vec![self.file.as_str()];
        place.extend(self.section.iter().map(String::as_str));
        let what = match (&self.had, &self.has) {
            (Some(had), Some(has)) => format!("`{had}` is now `{has}`"),
            (Some(had), None) => format!("`{had}` is gone"),
            (None, Some(has)) => format!("`{has}` is new"),
            (None, None) => "nothing".to_owned(),
        };
        let more = match self.more {
            0 => String::new(),
            1 => ", and 1 more line".to_owned(),
            more => format!(", and {more} more lines"),
        };
        format!("{}: {what}{more}", place.join(", "))
    }
}

/// Returns the first line that a device had when a plan was made and has no longer, or the other way round. Both changes must lead
/// to the same configuration; `None` where they begin at the same.
pub fn moved_line(was: &DeviceChange, is: &DeviceChange) -> Option<MovedLine> {
    let (was, is) = (files(was), files(is));
    let mut moved: Vec<(String, Line, bool)> = Vec::new();
    let names: BTreeSet<&String> = was.into_iter().chain(is).flat_map(BTreeMap::keys).collect();
    for name in names {
        let lines =
            |of: &Files<'_>| of.and_then(|files| files.get(name)).map(|file| lines(&file.diff)).unwrap_or_default();
        let (mut before, after) = (lines(&was), lines(&is));
        let mut new = Vec::new();
        for line in after {
            match before.iter().position(|known| *known == line) {
                Some(same) => drop(before.remove(same)),
                None => new.push(line),
            }
        }
        // What a device would lose it has, and what it would gain it has not.
        moved.extend(before.into_iter().map(|line| (name.clone(), line.clone(), !line.goes)));
        moved.extend(new.into_iter().map(|line| (name.clone(), line.clone(), line.goes)));
    }
    let (file, first, _) = moved.first()?.clone();
    let same_place = |(of, line, _): &&(String, Line, bool)| *of == file && line.section == first.section;
    let here: Vec<_> = moved.iter().filter(same_place).collect();
    let of = |has: bool| here.iter().find(|(_, _, it)| *it == has).map(|(_, line, _)| line.text.clone());
    let (had, has) = (of(false), of(true));
    let told = usize::from(had.is_some()) + usize::from(has.is_some());
    Some(MovedLine { file, section: first.section, had, has, more: moved.len() - told })
}

type Files<'c> = Option<&'c BTreeMap<String, FileChange>>;

fn files(change: &DeviceChange) -> Files<'_> {
    match change {
        DeviceChange::Replace { files, .. } => Some(files),
        DeviceChange::None { .. } | DeviceChange::Unreachable { .. } => None,
    }
}

/// A line of a diff that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    section: Vec<String>,
    text: String,
    goes: bool,
}

/// Returns the lines of a unified diff that come or go, with their sections as far as the diff shows them.
fn lines(diff: &str) -> Vec<Line> {
    let all: Vec<&str> = diff.lines().skip(2).collect();
    let mut found = Vec::new();
    for hunk in all.chunk_by(|_, next| !next.starts_with("@@ ")) {
        let Some((header, body)) = hunk.split_first() else { continue };
        let section = header.split_once(" @@").map(|(_, section)| section).unwrap_or_default();
        let names = section.split(" / ").map(str::trim).filter(|name| !name.is_empty() && *name != "...");
        // The sections of the header are around the first line that changes, and so around those before it.
        let first = body.iter().position(|line| !line.starts_with(' ')).unwrap_or(0);
        let within = body[..=first.min(body.len().saturating_sub(1))].iter().map(|line| depth(line)).min().unwrap_or(0);
        let outer: Vec<(usize, &str)> =
            names.enumerate().map(|(n, name)| (if n == 0 { 0 } else { within.saturating_sub(1) }, name)).collect();
        // Of the running and of the intended text: how deep the lines around the current one are, and their texts.
        let mut around = [outer.clone(), outer];
        for line in body {
            let depth = depth(line);
            let text = line.get(1..).unwrap_or_default().trim();
            let sides: &[usize] = match line.as_bytes().first() {
                Some(b'-') => &[0],
                Some(b'+') => &[1],
                _ => &[0, 1],
            };
            for &side in sides {
                around[side].retain(|(outer, _)| *outer < depth);
            }
            if let [side] = sides {
                let section = around[*side].iter().map(|(_, name)| (*name).to_owned()).collect();
                found.push(Line { section, text: text.to_owned(), goes: *side == 0 });
            }
            for &side in sides {
                around[side].push((depth, text));
            }
        }
    }
    found
}

/// Returns how deep a line of a diff is indented behind its sign.
fn depth(line: &str) -> usize {
    let text = line.get(1..).unwrap_or_default();
    text.len() - text.trim_start().len()
}

#[cfg(test)]
mod tests {
    use weft_model::SecretDigests;

    use super::*;
    use crate::{Digest, compare_texts};

    const INTENDED: &str = "hostname a
interface swp1
  description to b
  mtu 9216
  up
router bgp 1
  neighbor 10.0.0.1
    remote-as 2
    description b
    timers 3 9
    export-policy out
  neighbor 10.0.0.3
    remote-as 3
";

    fn change(running: &str) -> DeviceChange {
        let digest = Digest::of(b"");
        match compare_texts("c", running, INTENDED, &SecretDigests::default()) {
            None => DeviceChange::None { running: digest },
            Some(file) => DeviceChange::Replace {
                running: digest.clone(),
                intended: digest,
                files: [("c".to_owned(), file)].into(),
            },
        }
    }

    #[test]
    fn the_line_that_moved_is_named_with_its_section() {
        let changed = |from: &str, to: &str| INTENDED.replace(from, to);
        let planned = changed("timers 3 9", "timers 30 90");
        for (was, is, words) in [
            (planned.clone(), planned.clone(), None),
            (INTENDED.to_owned(), changed("9216", "1400"), Some("c, interface swp1: `mtu 9216` is now `mtu 1400`")),
            (planned.clone(), planned.replace("9216", "1400"), Some("c, interface swp1: `mtu 9216` is now `mtu 1400`")),
            // What the plan was to change was changed by hand.
            (
                planned.clone(),
                INTENDED.to_owned(),
                Some("c, router bgp 1, neighbor 10.0.0.1: `timers 30 90` is now `timers 3 9`"),
            ),
            (
                planned.clone(),
                changed("timers 3 9", "timers 1 3"),
                Some("c, router bgp 1, neighbor 10.0.0.1: `timers 30 90` is now `timers 1 3`"),
            ),
            (
                changed("9216", "1400"),
                changed("9216", "1400").replace("    remote-as 3\n", "    remote-as 3\n    passive\n"),
                Some("c, router bgp 1, neighbor 10.0.0.3: `passive` is new"),
            ),
            (INTENDED.to_owned(), changed("hostname a\n", ""), Some("c: `hostname a` is gone")),
            (
                INTENDED.to_owned(),
                changed("  up\n", "").replace("9216", "1400"),
                Some("c, interface swp1: `mtu 9216` is now `mtu 1400`, and 1 more line"),
            ),
        ] {
            let found = moved_line(&change(&was), &change(&is)).map(|line| line.words());
            assert_eq!(found.as_deref(), words, "{was}\n{is}");
        }
    }
}
