//! Secrets against the emulated lab: they reach the switches, and nothing else.

mod weft;

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use age::{secrecy::ExposeSecret, x25519::Identity};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use weft::{Project, Ran};

/// The example with a key on each kind of session, from each kind of place.
struct Keys {
    project: Project,
    /// The value of `env/DUCTS`.
    ducts: String,
    values: Vec<String>,
}

/// Writes a file that only its owner can read.
fn private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("make the folder");
    fs::write(path, text).expect("write the file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("make it private");
}

impl Keys {
    fn new(ducts: &str, transit_a: &str, transit_b: &str) -> Self {
        let project = Project::example();
        let after = |file: &str, line: &str, reference: &str| {
            project.edit(file, line, &format!("{line}\n  authentication: {{ tcp_md5: {reference} }}"));
        };
        project.edit(
            "intents/underlay.yaml",
            "spec:\n  select: { roles: [dci] }",
            "spec:\n  authentication: { tcp_md5: env/DUCTS }\n  select: { roles: [dci] }",
        );
        after("intents/peerings.yaml", "  asn: 64496", "file/bgp/transit-a");
        after("intents/peerings.yaml", "  asn: 64511", "age/prod/bgp.age#transit-b");
        private(&project.path().join(".weft/secrets/bgp/transit-a"), &format!("{transit_a}\n"));
        let identity = Identity::generate();
        private(&identity_of(&project), identity.to_string().expose_secret());
        private(&project.path().join("secrets/recipients.txt"), &format!("# who may\n{}\n", identity.to_public()));
        let values = [ducts, transit_a, transit_b].map(str::to_owned).into();
        let keys = Self { project, ducts: ducts.to_owned(), values };
        keys.set("age/prod/bgp.age#transit-b", transit_b).expect(0);
        keys
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.project.command(line.split_whitespace());
        command.env("DUCTS", &self.ducts).env("WEFT_AGE_IDENTITY", identity_of(&self.project));
        command
    }

    /// Runs `weft`, and panics when it prints a value.
    fn weft(&self, line: &str) -> Ran {
        self.checked(line, self.command(line).output().expect("weft starts").into())
    }

    fn checked(&self, line: &str, ran: Ran) -> Ran {
        for value in &self.values {
            assert!(!ran.out.contains(value) && !ran.err.contains(value), "{line} printed a secret: {ran:?}");
        }
        ran
    }

