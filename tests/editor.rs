//! `weft lsp` as an editor meets it: the real process, real messages, texts that are being typed.

mod weft;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weft::Project;

/// The most that an answer may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

/// An editor with the example project.
struct Editor {
    project: Project,
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// What was said last about each file: the version and the findings.
    findings: BTreeMap<String, (Value, Vec<Value>)>,
    versions: BTreeMap<String, i32>,
    requests: i32,
}

impl Editor {
    fn start() -> Self {
        let project = Project::example();
        let mut child =
            project.command(["lsp"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("weft lsp starts");
        let input = child.stdin.take().expect("its input");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            while let Some(message) = receive(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let (findings, versions) = (BTreeMap::new(), BTreeMap::new());
        let mut editor = Self { project, child, input, messages, findings, versions, requests: 0 };
        let root = editor.uri("");
        let workspace = json!({ "didChangeWatchedFiles": { "dynamicRegistration": true } });
        let answer = editor.ask(
            "initialize",
            json!({
                "processId": null, "rootUri": root.trim_end_matches('/'),
                "capabilities": { "workspace": workspace },
            }),
        );
        assert_eq!(answer["capabilities"]["hoverProvider"], true, "{answer}");
        assert_eq!(answer["serverInfo"]["name"], "weft");
        editor.tell("initialized", json!({}));
        editor
    }

    fn uri(&self, file: &str) -> String {
        let folder = self.project.path().canonicalize().expect("the project's folder");
        format!("file://{}/{file}", folder.display())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.project.path().join(file)).expect("a file of the project")
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("the server reads");
        self.input.flush().expect("the server reads");
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Takes the next message: remembers findings, returns everything else.
    fn next(&mut self, until: Instant) -> Option<Value> {
        let left = until.saturating_duration_since(Instant::now());
        let message = self.messages.recv_timeout(left).expect("an answer of the server in time");
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let found = params["diagnostics"].as_array().cloned().unwrap_or_default();
            let uri = params["uri"].as_str().expect("a file").to_owned();
            self.findings.insert(uri, (params["version"].clone(), found));
            return None;
        }
        Some(message)
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let until = Instant::now() + LIMIT;
        loop {
            let Some(message) = self.next(until) else { continue };
            if message["id"] == id && message["method"].is_null() {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Waits until the server has said this about a file.
    #[track_caller]
    fn wait(&mut self, file: &str, what: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let (uri, until) = (self.uri(file), Instant::now() + LIMIT);
        loop {
            let now = self.findings.get(&uri).map(|(_, found)| found.as_slice()).unwrap_or_default();
            if holds(now) {
                return now.to_vec();
            }
            assert!(Instant::now() < until, "{what} was not said of {file}: {now:#?}");
            self.next(until);
        }
    }

    /// Puts a text into the editor: opens the file, or changes all of it.
    fn write(&mut self, file: &str, text: &str) {
        let uri = self.uri(file);
        let version = self.versions.get(file).copied().unwrap_or(0) + 1;
        self.versions.insert(file.to_owned(), version);
        if version == 1 {
            let document = json!({ "uri": uri, "languageId": "yaml", "version": version, "text": text });
            self.tell("textDocument/didOpen", json!({ "textDocument": document }));
        } else {
            let document = json!({ "uri": uri, "version": version });
            let changes = json!([{ "text": text }]);
            self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
        }
    }

    /// Puts a text into the editor and asks about the place of `|` in it.
    fn ask_at(&mut self, file: &str, marked: &str, method: &str) -> Value {
        let (before, after) = marked.split_once('|').expect("a mark");
        self.write(file, &format!("{before}{after}"));
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().unwrap_or_default().encode_utf16().count();
        let mut params = json!({
            "textDocument": { "uri": self.uri(file) }, "position": { "line": line, "character": character },
        });
        if method == "textDocument/references" {
            params["context"] = json!({ "includeDeclaration": true });
        }
        self.ask(method, params)
    }

    /// Returns what may be written at `|`.
    fn offered(&mut self, file: &str, marked: &str) -> Vec<String> {
        let items = self.ask_at(file, marked, "textDocument/completion");
        let items = items.as_array().unwrap_or_else(|| panic!("no list: {items}"));
        items.iter().map(|item| item["label"].as_str().expect("a label").to_owned()).collect()
    }

    fn hover(&mut self, file: &str, marked: &str) -> String {
        self.ask_at(file, marked, "textDocument/hover")["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Ends the session as an editor does.
    fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        let until = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the server") {
                break status;
            }
            assert!(Instant::now() < until, "the server does not end");
            thread::yield_now();
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads one message; `None` at the end.
fn receive(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        output.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim() {
            "" => break,
            header => {
                if let Some(value) = header.strip_prefix("Content-Length: ") {
                    length = value.parse().ok()?;
                }
            }
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn has(found: &[Value], code: &str) -> bool {
    found.iter().any(|finding| finding["code"] == code)
}

#[test]
fn findings_come_while_the_text_is_typed_and_go_when_it_is_mended() {
    let mut editor = Editor::start();
    let good = editor.read("intents/fabrics.yaml");
    editor.write("intents/fabrics.yaml", &good.replacen("count: 2", "count: 0", 1));
    let found = editor.wait("intents/fabrics.yaml", "the range", |found| has(found, "WEFT-105"));
    let finding = found.iter().find(|finding| finding["code"] == "WEFT-105").expect("it");
    assert_eq!(finding["severity"], 1);
    assert_eq!(finding["source"], "weft");
    assert_eq!(finding["range"]["start"], json!({ "line": 10, "character": 18 }));
    assert_eq!(finding["range"]["end"], json!({ "line": 10, "character": 19 }));
    assert!(finding["message"].as_str().expect("text").contains("help: write a number from 1 to 512"), "{finding}");
    assert!(finding["codeDescription"]["href"].as_str().expect("text").ends_with("#weft-105-number-out-of-range"));
    // An odd number breaks a rule, which stands in another file.
    editor.write("intents/fabrics.yaml", &good.replacen("count: 2", "count: 1", 1));
    let found = editor.wait("intents/fabrics.yaml", "the rule", |found| has(found, "WEFT-230"));
    let rule = &found.iter().find(|finding| finding["code"] == "WEFT-230").expect("it")["relatedInformation"][0];
    assert!(rule["location"]["uri"].as_str().expect("text").ends_with("policy/house-rules.yaml"), "{rule}");
    assert!(rule["message"].as_str().expect("text").contains("even-spines"), "{rule}");
    // The rule is mended in the editor and not on the disk.
    let policy = editor.read("policy/house-rules.yaml");
    editor.write("policy/house-rules.yaml", &policy.replace("% 2 == 0", "% 1 == 0"));
    editor.wait("intents/fabrics.yaml", "nothing of the rule", |found| !has(found, "WEFT-230"));
    editor.write("policy/house-rules.yaml", &policy.replace("spec.spine.count % 2 == 0", "spec.spine.count %"));
    editor.wait("policy/house-rules.yaml", "the expression", |found| has(found, "WEFT-231"));
    // Closing a text without saving it is going back to the file.
    let uri = editor.uri("policy/house-rules.yaml");
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": uri } }));
    editor.wait("policy/house-rules.yaml", "nothing", <[Value]>::is_empty);
    editor.write("intents/fabrics.yaml", &good);
    editor.wait("intents/fabrics.yaml", "nothing", <[Value]>::is_empty);
    let (version, _) = &editor.findings[&editor.uri("intents/fabrics.yaml")];
    assert_eq!(*version, 3);
    editor.end();
}

#[test]
fn edits_and_places_are_counted_in_units_of_utf16() {
    let mut editor = Editor::start();
    let text = editor.read("intents/segments.yaml").replacen("Front ends, seen", "🦀 Gebäude 数据", 1);
    editor.write("intents/segments.yaml", &text);
    let (line, content) = text.lines().enumerate().find(|(_, line)| line.contains('🦀')).expect("the line of the crab");
    let units = content.encode_utf16().count();
    let crab = content.find('🦀').expect("the crab");
    let before = content[..crab].encode_utf16().count();
    // Behind the crab, which has two units, another key is begun: within the text, and then on a line of its own.
    let changes = json!([
        { "range": { "start": { "line": line, "character": before }, "end": { "line": line, "character": before + 2 } }, "text": "☃" },
        { "range": { "start": { "line": line, "character": units - 1 }, "end": { "line": line, "character": units - 1 } }, "text": "\n  ünknown: \"🦀\" # x" },
    ]);
    let document = json!({ "uri": editor.uri("intents/segments.yaml"), "version": 2 });
    editor.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    editor.versions.insert("intents/segments.yaml".to_owned(), 2);
    let found = editor.wait("intents/segments.yaml", "the key", |found| has(found, "WEFT-101"));
    let range = &found.iter().find(|finding| finding["code"] == "WEFT-101").expect("it")["range"];
    assert_eq!(range["start"], json!({ "line": line + 1, "character": 2 }));
    assert_eq!(range["end"], json!({ "line": line + 1, "character": 9 }));
    // A value behind two crabs on its line.
    let text = editor.read("intents/segments.yaml").replacen(
        "labels: { tier: front }",
        "labels: { \"🦀🦀\": \"x\", b: 7 }",
        1,
    );
    editor.write("intents/segments.yaml", &text);
    let found = editor.wait("intents/segments.yaml", "the type", |found| has(found, "WEFT-103"));
    let (at, content) = text.lines().enumerate().find(|(_, line)| line.contains("🦀🦀")).expect("the line");
    let column = content[..content.find('7').expect("7")].encode_utf16().count();
    assert_eq!(found[0]["range"]["start"], json!({ "line": at, "character": column }));
    editor.end();
}

#[test]
fn keys_words_and_names_are_offered_where_they_fit() {
    let mut editor = Editor::start();
    let file = "intents/new.yaml";
    // Everything that is there is known once the first findings would be.
    editor.write(file, "kind: Nothing\n");
    editor.wait(file, "the kind", |found| !found.is_empty());

    assert_eq!(editor.offered(file, "|"), ["apiVersion", "kind", "metadata", "spec"]);
    assert_eq!(editor.offered(file, "metadata: { | }\n")[0], "name");
    let kinds = editor.offered(file, "apiVersion: weft/v1\nkind: |\n");
    assert!(kinds.contains(&"Fabric".to_owned()) && kinds.contains(&"Reachability".to_owned()), "{kinds:?}");
    let head = |kind: &str| format!("apiVersion: weft/v1\nkind: {kind}\nmetadata: {{ name: new }}\nspec:\n");
    let fabric = head("Fabric");
    let keys = editor.offered(file, &format!("{fabric}  spine: {{ count: 2 }}\n  |\n"));
    assert_eq!(keys[0], "leaf", "what is required comes first: {keys:?}");
    assert!(keys.contains(&"overrides".to_owned()) && !keys.contains(&"spine".to_owned()), "{keys:?}");
    // Within brackets that are not closed, with more text below.
    let keys = editor.offered(file, &format!("{fabric}  spine: {{ count: 2, pl|\n  leaf: {{ count: 2 }}\n"));
    assert!(keys.contains(&"platform".to_owned()) && !keys.contains(&"count".to_owned()), "{keys:?}");
    assert_eq!(editor.offered(file, &format!("{fabric}  spine: {{ pack: | }}\n")), ["bird", "frr", "loom"]);
    let platforms = editor.offered(file, &format!("{fabric}  spine: {{ pack: frr, platform: |"));
    assert!(platforms.contains(&"vs-16".to_owned()), "{platforms:?}");

    let topology = head("Topology");
    let nodes = editor.offered(file, &format!("{topology}  links:\n    - {{ a: \"|\n"));
    assert!(nodes.contains(&"b1-leaf-01:".to_owned()), "{nodes:?}");
    let ports = editor.offered(file, &format!("{topology}  links:\n    - {{ a: \"b1-leaf-01:|\" }}\n"));
    assert_eq!(ports[0], "b1-leaf-01:swp1", "{ports:?}");
    assert_eq!(ports.last().map(String::as_str), Some("b1-leaf-01:swp16"), "linked ports come last: {ports:?}");
    assert_eq!(ports.len(), 16);
    let keys = editor.offered(file, &format!("{topology}  nodes:\n    - |\n"));
    assert!(keys.contains(&"role".to_owned()), "{keys:?}");

    let reachability = head("Reachability");
    let ends = editor.offered(file, &format!("{reachability}  from: segment/|\n"));
    assert!(ends.contains(&"segment/web".to_owned()) && ends.contains(&"node/b1-spine-01".to_owned()), "{ends:?}");
    assert_eq!(editor.offered(file, &format!("{reachability}  expect: |\n")), ["reachable", "isolated"]);

    let underlay = head("Underlay");
    assert_eq!(editor.offered(file, &format!("{underlay}  select: {{ sites: [b1, |] }}\n")), ["b1", "b2"]);
    let roles = editor.offered(file, &format!("{underlay}  select:\n    roles:\n      - |\n"));
    assert_eq!(roles, ["border", "dci", "leaf", "spine"]);
    // Below the key of a list, an item is offered with its dash.
    let below = format!("{underlay}  select:\n    roles:\n      |\n");
    assert_eq!(editor.offered(file, &below), ["border", "dci", "leaf", "spine"]);
    let items = editor.ask_at(file, &below, "textDocument/completion");
    assert_eq!(items[0]["textEdit"]["newText"], "- border");
    let keys = editor.offered(file, &format!("{topology}  links:\n    |\n"));
    assert_eq!(keys[..2], ["a", "b"], "{keys:?}");
    let names = editor.offered(file, &format!("{underlay}  select: {{ names: [|"));
    assert_eq!(names.len(), 20, "{names:?}");

    // Kinds of which the server knows no more than their schemas.
    let access = head("Access");
    let ends = editor.offered(file, &format!("{access}  rules:\n    - {{ name: x, from: | }}\n"));
    assert_eq!(ends[..2], ["any", "segment/db"], "{ends:?}");
    let actions = editor.offered(file, &format!("{access}  rules:\n    - name: x\n      action: |\n"));
    assert_eq!(actions, ["allow", "deny"]);
    let steering = head("Steering");
    let ways = editor.offered(file, &format!("{steering}  prefer:\n    - {{ peering: |"));
    assert_eq!(ways, ["peering/transit-a", "peering/transit-b"]);
    let tenant = head("Tenant");
    let own = "  segments:\n    - { name: red }\n    - { name: blue }\n  trunks:\n";
    let names = editor.offered(file, &format!("{tenant}{own}    - {{ segments: [|] }}\n"));
    assert_eq!(names, ["red", "blue"]);
    let drained = editor.offered(file, &format!("{}  drain: {{ links: [\"b1-spine-01:|", head("Maintenance")));
    assert_eq!(drained.len(), 16, "{drained:?}");

    // Labels that are in the editor and not on the disk.
    let nodes = editor.read("intents/interconnect.yaml");
    editor.write("intents/interconnect.yaml", &nodes.replacen("vs-8 }", "vs-8, labels: { row: north }, x: 1 }", 1));
    editor.wait("intents/interconnect.yaml", "the key", |found| has(found, "WEFT-101"));
    editor.write("intents/interconnect.yaml", &nodes.replacen("vs-8 }", "vs-8, labels: { row: north } }", 1));
    editor.wait("intents/interconnect.yaml", "nothing", <[Value]>::is_empty);
    assert_eq!(editor.offered(file, &format!("{underlay}  select: {{ labels: {{ |")), ["row"]);
    assert_eq!(editor.offered(file, &format!("{underlay}  select: {{ labels: {{ row: |")), ["north"]);

    let policy = "apiVersion: weft/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n    - name: x\n";
    let keys = editor.offered("policy/new.yaml", &format!("{policy}      |\n"));
    assert_eq!(keys[0], "assert", "{keys:?}");
    let kinds = editor.offered("policy/new.yaml", &format!("{policy}      kinds: [|]\n"));
    assert!(kinds.contains(&"Peering".to_owned()), "{kinds:?}");
    let intents = editor.offered("policy/new.yaml", &format!("{policy}      except:\n        - {{ intent: | }}\n"));
    assert!(intents.contains(&"fabric/b1".to_owned()), "{intents:?}");
    editor.end();
}

#[test]
fn what_a_broken_text_had_before_is_still_offered() {
    let mut editor = Editor::start();
    let fabrics = editor.read("intents/fabrics.yaml");
    editor.write("intents/fabrics.yaml", &format!("{fabrics}---\nkind: Nothing\n"));
    editor.wait("intents/fabrics.yaml", "the kind", |found| !found.is_empty());
    editor.write("intents/fabrics.yaml", &fabrics.replacen("spec:", "spec: {", 1));
    let of_kind = |finding: &Value| finding["message"].as_str().is_some_and(|text| text.contains("Nothing"));
    editor.wait("intents/fabrics.yaml", "the bracket", |found| !found.is_empty() && !found.iter().any(of_kind));
    let head = "apiVersion: weft/v1\nkind: Topology\nmetadata: { name: new }\nspec:\n  links:\n    - a: ";
    let nodes = editor.offered("intents/new.yaml", &format!("{head}|\n"));
    assert!(nodes.contains(&"b1-leaf-01:".to_owned()), "{nodes:?}");
    editor.end();
}

#[test]
fn keys_and_names_are_explained_and_lead_to_where_they_are_defined() {
    let mut editor = Editor::start();
    let file = "intents/new.yaml";
    editor.write(file, "kind: Nothing\n");
    editor.wait(file, "the kind", |found| !found.is_empty());
    let fabric = "apiVersion: weft/v1\nkind: Fabric\nmetadata: { name: new }\nspec:\n";
    let about = editor.hover(file, &format!("{fabric}  m|tu: 9000\n"));
    assert!(about.contains("**mtu**: number, 1280 to 9216, default `9100`"), "{about}");
    assert!(about.contains("The IP MTU of its links"), "{about}");
    let about = editor.hover(file, &fabric.replace("Fabric", "Fa|bric"));
    assert!(about.contains("every leaf and every border has links to every spine"), "{about}");
    let about = editor.hover(file, &format!("{fabric}  spine: {{ pack: fr|r }}\n"));
    assert!(about.contains("pack **frr**") && about.contains("vs-16"), "{about}");

    let reachability = "apiVersion: weft/v1\nkind: Reachability\nmetadata: { name: new }\nspec:\n";
    let about = editor.hover(file, &format!("{reachability}  from: segment/w|eb\n"));
    assert!(about.contains("**segment/web**") && about.contains("Front ends, seen from the internet"), "{about}");
    let about = editor.hover(file, &format!("{reachability}  from: node/b1-l|eaf-01\n"));
    assert!(about.contains("leaf of fabric `b1` at `b1`"), "{about}");
    let about = editor.hover(file, &format!("{reachability}  expect: iso|lated\n"));
    assert!(about.contains("No packet arrives"), "{about}");

    let at = editor.ask_at(file, &format!("{reachability}  from: segment/w|eb\n"), "textDocument/definition");
    assert!(at["uri"].as_str().expect("a file").ends_with("intents/segments.yaml"), "{at}");
    assert_eq!(at["range"]["start"], json!({ "line": 3, "character": 8 }));
    let topology = "apiVersion: weft/v1\nkind: Topology\nmetadata: { name: new }\nspec:\n  links:\n";
    let link = |a: &str| format!("{topology}    - {{ a: \"{a}\", b: \"b1-leaf-01:swp3\" }}\n");
    let at = editor.ask_at(file, &link("b1-dci-0|1:swp3"), "textDocument/definition");
    assert!(at["uri"].as_str().expect("a file").ends_with("intents/interconnect.yaml"), "{at}");
    assert_eq!(at["range"]["start"], json!({ "line": 9, "character": 14 }));
    // A node of a fabric is defined by its tier, one that differs from it by its override.
    let at = editor.ask_at(file, &link("b1-spine-|01:swp3"), "textDocument/definition");
    assert!(at["uri"].as_str().expect("a file").ends_with("intents/fabrics.yaml"), "{at}");
    assert_eq!(at["range"]["start"]["line"], 10, "{at}");
    let at = editor.ask_at(file, &link("b1-leaf-0|4:swp3"), "textDocument/definition");
    assert_eq!(at["range"]["start"]["line"], 14, "{at}");

    let all = editor.ask_at(file, &format!("{reachability}  from: segment/w|eb\n"), "textDocument/references");
    let all = all.as_array().expect("a list");
    // Its own name, two reachabilities, and the text that is being typed.
    assert_eq!(all.len(), 4, "{all:#?}");

    let segments = editor.read("intents/segments.yaml");
    editor.write("intents/segments.yaml", &segments);
    let uri = editor.uri("intents/segments.yaml");
    let symbols = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri } }));
    let names: Vec<&str> =
        symbols.as_array().expect("a list").iter().filter_map(|symbol| symbol["name"].as_str()).collect();
    assert_eq!(names, ["segment/web", "segment/db", "segment/storage"]);
    editor.end();
}

#[test]
fn a_project_that_cannot_be_read_is_said_once() {
    let mut editor = Editor::start();
    fs::remove_dir_all(editor.project.path().join("device-templates")).expect("remove the packs");
    editor.write("intents/fabrics.yaml", "kind: Fabric\n");
    let until = Instant::now() + LIMIT;
    let said = loop {
        if let Some(message) = editor.next(until).filter(|message| message["method"] == "window/showMessage") {
            break message;
        }
    };
    let said = said["params"]["message"].as_str().expect("text").to_owned();
    assert!(said.contains("there is no folder `device-templates`"), "{said}");
    editor.end();
}

#[test]
fn files_that_change_on_the_disk_are_read_again() {
    let mut editor = Editor::start();
    editor.project.edit("intents/segments.yaml", "scope: site", "scope: sight");
    let uri = editor.uri("intents/segments.yaml");
    let changed = json!({ "changes": [{ "uri": uri, "type": 2 }] });
    editor.tell("workspace/didChangeWatchedFiles", changed.clone());
    editor.wait("intents/segments.yaml", "the word", |found| has(found, "WEFT-104"));
    editor.project.edit("intents/segments.yaml", "scope: sight", "scope: site");
    editor.tell("workspace/didChangeWatchedFiles", changed);
    editor.wait("intents/segments.yaml", "nothing", <[Value]>::is_empty);
    // A file elsewhere is none of the project's, and a question about it has no answer.
    let params =
        json!({ "textDocument": { "uri": "file:///elsewhere.yaml" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(editor.ask("textDocument/hover", params), Value::Null);
    editor.end();
}
