//! What helps to write intents: new ones from flags, the catalogue, schemas, codes, findings for forges, the watch.

mod weft;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::Value;
use weft::{Project, Ran};
use weft_model::IntentKind;

/// The most that anything here may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The key of an account; it holds spaces, so it cannot stand in a line of words.
const USER: &str =
    "netops,ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICBn13E8HXSfjIu9IvfkDcQDMMWh+VlOgBkABEf+ecex a@example.net";

/// A second way between two nodes that are written.
const RING: &str = r#"apiVersion: weft/v1
kind: Topology
metadata: { name: ring }
spec:
  links: [{ a: "core-01:swp7", b: "core-02:swp7", capacity: 100G }]
"#;
/// Where IPv6 loopbacks come from.
const IPV6: &str = r#"apiVersion: weft/v1
kind: Pools
metadata: { name: numbers-ipv6 }
spec:
  addresses: [{ purpose: loopback, prefix: "2001:db8:0:1::/64" }]
"#;

/// Every kind once, together a network: first with what is required, then with all flags.
const REQUIRED: &[&str] = &[
    "fabric --name b1 --spines 2 --leaves 2 --borders 1 --pack frr --platform vs-16",
    "topology --name wan --node core-01,core-02 --role core --pack frr --platform vs-8 \
     --link core-01:swp1,b1-spine-01:swp9 --link core-02:swp1,b1-spine-02:swp9",
    "pools --name numbers --management 10.255.0.0/24 --loopbacks 10.0.0.0/24 --links 10.1.0.0/20 --asns 64701-64999",
    "underlay --name everywhere --protocol ebgp --addressing numbered",
    "segment --name web --prefix 203.0.113.0/24 --subnet-length 28 --interfaces swp1,swp2",
    "peering --name transit-a --relationship transit --asn 64496 --accept 0.0.0.0/0 --announce 203.0.113.0/24 \
     --session b1-border-01:swp1,192.0.2.0/31,192.0.2.1 --maximum-prefixes 100",
    "reachability --name web-out --from segment/web --to 198.51.100.1",
    "baseline --name everywhere --ntp 10.255.0.250",
    "tenant --name red --segment app,10.110.0.0/24,110,10110 --vni 50001",
    "steering --name way-out --prefer peering/transit-a",
    "access --name web --protect segment/web --allow clients,10.0.0.0/8",
    "maintenance --name new-optics --node b1-spine-02",
    "capacity --name busy-hour --demand segment/web,198.51.100.1,20G --maximum-utilisation-percent 70",
];
const ALL_FLAGS: &[&str] = &[
    "fabric --name b1 --spines 2 --leaves 2 --borders 2 --pack frr --platform vs-16 --site east --mtu 9000 \
     --description Building --owner net@example.net",
    "fabric --name b2 --spines 2 --leaves 2 --borders 1 --pack frr --platform vs-16 --super-spines 2 --pods 1 --links-per-pair 1",
    "topology --name wan --node core-01,core-02 --role core --pack frr --platform vs-8 --site west --mtu 9000 \
     --link core-01:swp1,b1-spine-01:swp9 --link core-02:swp1,b1-spine-02:swp9 \
     --link core-01:swp2,b2-border-01:swp9",
    "pools --name numbers --management 10.255.0.0/24 --loopbacks 10.0.0.0/24 --links 10.1.0.0/20 --asns 64701-64999 \
     --spine-asns 64601-64619 --vlans 100-199 --segment-vnis 10000-19999 --tenant-vnis 50000-50999",
    "underlay --name everywhere --protocol ebgp --addressing unnumbered --families dual --fabrics b1 --sites east \
     --roles spine,leaf,border \
     --maximum-paths 16 --bfd-interval-ms 300 --tcp-md5 env/UNDERLAY_KEY",
    "underlay --name wan --protocol ebgp --addressing numbered --roles spine,core",
    "segment --name web --prefix 203.0.113.0/24 --subnet-length 28 --interfaces swp1,swp2 --nodes b1-leaf-01 --fabrics b1 \
     --roles leaf --sites east --gateway last --scope network --mtu 9000 --ipv6-prefix 2001:db8:10::/48",
    "peering --name transit-a --relationship transit --asn 64496 --accept 0.0.0.0/0 --announce 203.0.113.0/24 \
     --session b1-border-01:swp1,192.0.2.0/31,192.0.2.1 --session b1-border-02:swp1,192.0.2.2/31,192.0.2.3 \
     --maximum-prefixes 100 --tcp-md5 env/PEERING_KEY",
    "reachability --name web-out --from segment/web --to 198.51.100.1 --expect reachable --survive-links 1 --survive-nodes 1 \
     --protocol tcp --ports 443,8000-8100 --max-hops 9 --via b1-border-01,b1-border-02 --avoid core-01 --min-paths 1",
    "tenant --name red --segment app,10.110.0.0/24,210,20110 --segment data,10.120.0.0/24 --vni 60001 --fabrics b1 \
     --roles leaf --sites east",
    "steering --name way-out --direction outbound --prefixes 0.0.0.0/0 --community 64496:100 --by auto \
     --prefer peering/transit-a@b1-border-01,peering/transit-a,node/core-01,core-02:swp1",
    "access --name web --protect segment/web --allow clients,10.0.0.0/8,tcp,443,8000-8100 --allow ping,any,icmp \
     --deny others,any --default deny",
    "maintenance --name new-optics --node b1-spine-02 --link b2-p1-spine-01:swp1 --reason optics \
     --window 2026-12-01T02:00:00Z,2026-12-01T04:00:00Z",
    "capacity --name busy-hour --demand segment/web,198.51.100.1,20G --maximum-utilisation-percent 70 --survive-links 1 \
     --survive-nodes 1",
    "baseline --name everywhere --ntp 10.255.0.250,10.255.0.251 --dns 10.255.0.250 --roles leaf,spine,border \
     --syslog 10.255.0.250 --banner Hello --user",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/cli is two folders down").to_owned()
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n--- out\n{}", ran.out))
}

