//! Compares the running with the intended configuration, line by line.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};
use weft_model::{IntentRef, NodeName, PackName, SecretDigests, Source, Sources, changed_secrets};
use weft_pack::RenderedFile;

use crate::{
    Compliance, Evidence, Intended, Normaliser, Observed, Part,
    ledger::{Ledger, Topic},
};

/// So many lines of one file are named in the evidence of one intent; the drift itself holds all of them.
const LINES_NAMED: usize = 5;

/// The lines by which the running configuration of a device differs from the intended one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceDrift {
    /// The device.
    pub device: NodeName,
    /// The files that differ, by name.
    pub files: BTreeMap<String, Vec<DriftLine>>,
}

/// A line that is on one side only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftLine {
    /// Whether the device lacks it or has it beyond what is intended.
    pub is: DriftKind,
    /// Its number, from 1: in the rendered text where it is missing, in the running text where it is extra. Normalised
    /// texts may have it elsewhere.
    pub line: usize,
    /// The text, indentation included. A secret stands in it by its reference and the digest of its value.
    pub text: String,
    /// The intents it is charged to.
    pub sources: Sources,
}

/// On which side a line is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// It is intended, and the device lacks it.
    Missing,
    /// The device has it, and nobody intends it.
    Extra,
}

/// Compares every device, keeps the observations, and returns the devices that differ.
pub(crate) fn assess(
    intended: &Intended<'_>,
    observed: &BTreeMap<NodeName, Observed>,
    ledger: &mut Ledger,
) -> Vec<DeviceDrift> {
    let mut drift = Vec::new();
    for (device, rendered) in intended.rendered {
        let seen = observed.get(device);
        let intents = |file: &RenderedFile| -> BTreeSet<IntentRef> {
            file.lines.iter().flatten().map(|source| source.intent.clone()).collect()
        };
        let Some(running) = seen.and_then(|seen| seen.running.as_ref()) else {
            for intent in rendered.files.values().flat_map(intents).collect::<BTreeSet<_>>() {
                ledger.unread(&intent, device, seen, Part::Running);
            }
            continue;
        };
        let home = intended.network.node(device.as_str()).map(|node| node.source.clone());
        let mut files = BTreeMap::new();
        let (mut all, mut charged) = (BTreeSet::new(), BTreeSet::new());
        for (name, file) in &rendered.files {
            let running = running.get(name).map_or("", String::as_str);
            let Intended { packs, secrets, .. } = intended;
            let lines = drift_lines(*packs, secrets, (&rendered.pack, name), file, running, home.as_ref());
            charged.extend(charge(device, name, &lines, ledger));
            all.extend(intents(file));
            if !lines.is_empty() {
                files.insert(name.clone(), lines);
            }
        }
        for intent in all.difference(&charged) {
            ledger.holds(intent, Topic::Configuration, 1);
        }
        if !files.is_empty() {
            drift.push(DeviceDrift { device: device.clone(), files });
        }
    }
    drift
}

/// Keeps the lines as evidence and returns the intents that they speak against.
fn charge(device: &NodeName, file: &str, lines: &[DriftLine], ledger: &mut Ledger) -> BTreeSet<IntentRef> {
    let mut charged: BTreeMap<&IntentRef, Vec<(&DriftLine, &Source)>> = BTreeMap::new();
    for line in lines {
        for source in &line.sources {
            charged.entry(&source.intent).or_default().push((line, source));
        }
    }
    let violated = |subject: String, expected: String, observed: String| Evidence {
        compliance: Compliance::Violated,
        device: Some(device.clone()),
        subject,
        expected,
        observed,
    };
    for (intent, own) in &charged {
        for (line, source) in own.iter().take(LINES_NAMED) {
            let text = format!("`{}`", line.text.trim());
            let place = format!("{}:{}", source.file, source.line);
            ledger.fails(
                intent,
                Topic::Configuration,
                match line.is {
                    DriftKind::Missing => {
                        violated(format!("{file} line {}", line.line), format!("{text} ({place})"), absent(line, lines))
                    }
                    DriftKind::Extra => violated(
                        format!("{file} line {}", line.line),
                        format!("no such line in the section of {place}"),
                        text,
                    ),
                },
            );
        }
        if let Some(more) = own.len().checked_sub(LINES_NAMED).filter(|&more| more > 0) {
            ledger.fails(
                intent,
                Topic::Configuration,
                violated(format!("{more} more lines of {file}"), "as intended".to_owned(), "different".to_owned()),
            );
        }
    }
    charged.into_keys().cloned().collect()
}

