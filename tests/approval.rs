//! Plans that people must approve: a run waits, is approved with real SSH keys, and is carried out; and plans that are never
//! pushed, as nobody could log in again.

mod weft;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use weft::{Project, Ran};

/// The most that an SSH agent takes to be there.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs a program of OpenSSH with what it reads, and returns whether it succeeded.
fn ssh(program: &str, arguments: &[&str], input: Option<&Path>) -> bool {
    let input = input.map_or_else(Stdio::null, |file| fs::File::open(file).expect("the input").into());
    let ran = Command::new(program).args(arguments).stdin(input).output().expect("OpenSSH is installed");
    ran.status.success()
}

/// The keys of people, and the file that says who may approve.
struct People {
    folder: tempfile::TempDir,
}

impl People {
    fn new(project: &Project) -> Self {
        let people = Self { folder: tempfile::tempdir().expect("a folder") };
        let mut signers = String::new();
        for (name, kind) in [("ann", "ed25519"), ("bob", "ecdsa"), ("test", "ed25519"), ("mallory", "ed25519")] {
            let file = people.key(name);
            let file = file.to_str().expect("a path");
            assert!(ssh("ssh-keygen", &["-q", "-t", kind, "-N", "", "-C", name, "-f", file], None));
            let key = fs::read_to_string(format!("{file}.pub")).expect("the public key");
            if name != "mallory" {
                signers += &format!("{name}@example.net namespaces=\"weft-approval\" {key}");
            }
        }
        fs::create_dir_all(project.path().join(".weft")).expect("make .weft");
        fs::write(people.signers(project), signers).expect("write the allowed signers");
        people
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn signers(&self, project: &Project) -> PathBuf {
        project.path().join(".weft/allowed_signers")
    }

    fn approve(&self, project: &Project, run: &str, name: &str) -> Ran {
        project.weft(&format!("approve {run} --key {}", self.key(name).display()))
    }

    /// Puts a text into the folder of a run that somebody signs with ssh-keygen.
    fn forge(&self, approvals: &Path, name: &str, namespace: &str, (file, text): (&str, &str)) {
        let path = approvals.join(format!("{file}.txt"));
        fs::write(&path, text).expect("write the text");
        // What is there already ssh-keygen would ask for.
        let _ = fs::remove_file(approvals.join(format!("{file}.txt.sig")));
        let key = self.key(name);
        let words = ["-q", "-Y", "sign", "-f", key.to_str().expect("a path"), "-n", namespace];
        assert!(ssh("ssh-keygen", &[&words[..], &[path.to_str().expect("a path")]].concat(), None));
    }
}

/// An SSH agent that ends with the test.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn with(key: &Path) -> Self {
        let socket = key.with_file_name("agent");
        let name = socket.to_str().expect("a path");
        let child = Command::new("ssh-agent").args(["-D", "-a", name]).stdout(Stdio::null()).spawn().expect("an agent");
        let agent = Self { child, socket: socket.clone() };
        let begun = Instant::now();
        let add = || {
            let mut add = Command::new("ssh-add");
            add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).stderr(Stdio::null());
            add.status().expect("ssh-add").success()
        };
        while !add() {
            assert!(begun.elapsed() < LIMIT, "the SSH agent takes no key");
            std::thread::sleep(Duration::from_millis(10));
        }
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the ids of all runs, the oldest first.
fn runs(project: &Project) -> Vec<String> {
    let text = project.weft("--format json runs").expect(0).out;
    let runs: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let id = |run: &serde_json::Value| run["id"].as_str().expect("an id").to_owned();
    runs.as_array().expect("a list").iter().map(id).collect()
}

fn latest(project: &Project) -> String {
    runs(project).pop().expect("a run")
}

#[test]
fn another_pipeline_does_not_do_without_the_approvals_of_a_plan() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    project.weft("run").expect(0);
    let people = People::new(&project);
    let default = fs::read_to_string(project.path().join("pipeline/default.yaml")).expect("the pipeline");
    let push = "        unreachable: fail";
    assert!(default.contains(push));
    let asks = format!("        approval: {{ required: 1 }}\n{push}");
    let approved = default.replace(push, &asks).replace("name: default", "name: approved");
    fs::write(project.path().join("pipeline/approved.yaml"), approved).expect("write the pipeline");
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");

    project.weft("run --pipeline pipeline/approved.yaml").expect(5).says("waits for 1 approval");
    let run = latest(&project);
    let ran = project.weft(&format!("apply {run}")).expect(1).says("WEFT-214").says("needs 1 approval");
    drop(ran.says("asks for fewer").says("--pipeline FILE"));
    let apply = format!("apply {run} --pipeline pipeline/approved.yaml");
    project.weft(&apply).expect(1).says("0 of 1 approval");
    people.approve(&project, &run, "ann").expect(0).says(&format!("`weft {apply}` carries it out"));
    project.weft(&format!("apply {run}")).expect(1).says("asks for fewer");
    project.weft(&apply).expect(0).says("20 changed");

    // The way back asks as the run did.
    let carried = latest(&project);
    let rollback = format!("rollback {carried}");
    project.weft(&rollback).expect(5).says("waits for 1 approval");
    let waits = latest(&project);
    let command = format!("`weft {rollback} --pipeline pipeline/approved.yaml` carries it out");
    people.approve(&project, &waits, "ann").expect(0).says(&command);
    project.weft(&rollback).expect(0).says("20 changed");
}