#[test]
fn every_kind_can_be_written_from_flags_alone_and_is_valid() {
    for lines in [REQUIRED, ALL_FLAGS] {
        let project = Project::without_intents();
        // No pack of the project carries tenants, no platform says how fast its ports are, and one way to a node is too few to
        // drain it: beside what is written there is what it needs.
        for pack in ["frr", "bird"] {
            project.edit(
                &format!("device-templates/{pack}/manifest.yaml"),
                "  - acl\n",
                "  - acl\n  - evpn.l2\n  - evpn.l3\n",
            );
        }
        fs::write(project.path().join("intents/ring.yaml"), RING).expect("write the ring");
        if lines.iter().any(|line| line.contains("--families dual")) {
            fs::write(project.path().join("intents/ipv6.yaml"), IPV6).expect("write the pool");
        }
        for line in lines {
            let mut arguments = vec!["new"];
            arguments.extend(line.split_whitespace());
            arguments.extend(arguments.ends_with(&["--user"]).then_some(USER));
            project.weft_with(arguments).expect(0);
        }
        let written: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        let kinds: BTreeSet<&str> = IntentKind::ALL.map(IntentKind::as_str).into();
        assert_eq!(written, kinds, "a kind that is not tried");
        assert!(project.path().join("intents/fabric-b1.yaml").exists());
        project.weft("validate").expect(0).says("no findings");
    }
}

#[test]
fn every_flag_of_a_form_is_tried() {
    let project = Project::without_intents();
    for kind in IntentKind::ALL.map(IntentKind::as_str) {
        let help = project.weft(&format!("new {kind} --help")).expect(0).out;
        let (_, flags) = help.split_once("What is written:").expect("the flags of the form");
        for flag in flags.lines().filter_map(|line| line.trim().strip_prefix("--")?.split(' ').next()) {
            let tried = ALL_FLAGS.iter().any(|line| {
                let mut words = line.split_whitespace();
                let flag = format!("--{flag}");
                words.next() == Some(kind) && words.any(|word| word == flag)
            });
            assert!(tried || ["description", "owner"].contains(&flag), "`weft new {kind} --{flag}` is not tried");
        }
    }
}