    /// Puts a value into an encrypted file.
    fn set(&self, reference: &str, value: &str) -> Ran {
        let mut command = self.command(&format!("secrets set {reference}"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weft starts");
        let mut input = child.stdin.take().expect("standard input");
        // A command that does not want the value ends before it has read it.
        let _ = writeln!(input, "{value}");
        drop(input);
        self.checked("secrets set", child.wait_with_output().expect("weft ends").into())
    }

    fn changes_ducts(&mut self, value: &str) {
        self.ducts = value.to_owned();
        self.values.push(value.to_owned());
    }

    /// Panics when a value stands in a file of the project other than the one that is its place.
    fn nowhere_else(&self) {
        let mut files = Vec::new();
        walk(self.project.path(), &mut files);
        for path in files {
            let place = self.project.path().join(".weft/secrets");
            let text = fs::read(&path).unwrap_or_default();
            let holds = |value: &&String| text.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(
                path.starts_with(&place) || !self.values.iter().any(|value| holds(&value)),
                "{} holds a secret",
                path.display()
            );
        }
    }

    /// Returns what a switch runs, in its own words.
    fn running(&self, device: &str) -> String {
        let mut command = self.command(&format!("lab exec {device} show running-config"));
        Ran::from(command.output().expect("weft starts")).expect(0).out
    }

    /// Panics unless the switch runs this key.
    fn runs(&self, device: &str, key: &str) {
        let running = self.running(device);
        assert!(running.contains(&format!("password {key}")), "{device} does not run the key: {running}");
    }
}

fn identity_of(project: &Project) -> PathBuf {
    project.path().join(".weft/secrets/identity")
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

#[test]
fn keys_reach_the_switches_and_nothing_else() {
    let mut keys = Keys::new("kQ7vXe2mDucts", "pR4zTw9sTransit", "gH3bNm5xTransit");
    keys.weft("secrets list")
        .expect(0)
        .says("env/DUCTS")
        .says("found")
        .says("intents/peerings.yaml:9")
        .says("age/prod/bgp.age#transit-b");
    assert!(keys.project.path().join(".weft/.gitignore").exists(), "the key may be committed");
    keys.weft("validate").expect(0);
    keys.weft("lab up --backend emulated").expect(0);
    keys.weft("plan").expect(0).says("password ${secret:file/bgp/transit-a:").says("20 devices change");
    keys.weft("run").expect(0).says("17 compliant");
    keys.runs("b1-dci-01", "kQ7vXe2mDucts");
    keys.runs("b1-border-01", "pR4zTw9sTransit");
    keys.runs("b1-border-02", "gH3bNm5xTransit");
    keys.weft("plan").expect(0).says("no change");
    keys.weft("verify --now").expect(0);
    keys.weft("plan --out plan.json").expect(0);

    // Another value is a change, of the lines that hold it and no others.
    keys.changes_ducts("vB8nLc3uDucts");
    keys.weft("apply plan.json").expect(1).says("WEFT-932").says("the secret env/DUCTS differs");
    keys.weft("plan")
        .expect(0)
        .says("4 devices change")
        .says("the secret env/DUCTS differs on b1-dci-01")
        .says("password ${secret:?:");
    keys.weft("verify --now").expect(1).says("underlay/interconnect").says("the secret env/DUCTS differs");
    keys.weft("run").expect(0).says("17 compliant");
    keys.runs("b1-dci-01", "vB8nLc3uDucts");

    // So is a key that somebody changed by hand; nobody is told what it is.
    keys.values.push("byHandByHand".to_owned());
    let running = keys.running("b1-border-01");
    let bgp = running.lines().find(|line| line.starts_with("bgp ")).expect("a BGP process");
    let by_hand = format!("configure exclusive ; {bgp} ; neighbor 192.0.2.1 ; password byHandByHand ; commit");
    let mut command = keys.command("lab exec b1-border-01");
    Ran::from(command.args(by_hand.split(' ')).output().expect("weft starts")).expect(0);
    keys.weft("plan")
        .expect(0)
        .says("1 device changes (+1 -1 lines)")
        .says("the secret file/bgp/transit-a differs on b1-border-01");
    keys.weft("verify --now").expect(1).says("peering/transit-a");
    keys.weft("run").expect(0);
    keys.runs("b1-border-01", "pR4zTw9sTransit");

    for format in ["text", "json", "junit", "markdown", "html"] {
        keys.weft(&format!("report latest --format {format}")).expect(0);
    }
    keys.weft("explain b1-dci-01").expect(0).says("${secret:env/DUCTS}");
    keys.weft("compile --out rendered").expect(0);
    keys.nowhere_else();
}

#[test]
fn secrets_without_a_value_are_told_all_at_once_before_any_device_is_touched() {
    let keys = Keys::new("kQ7vXe2mDucts", "pR4zTw9sTransit", "gH3bNm5xTransit");
    let project = &keys.project;
    fs::set_permissions(project.path().join(".weft/secrets/bgp/transit-a"), fs::Permissions::from_mode(0o644))
        .expect("let others read it");
    let without = |line: &str| {
        let mut command = project.command(line.split_whitespace());
        keys.checked(line, command.env_remove("DUCTS").output().expect("weft starts").into())
    };
    let told = |ran: Ran| {
        ran.says("set the environment variable DUCTS")
            .says("intents/peerings.yaml:9:30")
            .says("others may read it (mode 0644)")
            .says("WEFT_AGE_IDENTITY")
    };
    without("lab up --backend emulated").expect(0);
    told(without("run").expect(1)).says("error[WEFT-221]").does_not_say("canary");
    told(without("plan").expect(0)).says("warning[WEFT-221]").says("20 devices change");
    without("secrets list").expect(1).says("missing").says("DUCTS").says("0644").says("intents/peerings.yaml:9");
    without("validate").expect(0).does_not_say("WEFT-221");

    // A secret in the clear never comes from where it may be committed.
    private(&project.path().join("keys/bgp/transit-a"), "pR4zTw9sTransit");
    without("plan --secrets keys").expect(1).says("inside of the project");
    private(&project.path().join("secrets/plain.yaml"), "key: pR4zTw9sTransit");
    without("validate").expect(0).says("WEFT-222").says("secrets/plain.yaml");
}

#[test]
fn an_encrypted_file_comes_from_the_commit_that_is_asked_for() {
    let keys = Keys::new("kQ7vXe2mDucts", "pR4zTw9sTransit", "gH3bNm5xTransit");
    keys.project.commit_all("first");
    keys.weft("secrets list").expect(0);
    keys.set("age/prod/bgp.age#other", "sJ6kWd8vTransit").expect(0).says("commit");
    keys.project.edit("intents/peerings.yaml", "#transit-b", "#other");
    keys.weft("secrets list").expect(0).says("#other");
    keys.weft("secrets list --commit HEAD").expect(0).says("#transit-b");
    fs::remove_file(keys.project.path().join("secrets/prod/bgp.age")).expect("remove the file");
    keys.weft("secrets list").expect(1).says("there is no file secrets/prod/bgp.age");
    keys.weft("secrets list --commit HEAD").expect(0);

    keys.set("env/DUCTS", "x").expect(2);
    keys.set("kQ7vXe2mDucts", "x").expect(2).says("not a reference");
    keys.set("age/a.age#k", "").expect(1).says("it is empty");
    private(&keys.project.path().join("secrets/recipients.txt"), "kQ7vXe2mDucts\n");
    keys.set("age/a.age#k", "x").expect(1).says("line 1 is not an age recipient");
}

#[test]
fn no_command_prints_a_value_whatever_it_looks_like() {
    let config = Config { cases: 4, failure_persistence: None, ..Config::default() };
    // What a device's command line takes as one word, and what may mean something to a regular expression or to YAML.
    let value = "[A-Za-z0-9+/=.:;,_@%^*{}\\[\\]()|$&!~<>-]{8,24}";
    TestRunner::new(config)
        .run(&(value, value, value), |(a, b, c)| {
            let keys = Keys::new(&a, &b, &c);
            keys.weft("lab up --backend emulated").expect(0);
            for line in [
                "secrets list",
                "validate",
                "compile",
                "plan",
                "run",
                "verify --now",
                "report latest --format json",
                "lab status",
            ] {
                keys.weft(line);
            }
            keys.nowhere_else();
            prop_assert!(keys.weft("plan").expect(0).out.contains("no change"), "{:?}", keys.values);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}
