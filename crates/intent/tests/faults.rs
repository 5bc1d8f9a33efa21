//! Single faults as data: `tests/faults/faults.yaml` names edits of the networks beside it, and where each is told.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod fixture;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use weft_diagnostics::{Diagnostic, SourceMap, render};
use weft_intent::{SourceFile, document};
use weft_model::{Catalogue, PackDescription};

/// One edit, and what is to be found.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    name: String,
    /// The network that is edited.
    input: String,
    /// Its file.
    file: String,
    /// A text that the file has once.
    replace: String,
    /// What stands there in its place.
    with: String,
    /// An octet that follows, which need not be text.
    octet: Option<u8>,
    /// Whether it takes away what other faults are measured against, such as a node that they name.
    #[serde(default)]
    alone: bool,
    code: String,
    /// `file:line:column` in the file as edited.
    at: String,
}

impl Fault {
    fn octets(&self) -> Vec<u8> {
        self.with.bytes().chain(self.octet).collect()
    }

    /// Tells whether the fault is in the text of a document: 100 to 149 are told by the reader.
    fn is_of_text(&self) -> bool {
        self.code.as_str() < "WEFT-150"
    }

    /// Returns the file, line and column.
    fn place(&self) -> (&str, u32, u32) {
        let (rest, column) = self.at.rsplit_once(':').unwrap();
        let (file, line) = rest.rsplit_once(':').unwrap();
        (file, line.parse().unwrap(), column.parse().unwrap())
    }
}

/// The files of a network, by name.
type Files = BTreeMap<String, String>;

struct Corpus {
    inputs: BTreeMap<String, Files>,
    faults: Vec<Fault>,
    catalogue: Catalogue,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Corpus {
    fn read() -> Self {
        let faults = fs::read_to_string(root().join("tests/faults/faults.yaml")).unwrap();
        let faults: Vec<Fault> = serde_saphyr::from_str(&faults).unwrap();
        let mut inputs = BTreeMap::new();
        for name in ["evpn", "example"] {
            let files = fixture::folder(&root().join(format!("tests/faults/{name}/intents")), "");
            let files = files.into_iter().map(|file| {
                let file = file.unwrap();
                (file.path.trim_start_matches('/').to_owned(), file.text.to_string())
            });
            inputs.insert(name.to_owned(), files.collect());
        }
        Self { inputs, faults, catalogue: catalogue() }
    }

    /// Returns a network with some faults in it.
    fn edited(&self, input: &str, faults: &[&Fault]) -> Vec<Result<SourceFile, Box<Diagnostic>>> {
        let mut files: BTreeMap<&str, Vec<u8>> =
            self.inputs[input].iter().map(|(name, text)| (name.as_str(), text.clone().into_bytes())).collect();
        for fault in faults {
            // From the text as it was: a fault may hold what another one replaces.
            let original = &self.inputs[input][&fault.file];
            assert_eq!(original.matches(&fault.replace).count(), 1, "{}: {:?}", fault.name, fault.replace);
        }
        for file in self.inputs[input].keys() {
            let original = &self.inputs[input][file];
            let mut here: Vec<_> = faults.iter().filter(|fault| fault.file == *file).collect();
            here.sort_by_key(|fault| original.find(&fault.replace));
            for fault in here.iter().rev() {
                let at = original.find(&fault.replace).unwrap();
                files.get_mut(file.as_str()).unwrap().splice(at..at + fault.replace.len(), fault.octets());
            }
        }
        files.into_iter().map(|(name, octets)| SourceFile::from_bytes(name, octets)).collect()
    }

    fn findings(&self, input: &str, faults: &[&Fault]) -> (Vec<Diagnostic>, SourceMap) {
        fixture::findings(self.edited(input, faults), &self.catalogue)
    }

    /// Returns the place of a fault's finding when others are in the same network too: lines move by what stands before.
    fn moved(&self, fault: &Fault, others: &[&Fault]) -> String {
        let (file, mut line, column) = fault.place();
        let original = &self.inputs[&fault.input];
        let lines = |text: &str| i64::try_from(text.matches('\n').count()).unwrap();
        let starts = |fault: &Fault| {
            let text = &original[&fault.file];
            lines(&text[..text.find(&fault.replace).unwrap()]) + 1
        };
        let grows = |fault: &Fault| lines(&fault.with) - lines(&fault.replace);
        // The line in the file as it was, as near as the other edits need it.
        let mut before = i64::from(line);
        if fault.file == file && before > starts(fault) {
            before = (before - grows(fault)).max(starts(fault));
        }
        for other in others.iter().filter(|other| other.name != fault.name && other.file == file) {
            if starts(other) < before {
                line = u32::try_from(i64::from(line) + grows(other)).unwrap();
            }
        }
        format!("{file}:{line}:{column}")
    }

    /// Returns where the document of a fault begins.
    fn document(&self, fault: &Fault) -> (String, String, usize) {
        let text = &self.inputs[&fault.input][&fault.file];
        let at = text.find(&fault.replace).unwrap();
        let start = text[..at].rfind("\n---\n").map_or(0, |end| end + 5);
        (fault.input.clone(), fault.file.clone(), start)
    }
}

/// Returns the packs of the project with the features and platforms that the fixture adds, and packs that lack a feature.
fn catalogue() -> Catalogue {
    let mut catalogue = fixture::catalogue();
    for (name, pack) in &mut catalogue {
        let path = root().join(format!("device-templates/{name}/manifest.yaml"));
        let Ok(manifest) = fs::read_to_string(&path) else { continue };
        let (documents, findings) = document::parse(&SourceFile::new("manifest.yaml", manifest));
        assert!(findings.is_empty(), "{}: {findings:?}", path.display());
        let value = &documents[0].1;
        let features = value["features"].as_array().unwrap();
        pack.features.extend(features.iter().map(|feature| feature.as_str().unwrap().to_owned()));
        for platform in value["platforms"].as_object().unwrap().keys() {
            assert!(pack.platforms.contains_key(platform.as_str()), "the fixture has no platform `{platform}`");
        }
    }
    let loom = catalogue["loom"].clone();
    for missing in ["acl", "bfd", "bgp.communities", "bgp.graceful-shutdown"] {
        let features = loom.features.iter().filter(|feature| *feature != missing).cloned().collect();
        let name = format!("without-{missing}").parse().unwrap();
        catalogue.insert(name, PackDescription { features, ..loom.clone() });
    }
    catalogue
}

/// Returns `CODE at FILE:LINE:COLUMN` of a finding.
fn told(finding: &Diagnostic) -> String {
    let place = finding.span.as_ref().map(|span| format!("{}:{}:{}", span.file, span.line, span.column));
    format!("{} at {}", finding.code.id(), place.unwrap_or_default())
}

#[test]
fn the_networks_have_no_findings_as_they_are() {
    let corpus = Corpus::read();
    for input in corpus.inputs.keys() {
        let (findings, sources) = corpus.findings(input, &[]);
        assert!(findings.is_empty(), "{input}:\n{}", render::text(&findings, &sources, false));
    }
}

#[test]
fn each_fault_is_told_once_where_it_is() {
    let corpus = Corpus::read();
    let names: BTreeSet<&str> = corpus.faults.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names.len(), corpus.faults.len(), "names are unique");
    let mut wrong = Vec::new();
    for fault in &corpus.faults {
        let (findings, sources) = corpus.findings(&fault.input, &[fault]);
        let expected = format!("{} at {}", fault.code, fault.at);
        let as_expected = match findings.as_slice() {
            [finding] => told(finding) == expected && finding.help.as_ref().is_some_and(|help| !help.is_empty()),
            _ => false,
        };
        if !as_expected {
            let text = render::text(&findings, &sources, false);
            wrong.push(format!("--- {}: expected {expected}, found {}:\n{text}", fault.name, findings.len()));
        }
    }
    let caught = corpus.faults.len() - wrong.len();
    println!("caught {caught} of {}", corpus.faults.len());
    assert!(wrong.is_empty(), "caught {caught} of {}\n{}", corpus.faults.len(), wrong.join("\n"));
    assert!(caught >= 70);
}