#[test]
fn a_new_intent_never_takes_the_place_of_another_and_says_what_is_wrong() {
    let project = Project::without_intents();
    let segment = "new segment --name web --prefix 10.9.0.0/16 --subnet-length 24 --interfaces swp1";
    let file = project.path().join("intents/segment-web.yaml");

    // Nobody can be asked here.
    project
        .weft("new segment --name web")
        .expect(2)
        .says("--prefix PREFIX")
        .says("--subnet-length N")
        .does_not_say("--name");
    project.weft(&format!("{segment} --scope galaxy")).expect(2).says("network");
    project.weft(&segment.replace("10.9.0.0", "10.9.0.1")).expect(1).says("WEFT-109").says("10.9.0.0/16");
    project.weft("new peering --name a --relationship transit --asn 1 --accept 0.0.0.0/0 --announce 10.0.0.0/8 --maximum-prefixes 9 --session a:swp1")
        .expect(2)
        .says("--session");
    project.weft("new underlay --name u --protocol ebgp --addressing numbered --families ipv5").expect(2).says("ipv4");
    let rules = "new access --name a --protect segment/web --allow a,any,,443 --allow b,any,tcp,443 --out -";
    project.weft(&rules.replace("a,any,,443", "a,any,")).expect(0).says("{ name: a, action: allow, from: any }");
    // Ports of no protocol: told, and not taken for a protocol.
    project.weft(rules).says("{ name: a, action: allow, from: any, ports: [443] }");
    assert!(!file.exists());

    project.weft(segment).expect(0);
    let written = fs::read_to_string(&file).expect("the new intent");
    project.weft(&segment.replace("swp1", "swp2")).expect(1).says("--force");
    assert_eq!(fs::read_to_string(&file).expect("the new intent"), written);
    project.weft(&segment.replace("swp1", "swp2 --force")).expect(0);
    assert_eq!(fs::read_to_string(&file).expect("the new intent"), written.replace("swp1", "swp2"));
    assert_eq!(project.weft(&format!("{segment} --out -")).expect(0).out, written);
    project.weft(&format!("{segment} --out other/place.yaml")).expect(0);
    assert_eq!(fs::read_to_string(project.path().join("other/place.yaml")).expect("the new intent"), written);

    // What YAML would take for something else, and what could break out of its place.
    let said = "yes: # \"no\" {{ name }} [";
    let words = segment.split(' ').chain(["--owner", "null", "--description", said, "--out", "-"]);
    let text = project.weft_with(words).expect(0).out;
    assert!(
        text.contains("owner: \"null\"") && text.contains("description: \"yes: # \\\"no\\\" {{ name }} [\""),
        "{text}"
    );
    let words = segment.split(' ').chain(["--description", "a\nspec: {}"]);
    project.weft_with(words).expect(1).says("WEFT-124");
}

#[test]
fn what_is_missing_is_asked_for_on_a_terminal() {
    let project = Project::without_intents();
    let terminal = nix::pty::openpty(None, None).expect("a terminal");
    let mut child = project
        .command("new underlay --name u --protocol ebgp".split(' '))
        .stdin(Stdio::from(terminal.slave))
        .stderr(Stdio::piped())
        .spawn()
        .expect("weft starts");
    let mut keyboard = File::from(terminal.master);
    // The first answer is none of the choices, and is asked for again.
    keyboard.write_all(b"sometimes\nnumbered\n").expect("type");
    let mut asked = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut asked).expect("what was asked");
    assert!(child.wait().expect("weft ends").success(), "{asked}");
    assert_eq!(asked.matches(" (numbered, unnumbered): ").count(), 2, "{asked}");
    let text = fs::read_to_string(project.path().join("intents/underlay-u.yaml")).expect("the new intent");
    assert!(text.contains("addressing: numbered"), "{text}");
}