#[test]
fn a_plan_waits_for_people_and_is_carried_out_once_enough_have_approved_it() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    project.weft("run").expect(0);
    let people = People::new(&project);
    project.edit(
        "pipeline/default.yaml",
        "        unreachable: fail",
        "        approval: { required: 2, when: { devices_over: 10 }, expires_minutes: 60 }\n        unreachable: fail",
    );
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    let commit = project.commit_all("time");

    // It waits, and nothing has changed.
    let ran = project.weft(&format!("run --commit {commit}")).expect(5);
    let run = latest(&project);
    let ran = ran.says("push waiting").says("waits for 2 approvals").says("20 devices, more than 10");
    let ran = ran.says(&format!("weft approve {run}")).says("verify skipped");
    drop(ran);
    project.weft("runs").expect(0).says("waiting-for-approval");
    project.weft("plan").expect(0).says("20 devices change").says("needs 2 approvals: 20 devices, more than 10");
    project.weft(&format!("apply {run}")).expect(1).says("WEFT-214").says("0 of 2 approvals");

    // Strangers, and whoever wrote the commit, do not count.
    people.approve(&project, &run, "mallory").expect(1).says("none of these keys belongs to an allowed signer");
    people.approve(&project, &run, "test").expect(1).says("the approval of test@example.net does not count");
    people.approve(&project, &run, "ann").expect(0).says("1 more must approve it");
    people.approve(&project, &run, "ann").expect(0).says("1 more must approve it");
    let approvals = project.path().join(format!(".weft/runs/{run}/approvals"));
    let files = || fs::read_dir(&approvals).expect("approvals").flatten().map(|file| file.path());
    let text = files().find(|file| file.extension().is_some_and(|ending| ending == "txt")).expect("an approval");
    let (signers, signature) = (people.signers(&project), text.with_extension("txt.sig"));
    let [signers, signature] = [&signers, &signature].map(|path| path.to_str().expect("a path"));
    let verify = ["-Y", "verify", "-f", signers, "-I", "ann@example.net", "-n", "weft-approval", "-s", signature];
    assert!(ssh("ssh-keygen", &verify, Some(&text)), "ssh-keygen takes the signature too");
    project.weft(&format!("apply {run}")).expect(1).says("1 of 2 approvals (ann@example.net)");

    // What is signed by the right person, and is not an approval of this plan now.
    let good = fs::read_to_string(&text).expect("the approval").replace("ann@", "bob@");
    let at = good.lines().last().expect("a time").to_owned();
    let plan = good.lines().nth(2).expect("a digest").to_owned();
    let bob = "weft-approval";
    people.forge(&approvals, "bob", bob, ("old", &good.replace(&at, "at: 2020-01-01T00:00:00.000Z")));
    project.weft(&format!("apply {run}")).expect(1).says("WEFT-215").says("expired 60 minutes later");
    people.forge(&approvals, "bob", bob, ("old", &good.replace(&at, "at: 2999-01-01T00:00:00.000Z")));
    project.weft(&format!("apply {run}")).expect(1).says("which is yet to come");
    people.forge(&approvals, "bob", bob, ("old", &good.replace(&plan, &format!("plan: {}", "0".repeat(64)))));
    project.weft(&format!("apply {run}")).expect(1).says("it is for another plan");
    people.forge(&approvals, "bob", bob, ("old", &good.replace(&run, "20261123-073300-7f3a")));
    project.weft(&format!("apply {run}")).expect(1).says("it is for run 20261123-073300-7f3a");
    people.forge(&approvals, "mallory", bob, ("old", &good));
    project.weft(&format!("apply {run}")).expect(1).says("no allowed signer has the key");
    people.forge(&approvals, "test", bob, ("old", &good));
    project.weft(&format!("apply {run}")).expect(1).says("is not that of bob@example.net");
    people.forge(&approvals, "test", bob, ("old", &good.replace("bob@", "test@")));
    project.weft(&format!("apply {run}")).expect(1).says("four eyes are wanted");
    people.forge(&approvals, "bob", "git", ("old", &good));
    project.weft(&format!("apply {run}")).expect(1).says("the signature is not one of this text");
    people.forge(&approvals, "bob", bob, ("old", &good));
    fs::write(approvals.join("old.txt"), good.replace(&at, "at: 2026-01-01T00:00:00.000Z")).expect("change it");
    project.weft(&format!("apply {run}")).expect(1).says("the signature is not one of this text");
    project.weft("plan").expect(0).says("20 devices change");

    // The second person, by the SSH agent.
    let agent = Agent::with(&people.key("bob"));
    let approve = project.command(["approve", &run]).env("SSH_AUTH_SOCK", &agent.socket).output().expect("weft");
    Ran::from(approve).expect(0).says("enough have approved it");
    // A device that moved makes it another plan.
    let mtu = |mtu: &str| {
        let line = format!("lab exec b1-leaf-01 configure exclusive ; interface swp1 ; mtu {mtu} ; commit");
        project.weft_with(line.split(' ')).expect(0);
    };
    mtu("1400");
    project.weft(&format!("apply {run}")).expect(1).says("WEFT-932").says("`mtu 1500` is now `mtu 1400`");
    mtu("1500");
    project.weft(&format!("apply {run}")).expect(0).says("20 changed");
    project.weft("plan").expect(0).says("no change");
    let carried = latest(&project);
    for format in ["text", "json", "markdown", "html"] {
        let report = project.weft(&format!("report {carried} --format {format}")).expect(0).out;
        for person in ["ann@", "bob@"] {
            // Markdown keeps mail addresses from becoming mentions.
            assert!(report.replace('\u{200b}', "").contains(person), "{format}: {report}");
        }
    }
    project.weft(&format!("runs {run}")).expect(0).says(&format!("run {carried} carried it out")).says("succeeded");
    people.approve(&project, &run, "bob").expect(1).says("does not wait for approval");

    // A small plan needs nobody, and without the file of signers a large one goes nowhere.
    mtu("1400");
    project.weft("run").expect(0).says("1 changed");

    // The way back needs them as well.
    let rollback = format!("rollback {carried}");
    project.weft(&rollback).expect(5).says("waits for 2 approvals").says("20 devices, more than 10");
    let waits = latest(&project);
    people.approve(&project, &waits, "ann").expect(0).says("1 more must approve it");
    people.approve(&project, &waits, "bob").expect(0).says(&format!("`weft {rollback}` carries it out"));
    project.weft(&rollback).expect(0).says("20 changed");
    project.weft(&format!("runs {waits}")).expect(0).says("carried it out");

    project.edit("intents/baseline.yaml", "servers: [10.255.0.249]", "servers: [10.255.0.248]");
    fs::remove_file(people.signers(&project)).expect("remove the signers");
    project.weft("run").expect(1).says("WEFT-216").says("allowed_signers");
}

