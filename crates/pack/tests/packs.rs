//! Runs the cases of the packs in `device-templates`: what they render, what they read.
//!
//! `UPDATE_EXPECT=1` writes the expected files anew.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr, reason = "a test that says what it skips")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use weft_device::{config::DeviceConfig, state::DeviceState};
use weft_diagnostics::{SourceMap, render};
use weft_model::{Basis, Behavior};
use weft_pack::{Pack, StatePart, manifest::CollectorName};

fn templates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../device-templates")
}

/// Reads a pack's files, but not its cases.
fn files(folder: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn load(name: &str) -> Pack {
    let (pack, diagnostics) = Pack::load(name.parse().unwrap(), &files(&templates().join(name)));
    assert!(diagnostics.is_empty(), "{}", render::text(&diagnostics, &SourceMap::default(), false));
    pack.unwrap()
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = folders(&templates()).iter().map(|path| name(path)).collect();
    names.sort();
    names
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect())
        .unwrap_or_default();
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The emulated lab computes what its devices do, and has no other behavior than the default one. What was not seen is not what is
/// assumed.
#[test]
fn what_is_assumed_of_a_version_was_seen() {
    for name in names() {
        let pack = load(&name);
        let profile = pack.default_profile();
        let seen = pack.manifest().tested.iter().filter_map(|version| version.parse().ok());
        assert!(seen.into_iter().any(|version| profile.covers(&version)), "{name}: no version was tried");
        assert_eq!(profile.basis, Basis::Measured, "{name}");
        if name == "loom" {
            assert_eq!(profile.behavior, Behavior::default());
        }
    }
}

/// Compares with the file at `path`, or writes it.
fn expect(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == actual, "{} is no longer\n{actual}\nUPDATE_EXPECT=1 accepts it", path.display());
}

fn device(case: &Path) -> DeviceConfig {
    serde_yaml::from_str(&fs::read_to_string(case.join("device.yaml")).unwrap()).unwrap()
}

#[test]
fn every_pack_loads_without_a_finding() {
    assert!(names().len() >= 3);
    for name in names() {
        load(&name);
    }
}

#[test]
fn devices_render_as_expected() {
    for pack_name in names() {
        let pack = load(&pack_name);
        let cases = folders(&templates().join(&pack_name).join("cases/render"));
        assert!(!cases.is_empty(), "{pack_name} has no case");
        for case in cases {
            let (rendered, diagnostics) = pack.render(&device(&case));
            assert!(
                diagnostics.is_empty(),
                "{}: {}",
                case.display(),
                render::text(&diagnostics, &SourceMap::default(), false)
            );
            let rendered = rendered.unwrap();
            let mut known = BTreeSet::from(["device.yaml".to_owned()]);
            for (file, content) in &rendered.files {
                assert_eq!(content.text.lines().count(), content.lines.len());
                for (line, sources) in content.text.lines().zip(&content.lines) {
                    assert!(!sources.is_empty(), "{}, {file}: nothing caused `{line}`", case.display());
                }
                known.insert(format!("expected.{file}"));
                expect(&case.join(format!("expected.{file}")), &content.text);
            }
            for entry in fs::read_dir(&case).unwrap() {
                let path = entry.unwrap().path();
                assert!(known.contains(&name(&path)), "{} belongs to nothing", path.display());
            }
        }
    }
}