#[test]
fn the_catalogue_knows_every_kind() {
    let project = Project::without_intents();
    let list = project.weft("catalogue").expect(0).out;
    let all = parsed(&project.weft("catalogue --format json").expect(0));
    for (at, kind) in IntentKind::ALL.into_iter().enumerate() {
        assert!(list.lines().any(|line| line.starts_with(&format!("{} ", kind.as_str()))), "{list}");
        assert_eq!(all[at]["kind"], kind.as_str());
        assert!(!all[at]["tables"][0]["fields"].as_array().expect("fields").is_empty());
        let page = project.weft(&format!("catalogue {}", kind.as_str())).expect(0).out;
        assert!(page.contains(&format!("kind: {}", kind.title())), "{page}");
        let prose = page.split("For example:").next().unwrap_or_default();
        assert!(prose.lines().all(|line| line.chars().count() <= 80), "{prose}");
    }
    project.weft("catalogue segment").expect(0).says("prefix *").says("without host bits.");
    project.weft("catalogue segmnt").expect(2).says("segment");
}

#[test]
fn the_schemas_that_are_printed_are_those_of_the_repository() {
    let project = Project::without_intents();
    project.weft("schema --out made").expect(0);
    let read = |folder: &Path| -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = fs::read_dir(folder)
            .expect("a folder of schemas")
            .flatten()
            .map(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                (name, fs::read_to_string(file.path()).expect("a schema"))
            })
            .collect();
        files.sort();
        files
    };
    let names = |files: &[(String, String)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (made, kept) = (read(&project.path().join("made")), read(&root().join("schemas")));
    assert_eq!(names(&made), names(&kept));
    assert!(made == kept, "the schemas differ");
    let segment = project.weft("schema segment").expect(0).out;
    assert!(made.contains(&("segment.schema.json".to_owned(), segment)));
    assert!(made.contains(&("intent.schema.json".to_owned(), project.weft("schema").expect(0).out)));
    project.weft("schema segmnt").expect(2).says("segment");
}

#[test]
fn codes_are_explained_with_an_example() {
    let project = Project::without_intents();
    let list = project.weft("explain-code").expect(0).out;
    assert!(list.lines().any(|line| line == "WEFT-101  unknown key"), "{list}");
    let all = parsed(&project.weft("explain-code --format json").expect(0));
    assert_eq!(all.as_array().map(Vec::len), Some(list.lines().count()));
    let one =
        project.weft("explain-code WEFT-109").expect(0).says("host bits set in a prefix").says("error[WEFT-109]").out;
    for spelling in ["explain-code weft-109", "explain-code 109", "explain WEFT-109"] {
        assert_eq!(project.weft(spelling).expect(0).out, one);
    }
    assert!(parsed(&project.weft("explain-code 109 --format json").expect(0))["example"].is_string());
    project.weft_with(["explain-code", "unknown ky"]).expect(1).says("did you mean WEFT-101?");
    project.weft("explain-code WEFT-1009").expect(1).says("did you mean WEFT-1");
}

