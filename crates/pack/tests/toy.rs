//! A pack is data: one that no code knows loads, renders and reads; and what is wrong with a pack is told at its place.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeMap, fs, path::Path};

use weft_device::config::DeviceConfig;
use weft_diagnostics::Diagnostic;
use weft_pack::{Pack, StatePart, Variables, codes, manifest::CollectorName};

type Files = BTreeMap<String, String>;

fn toy() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/toy");
    ["manifest.yaml", "templates/toy.j2", "parsers/interfaces.j2"]
        .map(|path| (path.to_owned(), fs::read_to_string(root.join(path)).unwrap()))
        .into()
}

fn load(files: &Files) -> (Option<Pack>, Vec<Diagnostic>) {
    Pack::load("toy".parse().unwrap(), files)
}

fn device() -> DeviceConfig {
    let source = |intent: &str, line: u32| {
        format!("{{sources: [{{intent: {intent}, file: intents/{intent}.yaml, line: {line}}}]}}")
    };
    serde_yaml::from_str(&format!(
        "{{device: r1, pack: toy, system: {{hostname: r1, ntp_servers: [], dns_servers: [], users: {{}}, provenance: {}}}, \
         interfaces: {{eth1: {{kind: {{is: loopback}}, description: \"\", mtu: 1500, unnumbered: false, \
         addresses: [{{prefix: 10.1.0.1/31, provenance: {}}}], provenance: {}}}}}, \
         routing_policy: {{prefix_sets: {{}}, policy_definitions: {{}}}}, static_routes: {{}}, bgp: null}}",
        source("fabric/b1", 3),
        source("pools/numbers", 7),
        source("fabric/b1", 3)
    ))
    .unwrap()
}