#[test]
fn many_faults_at_once_are_each_told_once() {
    let corpus = Corpus::read();
    // Mistakes of the text take their documents out of the network, so they are not among those of what intents say. Each
    // round has one fault of each document at most, of both networks.
    let mut largest = 0;
    let mut wrong = Vec::new();
    for of_text in [true, false] {
        let mut left: Vec<&Fault> =
            corpus.faults.iter().filter(|fault| !fault.alone && fault.is_of_text() == of_text).collect();
        while !left.is_empty() {
            let mut documents = BTreeSet::new();
            let (round, rest): (Vec<&Fault>, Vec<&Fault>) =
                left.into_iter().partition(|fault| documents.insert(corpus.document(fault)));
            left = rest;
            largest = largest.max(round.len());
            for input in corpus.inputs.keys() {
                let faults: Vec<&Fault> = round.iter().copied().filter(|fault| fault.input == *input).collect();
                let (findings, sources) = corpus.findings(input, &faults);
                let mut found: Vec<String> = findings.iter().map(told).collect();
                let mut expected: Vec<String> =
                    faults.iter().map(|fault| format!("{} at {}", fault.code, corpus.moved(fault, &faults))).collect();
                found.sort();
                expected.sort();
                if found != expected {
                    let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
                    let missing: Vec<&String> = expected.iter().filter(|one| !found.contains(one)).collect();
                    let more: Vec<&String> = found.iter().filter(|one| !expected.contains(one)).collect();
                    wrong.push(format!(
                        "--- {names:?}: missing {missing:?}, more {more:?}\n{}",
                        render::text(&findings, &sources, false)
                    ));
                }
            }
        }
    }
    println!("up to {largest} faults at once");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(largest >= 20, "{largest}");
}