#[test]
fn waves_are_chosen_so_that_no_promise_breaks_and_each_says_why() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    project.weft("run").expect(0);
    project.edit("intents/baseline.yaml", "servers: [10.255.0.250, 10.255.0.251]", "servers: [10.255.0.249]");
    project.weft("plan").expect(0).says("canary: b1-leaf-01").says("not in wave 1: web-to-internet would fail");
}

#[test]
fn a_plan_after_which_nobody_could_log_in_is_never_pushed() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    let inventory = fs::read_to_string(project.path().join(".weft/lab/inventory.yaml")).expect("the inventory");
    let field = |name: &str| {
        let line = inventory.lines().find_map(|line| line.trim().strip_prefix(name)).expect("a field");
        line.trim_start_matches(':').trim().to_owned()
    };
    let user = field("user");
    project.weft("run").expect(0);
    // The account that Weft logs in with gets the key of somebody else.
    project.edit("intents/baseline.yaml", "- name: netops", &format!("- name: {user}"));
    project.weft("plan").expect(1).says("WEFT-209").says(&format!("the key that logs in as {user} goes"));
    project.weft("run").expect(1).says("WEFT-209").says("push skipped");
}

#[test]
fn a_wave_is_watched_before_it_is_confirmed() {
    let project = Project::example();
    project.weft("lab up").expect(0);
    let waves = "waves: { canary: 1, size: 20 }";
    project.edit("pipeline/default.yaml", waves, "waves: { canary: 0, size: 20, soak_seconds: 25 }");
    let child = project.command(["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weft starts");
    let begun = Instant::now();
    let established = |device: &str| {
        let line = format!("lab exec {device} show bgp neighbors json");
        let shown = project.weft_with(line.split(' ')).out.to_lowercase();
        shown.contains("established") && !shown.contains("active") && !shown.contains("idle")
    };
    while !["b1-leaf-01", "b1-spine-01", "b2-spine-02"].iter().all(|device| established(device)) {
        assert!(begun.elapsed() < 4 * LIMIT, "the sessions of the wave are not established");
        std::thread::sleep(Duration::from_millis(50));
    }
    project.weft("lab fault link-down b1-spine-01:swp1").expect(0);
    Ran::from(child.wait_with_output().expect("weft ends")).expect(3).says("b1-leaf-01 swp15 to b1-spine-01");
    project.weft("lab heal link-down b1-spine-01:swp1").expect(0);
    project.weft("plan").expect(0).says("20 devices change");
    // A network that stays well is confirmed.
    project.edit("pipeline/default.yaml", "soak_seconds: 25", "soak_seconds: 2");
    project.weft("run").expect(0).says("20 changed in 1 wave");
}