#[test]
fn findings_for_a_forge_have_places_in_the_repository_and_no_secrets() {
    let repository = Project::example();
    let network = repository.path().join("networks/east");
    fs::create_dir_all(&network).expect("make a folder");
    for folder in ["intents", "device-templates", "pipeline"] {
        fs::rename(repository.path().join(folder), network.join(folder)).expect("move the project");
    }
    repository.commit_all("first");
    repository.edit("networks/east/intents/fabrics.yaml", "site: b1", "sight: b1");
    repository.edit(
        "networks/east/intents/underlay.yaml",
        "  bfd: { interval_ms: 1000, multiplier: 3 }",
        "  authentication: { tcp_md5: hunter2 }",
    );
    let schema = fs::read_to_string(root().join("tests/sarif/sarif-schema-2.1.0.json")).expect("the schema of SARIF");
    let validator = jsonschema::options().build(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    for command in ["validate", "check", "compile"] {
        let ran =
            repository.weft(&format!("-C networks/east {command} --format sarif")).expect(1).does_not_say("hunter2");
        let log = parsed(&ran);
        assert_eq!(validator.iter_errors(&log).map(|error| error.to_string()).next(), None, "{}", ran.out);
        let results = log["runs"][0]["results"].as_array().expect("results");
        let place = |rule: &str| {
            let result = results.iter().find(|result| result["ruleId"] == rule).expect("a result");
            &result["locations"][0]["physicalLocation"]
        };
        assert_eq!(place("WEFT-101")["artifactLocation"]["uri"], "networks/east/intents/fabrics.yaml");
        assert_eq!(place("WEFT-101")["region"]["startLine"], 9);
        assert_eq!(place("WEFT-112")["artifactLocation"]["uri"], "networks/east/intents/underlay.yaml");
    }
    repository.git("checkout -q .");
    for command in ["validate", "check", "compile"] {
        let log = parsed(&repository.weft(&format!("-C networks/east {command} --format sarif")).expect(0));
        assert_eq!(log["runs"][0]["results"].as_array().map(Vec::len), Some(0));
    }
    repository.weft("-C networks/east runs --format sarif").expect(2);
}

/// A `weft validate --watch`, and the lines that it prints. Dropping it kills it.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(project: &Project) -> Self {
        let mut child = project
            .command("validate --watch".split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("weft starts");
        let (sender, lines) = channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("stdout")), Box::new(child.stderr.take().expect("stderr"))];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    /// Waits for a line with `text`.
    #[track_caller]
    fn says(&self, text: &str) {
        let mut heard = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line.contains(text) => return,
                Ok(line) => heard.push(line),
                Err(error) => panic!("`{text}` was not said: {error}\n{}", heard.join("\n")),
            }
        }
    }

    fn interrupt(mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("interrupt weft");
        self.child.wait().expect("weft ends").code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watch_checks_again_after_every_change_and_ends_well() {
    let project = Project::example();
    let watch = Watch::start(&project);
    watch.says("20 devices and 36 links: no findings");

    project.edit("intents/fabrics.yaml", "site: b1", "sight: b1");
    watch.says("unknown key `sight`");
    watch.says("1 error");
    // As an editor saves: a new file takes the place of the old one.
    let (file, beside) =
        (project.path().join("intents/fabrics.yaml"), project.path().join("intents/.fabrics.yaml.swp"));
    let text = fs::read_to_string(&file).expect("the intents").replace("sight: b1", "site: b1");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, &file)).expect("replace the file");
    watch.says("changed: intents/fabrics.yaml");
    watch.says("no findings");
    // A new folder, a pack, and a folder that is replaced as a whole.
    fs::create_dir(project.path().join("intents/more")).expect("make a folder");
    fs::write(project.path().join("intents/more/a.yaml"), "kind: Nothing\n").expect("write a file");
    watch.says("WEFT-130");
    fs::remove_dir_all(project.path().join("intents/more")).expect("remove the folder");
    watch.says("no findings");
    project.edit("device-templates/frr/manifest.yaml", "description:", "describtion:");
    watch.says("describtion");
    project.edit("device-templates/frr/manifest.yaml", "describtion:", "description:");
    watch.says("no findings");
    fs::rename(project.path().join("intents"), project.path().join("away")).expect("move the intents away");
    watch.says("there is no folder `intents`");
    fs::rename(project.path().join("away"), project.path().join("intents")).expect("move the intents back");
    watch.says("no findings");
    project.edit("intents/segments.yaml", "prefix: 10.20", "prefixx: 10.20");
    watch.says("prefixx");

    assert_eq!(watch.interrupt(), Some(0));
}

#[test]
fn a_watch_that_is_left_alone_does_nothing() {
    let project = Project::example();
    let watch = Watch::start(&project);
    watch.says("no findings");
    let ticks = |child: &Child| -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("the process");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        // proc(5): utime and stime are the 14th and 15th fields; two stand before the `)`.
        fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks")
    };
    let before = ticks(&watch.child);
    // Reading files is what a check does itself; it must not set off another one.
    for _ in 0..20 {
        fs::read_to_string(project.path().join("intents/fabrics.yaml")).expect("read a file");
        fs::read_dir(project.path().join("intents")).expect("read a folder").count();
    }
    let more = watch.lines.recv_timeout(Duration::from_secs(2));
    assert!(more.is_err(), "something was said: {more:?}");
    let spent = ticks(&watch.child) - before;
    assert!(spent < 20, "{spent} ticks in two seconds of nothing to do");
    assert_eq!(watch.interrupt(), Some(0));
}