#[test]
fn what_devices_print_is_read_as_expected() {
    for pack_name in names() {
        let pack = load(&pack_name);
        for case in folders(&templates().join(&pack_name).join("cases/parse")) {
            for collector in [
                CollectorName::Version,
                CollectorName::Interfaces,
                CollectorName::Neighbors,
                CollectorName::OspfNeighbors,
                CollectorName::Rib,
                CollectorName::Fib,
                CollectorName::Advertised,
            ] {
                let output = |n: usize| case.join(format!("{}.{n}.output", collector.as_str()));
                let outputs: Vec<String> = (1..).map_while(|n| fs::read_to_string(output(n)).ok()).collect();
                if outputs.is_empty() {
                    continue;
                }
                let commands = &pack.manifest().collectors[&collector].step.commands;
                assert_eq!(outputs.len(), commands.len(), "{}: one output for each command", output(1).display());
                let mut state = DeviceState::default();
                let mut version = None;
                match pack.parse(collector, &outputs).unwrap() {
                    StatePart::Version(part) => version = Some(serde_json::to_value(part).unwrap()),
                    StatePart::Interfaces(part) => state.interfaces = Some(part),
                    StatePart::Neighbors(part) => state.neighbors = Some(part),
                    StatePart::OspfNeighbors(part) => state.ospf_neighbors = Some(part),
                    StatePart::Rib(part) => state.rib = Some(part.into()),
                    StatePart::Fib(part) => state.fib = Some(part.into()),
                    StatePart::Advertised(part) => {
                        state.advertised = Some([("192.0.2.1".to_owned().try_into().unwrap(), part)].into());
                    }
                }
                let json = serde_json::to_value(&state).unwrap();
                let part =
                    version.as_ref().or(json.as_object().unwrap().values().find(|part| !part.is_null())).unwrap();
                expect(&case.join(format!("{}.expected.json", collector.as_str())), &format!("{part:#}\n"));
            }
        }
    }
}

/// The routing daemons' own parsers take what the packs render.
#[test]
fn daemons_accept_what_is_rendered() {
    let checks: [(&str, &str, &str, &[&str]); 2] =
        [("frr", "expected.frr.conf", "vtysh", &["-C", "-f"]), ("bird", "expected.bird.conf", "bird", &["-p", "-c"])];
    for (pack_name, file, program, arguments) in checks {
        for case in folders(&templates().join(pack_name).join("cases/render")) {
            let path = case.join(file);
            match Command::new(program).args(arguments).arg(&path).output() {
                Ok(output) => assert!(
                    output.status.success(),
                    "{}: {}{}",
                    path.display(),
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                ),
                Err(error) => {
                    // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
                    let _ = writeln!(
                        std::io::stderr(),
                        "SKIPPED: {} is not checked, `{program}` cannot run: {error}",
                        path.display()
                    );
                }
            }
        }
    }
}

#[test]
fn the_order_of_lines_is_a_change_only_where_it_matters() {
    let case = |pack: &str, case: &str, file: &str| {
        let path = templates().join(format!("{pack}/cases/render/{case}/expected.{file}"));
        (load(pack), file.to_owned(), fs::read_to_string(path).unwrap())
    };
    let same = |(pack, file, text): &(Pack, String, String), other: &str| {
        assert_ne!(text, other, "the case has another order");
        pack.normalise(file, text) == pack.normalise(file, other)
    };
    let swapped = |text: &str, one: &str, other: &str| {
        assert!(text.contains(one) && text.contains(other), "{text}");
        text.replace(one, "\0").replace(other, one).replace('\0', other)
    };
    // Sections and lists without an order of their own, and lines that number themselves.
    let policy = case("frr", "policy", "frr.conf");
    let sections = policy.2.split("\n!\n").collect::<Vec<_>>();
    let reversed: String = sections.iter().rev().map(|section| format!("{section}\n!\n")).collect();
    assert!(same(&policy, &reversed));
    // Which entry comes first decides.
    let numbers = policy.2.replace("asked seq 5 permit 64496:100", "asked seq 10 permit 64496:100");
    let numbers = numbers.replace("asked seq 10 permit graceful-shutdown", "asked seq 5 permit graceful-shutdown");
    assert!(!same(&policy, &numbers));
    for pack in ["frr", "bird"] {
        let acl = case(pack, "access", "acl.nft");
        let lines: Vec<&str> = acl.2.lines().collect();
        let at = lines.iter().position(|line| line.contains("clients")).unwrap();
        assert!(!same(&acl, &swapped(&acl.2, lines[at], lines[at + 1])), "{pack}");
    }
}