/// Says what is in the place of a missing line: nothing, or its like with another secret.
fn absent(line: &DriftLine, lines: &[DriftLine]) -> String {
    let extra = lines.iter().filter(|line| line.is == DriftKind::Extra).map(|line| line.text.as_str());
    let changed = changed_secrets(extra, [line.text.as_str()]);
    match changed.first() {
        Some(secret) => format!("the secret {secret} differs"),
        None => "no such line".to_owned(),
    }
}

/// Returns the lines by which `running` differs from `file`, in the order of the texts. Extra lines that stand in no intended
/// section are charged to `home`.
pub fn drift_lines(
    normaliser: &dyn Normaliser,
    secrets: &SecretDigests,
    (pack, name): (&PackName, &str),
    file: &RenderedFile,
    running: &str,
    home: Option<&Source>,
) -> Vec<DriftLine> {
    let (intended, running) = (secrets.comparable(&file.text), secrets.comparable(running));
    let intended_text = normaliser.normalise(pack, name, &intended);
    let running_text = normaliser.normalise(pack, name, &running);
    if intended_text == running_text {
        return Vec::new();
    }
    let intended_at = places(&intended, &intended_text);
    let running_at = places(&running, &running_text);
    let sources_of = |line: usize| intended_at[line].and_then(|at| file.lines.get(at)).cloned().unwrap_or_default();

    let diff = TextDiff::from_lines(&intended_text, &running_text);
    let mut found = Vec::new();
    // The lines of the running text around the current one, outermost first: the indentation, and the intended line that
    // answers for it. An extra section has the answer of the section around it.
    let mut sections: Vec<(usize, Option<usize>)> = Vec::new();
    for change in diff.iter_all_changes() {
        let text = change.value().trim_end();
        if text.is_empty() {
            continue;
        }
        let indentation = indentation(text);
        match (change.tag(), change.old_index(), change.new_index()) {
            (ChangeTag::Delete, Some(line), _) => found.push(DriftLine {
                is: DriftKind::Missing,
                line: intended_at[line].unwrap_or(line) + 1,
                text: secrets.shown(text),
                sources: sources_of(line),
            }),
            (ChangeTag::Insert, _, Some(line)) => {
                sections.retain(|&(outer, _)| outer < indentation);
                let answers = sections.last().and_then(|&(_, line)| line);
                sections.push((indentation, answers));
                let mut sources = answers.map(sources_of).unwrap_or_default();
                if sources.is_empty() {
                    sources.extend(home.cloned());
                }
                found.push(DriftLine {
                    is: DriftKind::Extra,
                    line: running_at[line].unwrap_or(line) + 1,
                    text: secrets.shown(text),
                    sources,
                });
            }
            (ChangeTag::Equal, Some(line), _) => {
                sections.retain(|&(outer, _)| outer < indentation);
                sections.push((indentation, Some(line)));
            }
            _ => {}
        }
    }
    found
}

/// Returns for each line of `normalised` the place, from 0, that it has in `text`: normalising leaves lines out and orders
/// them within their section.
fn places(text: &str, normalised: &str) -> Vec<Option<usize>> {
    let mut by_section: HashMap<String, VecDeque<usize>> = HashMap::new();
    let mut by_line: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, (section, line)) in with_sections(text).into_iter().enumerate() {
        by_section.entry(section).or_default().push_back(at);
        by_line.entry(line).or_default().push_back(at);
    }
    with_sections(normalised)
        .into_iter()
        .map(|(section, line)| {
            by_section
                .get_mut(&section)
                .and_then(VecDeque::pop_front)
                .or_else(|| by_line.get(line).and_then(|places| places.front().copied()))
        })
        .collect()
}