#[test]
fn a_pack_that_no_code_knows_loads_renders_and_reads() {
    let (pack, findings) = load(&toy());
    assert!(findings.is_empty(), "{findings:#?}");
    let pack = pack.unwrap();
    assert_eq!(pack.description().platforms["box"].ports.len(), 4);

    let profile = |version: &str| pack.description().profile(Some(&version.parse().unwrap()));
    assert_eq!(pack.description().profile(None), Some(pack.default_profile()));
    assert_eq!(profile("0.3"), Some(pack.default_profile()), "a version stands for all below it");
    assert_eq!(profile("0.1.2").unwrap().behavior.maximum_paths, Some(4), "the narrowest profile counts");
    assert_eq!(profile("1"), None);

    let (rendered, findings) = pack.render(&device());
    assert!(findings.is_empty(), "{findings:#?}");
    let file = &rendered.unwrap().files["toy.conf"];
    assert_eq!(file.text, "name r1\non eth1 10.1.0.1 255.255.255.254\n");
    let causes: Vec<String> =
        file.lines.iter().map(|sources| sources.iter().map(|source| source.intent.to_string()).collect()).collect();
    assert_eq!(causes, ["fabric/b1", "pools/numbers"]);

    let variables: Variables =
        [("file", "toy.conf"), ("text", "name r1\n")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let command = pack.command(&pack.manifest().transaction.upload.commands[0], &variables).unwrap();
    assert_eq!((command.run.as_str(), command.input.as_deref()), ("toy put toy.conf", Some("name r1\n")));

    let output = "eth1 up 1500 10.1.0.1/31\neth2 down 9000 10.1.0.3/31\n".to_owned();
    let StatePart::Interfaces(interfaces) = pack.parse(CollectorName::Interfaces, &[output]).unwrap() else {
        panic!("not interfaces")
    };
    assert_eq!(interfaces.len(), 2);
    assert_eq!(interfaces[&"eth2".parse::<weft_model::InterfaceName>().unwrap()].mtu, Some(9000));

    assert_eq!(pack.normalise("toy.conf", "# x\nb\na\n"), "a\nb\n");
}

/// What to change in which file, and the finding that follows: code, `path:line:column`, and a part of the message.
#[rustfmt::skip]
const BROKEN: &[(&str, &str, &str, [&str; 3])] = &[
    ("manifest.yaml", "", "\n---\na: 1\n", ["WEFT-400", "manifest.yaml:1:1", "one YAML document"]),
    ("manifest.yaml", "description: toy", "descripton: toy", ["WEFT-101", "manifest.yaml:2:1", "unknown key `descripton`"]),
    ("manifest.yaml", "kind: exec", "kind: telnet", ["WEFT-104", "manifest.yaml:11:20", "`telnet`"]),
    ("manifest.yaml", "features: [bgp]", "features: [bgp", ["WEFT-120", "manifest.yaml:5:1", "not YAML"]),
    ("manifest.yaml", "templates: [toy.j2]", "templates: [toy.j2, more.j2]", ["WEFT-401", "manifest.yaml:9:25", "`templates/more.j2`"]),
    ("manifest.yaml", "parser: interfaces.j2", "parser: interface.j2", ["WEFT-401", "manifest.yaml:23:72", "`parsers/interface.j2`"]),
    ("template.j2", "", "x", ["WEFT-402", "template.j2:1:1", "no use for `template.j2`"]),
    ("templates/old.j2", "", "x", ["WEFT-402", "templates/old.j2:1:1", "nothing uses `templates/old.j2`"]),
    ("templates/toy.j2", "{% for address", "{% for in", ["WEFT-403", "templates/toy.j2:3:1", "syntax error"]),
    ("templates/toy.j2", "| netmask", "| wildcard", ["WEFT-403", "templates/toy.j2:4:1", "no filter `wildcard`"]),
    ("templates/toy.j2", "system.hostname", "sistem.hostname", ["WEFT-403", "templates/toy.j2:1:1", "no variable `sistem`"]),
    ("templates/toy.j2", "name {{", "na\u{1}me {{", ["WEFT-403", "templates/toy.j2:1:1", "control character"]),
    ("parsers/interfaces.j2", "outputs[0]", "output", ["WEFT-403", "parsers/interfaces.j2:2:1", "no variable `output`"]),
    ("manifest.yaml", "toy put {{ file }}", "toy put {{ name }}", ["WEFT-403", "manifest.yaml:14:31", "no variable `name`"]),
    ("manifest.yaml", "input: \"{{ text }}\"", "input: \"{{ text \"", ["WEFT-403", "manifest.yaml:14:60", "syntax error"]),
    ("manifest.yaml", "\"^#\"", "\"(\"", ["WEFT-404", "manifest.yaml:10:27", "unclosed group"]),
    ("manifest.yaml", "\"^refused\"", "\"[\"", ["WEFT-404", "manifest.yaml:16:50", "unclosed"]),
    ("manifest.yaml", "(?P<sent>\\d+)", "\\d+", ["WEFT-404", "manifest.yaml:26:16", "no group `sent`"]),
    ("manifest.yaml", "\"eth{1..4}\"", "\"eth{4..1}\"", ["WEFT-405", "manifest.yaml:6:18", "not a range"]),
    ("manifest.yaml", "\"eth{1..4}\"", "\"eth{1..4}\", eth2", ["WEFT-405", "manifest.yaml:6:31", "named twice"]),
    ("manifest.yaml", "\"eth{3..4}\"", "\"eth{4..5}\"", ["WEFT-405", "manifest.yaml:6:42", "`eth5` is not one of the ports"]),
    ("manifest.yaml", "basis: documented", "basis: guessed", ["WEFT-104", "manifest.yaml:29:12", "`guessed`"]),
    ("manifest.yaml", "version: \"0\"", "version: 0", ["WEFT-103", "manifest.yaml:28:14", "must be text"]),
    ("manifest.yaml", "graceful_shutdown: ignored", "graceful_shutdown: maybe", ["WEFT-104", "manifest.yaml:30:97", "`maybe`"]),
    ("manifest.yaml", "ipv6_next_hop: global", "next_hop: global", ["WEFT-101", "manifest.yaml:30:55", "unknown key `next_hop`"]),
    ("manifest.yaml", "[ospf, ebgp, ibgp]", "[ospf, ospf, ibgp]", ["WEFT-116", "manifest.yaml:31:70", "each of `ebgp`, `ospf` and `ibgp` once"]),
    ("manifest.yaml", "maximum_paths: 4", "maximum_paths: 0", ["WEFT-105", "manifest.yaml:31:160", "less than the least"]),
    ("manifest.yaml", "version: \"0.1\"", "version: \"0\"", ["WEFT-406", "manifest.yaml:31:16", "two profiles of `0`"]),
    ("manifest.yaml", "  box:", "  Big Box:", ["WEFT-405", "manifest.yaml:6:12", "Big Box"]),
];

#[test]
fn what_is_wrong_with_a_pack_is_told_once_at_its_place() {
    let mut wrong = Vec::new();
    for (path, from, to, [code, place, message]) in BROKEN {
        let mut files = toy();
        let text = files.entry((*path).to_owned()).or_default();
        assert!(text.contains(from), "{path} has no `{from}`");
        *text = if from.is_empty() { format!("{text}{to}") } else { text.replacen(from, to, 1) };
        // A file that is no longer named would be a finding of its own.
        if *code == "WEFT-401" && path == &"manifest.yaml" {
            files.retain(|name, _| !name.starts_with("parsers") || to.contains("more"));
        }
        let (_, findings) = load(&files);
        let expected = |finding: &Diagnostic| {
            finding.code.id() == *code
                && finding.span.as_ref().is_some_and(|span| span.to_string() == format!("device-templates/toy/{place}"))
                && finding.message.contains(message)
                && finding.help.is_some()
        };
        if findings.len() != 1 || !findings.iter().all(expected) {
            let told: Vec<String> = findings
                .iter()
                .map(|f| format!("    {} {} {} ({:?})", f.code, f.span.as_ref().unwrap(), f.message, f.help))
                .collect();
            wrong.push(format!("{path}: `{from}` -> `{to}`: {code} {place}\n{}", told.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let seen: Vec<&str> = BROKEN.iter().map(|(.., [code, ..])| *code).collect();
    for code in codes::ALL.iter().map(|code| code.id()).filter(|id| *id < "WEFT-410") {
        assert!(seen.contains(&code), "{code} has no case");
    }
}

#[test]
fn a_pack_without_a_manifest_is_told() {
    let (pack, findings) = load(&Files::new());
    assert!(pack.is_none());
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [codes::INVALID_MANIFEST]);
}

/// Returns the findings of rendering the device with this template.
fn rendering(template: &str, device: &DeviceConfig) -> Vec<Diagnostic> {
    let mut files = toy();
    files.insert("templates/toy.j2".to_owned(), template.to_owned());
    let (pack, findings) = load(&files);
    assert!(findings.is_empty(), "{findings:#?}");
    let (rendered, findings) = pack.unwrap().render(device);
    assert_eq!(rendered.is_none(), !findings.is_empty());
    findings
}

#[test]
fn a_value_cannot_add_a_line_or_a_mark() {
    for text in ["a\nno security", "a\r", "a\u{1}0\u{2}b", "a\u{7f}", "a\u{2028}b", "a\u{202e}b"] {
        let mut device = device();
        device.interfaces.values_mut().next().unwrap().description = text.into();
        let template = "line\n{% for name, i in interfaces | items %}\n{{ i.description }}\n{% endfor %}\n";
        let findings = rendering(template, &device);
        let [finding] = &findings[..] else { panic!("{text:?}: {findings:#?}") };
        assert_eq!(finding.code, codes::UNSAFE_VALUE);
        assert_eq!(finding.span.as_ref().unwrap().to_string(), "device-templates/toy/templates/toy.j2:3:1");
        assert!(finding.message.contains("`r1`") && !finding.message.contains("security"), "{}", finding.message);
    }
}

#[test]
fn a_value_that_is_not_there_is_told_with_its_line_and_device() {
    for template in
        ["one\n{{ system.hostnam }}\n", "one\n{{ bgp }}\n", "one\n{{ bgp.asn }}\n", "one\n{{ fail('odd') }}\n"]
    {
        let findings = rendering(template, &device());
        let [finding] = &findings[..] else { panic!("{template}: {findings:#?}") };
        assert_eq!(finding.code, codes::RENDER);
        assert_eq!(
            finding.span.as_ref().unwrap().to_string(),
            "device-templates/toy/templates/toy.j2:2:1",
            "{template}"
        );
        assert!(finding.message.contains("`r1`") && finding.help.is_some(), "{}", finding.message);
    }
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let template = "{% for a in range(9999) %}{% for b in range(9999) %}{% set c = a %}{% endfor %}{% endfor %}\n";
    let findings = rendering(template, &device());
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert_eq!(finding.code, codes::RENDER);
    assert!(finding.message.contains("fuel"), "{}", finding.message);
}

#[test]
fn a_value_in_a_command_is_one_word() {
    let (pack, _) = load(&toy());
    let pack = pack.unwrap();
    let command = &pack.manifest().transaction.lock.commands[0];
    for value in ["1; reboot", "a b", "$(reboot)", "", "a\nb", "`x`"] {
        let variables: Variables = [("transaction".to_owned(), value.to_owned())].into();
        let error = pack.command(command, &variables).unwrap_err().to_string();
        assert!(error.contains("one plain word") && !error.contains("reboot"), "{error}");
    }
    let error = pack.command(command, &Variables::new()).unwrap_err().to_string();
    assert!(error.contains("`toy`") && error.contains("undefined"), "{error}");
}