/// Returns each line without its indentation, and with it the path of the sections around it.
fn with_sections(text: &str) -> Vec<(String, &str)> {
    let mut path: Vec<(usize, &str)> = Vec::new();
    text.lines()
        .map(|line| {
            let (indentation, line) = (indentation(line), line.trim());
            if !line.is_empty() {
                path.retain(|&(outer, _)| outer < indentation);
                path.push((indentation, line));
            }
            let section: Vec<&str> = path.iter().map(|&(_, line)| line).collect();
            (section.join("\n"), line)
        })
        .collect()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use weft_model::SecretDigest;

    use super::*;

    struct Sorted;

    impl Normaliser for Sorted {
        fn normalise(&self, _: &PackName, _: &str, text: &str) -> String {
            let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('!')).collect();
            if lines.iter().all(|line| !line.starts_with(' ')) {
                lines.sort_unstable();
            }
            lines.iter().map(|line| format!("{line}\n")).collect()
        }
    }

    fn source(intent: &str, line: u32) -> Source {
        Source { intent: intent.parse().unwrap(), file: "i.yaml".into(), line }
    }

    fn file(lines: &[(&str, &[(&str, u32)])]) -> RenderedFile {
        RenderedFile {
            text: lines.iter().map(|(text, _)| format!("{text}\n")).collect(),
            lines: lines.iter().map(|(_, from)| from.iter().map(|&(i, l)| source(i, l)).collect()).collect(),
        }
    }

    fn drift(file: &RenderedFile, running: &str) -> Vec<String> {
        let home = source("fabric/b1", 2);
        let digest = SecretDigest::of_hash(&[9; 32]);
        let secrets = SecretDigests::new([("env/KEY".parse().unwrap(), digest)].into());
        let place = (&"loom".parse().unwrap(), "running.conf");
        drift_lines(&Sorted, &secrets, place, file, running, Some(&home))
            .iter()
            .map(|line| {
                let sources: Vec<String> = line.sources.iter().map(ToString::to_string).collect();
                format!("{:?} {} `{}` {}", line.is, line.line, line.text.trim(), sources.join(", "))
            })
            .collect()
    }

    fn bgp() -> RenderedFile {
        file(&[
            ("! made by weft", &[]),
            ("interface swp1", &[("fabric/b1", 9)]),
            ("  mtu 9100", &[("fabric/b1", 10)]),
            ("bgp 64701", &[("pools/numbers", 4)]),
            ("  neighbor 10.1.0.0", &[("underlay/b1", 7)]),
            ("    remote-as 64601", &[("underlay/b1", 7), ("pools/numbers", 4)]),
            ("  network 203.0.113.0/28", &[("segment/web", 3)]),
        ])
    }

    #[test]
    fn equal_texts_do_not_drift() {
        assert_eq!(drift(&bgp(), &bgp().text), Vec::<String>::new());
        assert_eq!(drift(&bgp(), &format!("{}! saved at noon\n", bgp().text)), Vec::<String>::new());
    }

    #[test]
    fn a_missing_line_is_charged_to_its_intents() {
        let running = bgp().text.replace("    remote-as 64601\n", "");
        assert_eq!(
            drift(&bgp(), &running),
            ["Missing 6 `remote-as 64601` pools/numbers (i.yaml:4), underlay/b1 (i.yaml:7)"]
        );
    }

    #[test]
    fn an_extra_line_is_charged_to_the_section_around_it() {
        let running = bgp().text.replace("remote-as 64601\n", "remote-as 64601\n    password x\n");
        assert_eq!(drift(&bgp(), &running), ["Extra 7 `password x` underlay/b1 (i.yaml:7)"]);
        let running = bgp().text.replace("  mtu 9100\n", "  mtu 1500\n");
        assert_eq!(
            drift(&bgp(), &running),
            ["Missing 3 `mtu 9100` fabric/b1 (i.yaml:10)", "Extra 3 `mtu 1500` fabric/b1 (i.yaml:9)"]
        );
    }

    #[test]
    fn a_secret_drifts_when_its_digest_differs() {
        let mut lines = vec![("neighbor 10.1.0.0", &[("underlay/b1", 7)][..])];
        lines.push(("  password ${secret:env/KEY}", &[("underlay/b1", 8)]));
        let intended = file(&lines);
        let running = |octet: &str| format!("neighbor 10.1.0.0\n  password ${{secret:?:{}}}\n", octet.repeat(8));
        assert_eq!(drift(&intended, &running("09")), Vec::<String>::new());
        assert_eq!(
            drift(&intended, &running("0a")),
            [
                "Missing 2 `password ${secret:env/KEY:0909090909090909}` underlay/b1 (i.yaml:8)",
                "Extra 2 `password ${secret:?:0a0a0a0a0a0a0a0a}` underlay/b1 (i.yaml:7)"
            ]
        );
    }

    #[test]
    fn an_extra_line_outside_of_any_section_is_charged_to_the_node() {
        let running = format!("{}static-route 192.0.2.0/24 discard\n", bgp().text);
        assert_eq!(drift(&bgp(), &running), ["Extra 8 `static-route 192.0.2.0/24 discard` fabric/b1 (i.yaml:2)"]);
    }

    #[test]
    fn ordering_that_makes_no_difference_keeps_the_intents_of_a_line() {
        let servers = file(&[("ntp 10.0.0.2", &[("baseline/a", 1)]), ("dns 10.0.0.1", &[("baseline/a", 2)])]);
        assert_eq!(drift(&servers, "ntp 10.0.0.2\n"), ["Missing 2 `dns 10.0.0.1` baseline/a (i.yaml:2)"]);
    }
}
