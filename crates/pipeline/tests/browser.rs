//! The HTML report in a real browser: its script runs, its buttons work, and it fits a narrow window. Without a browser the
//! test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use weft_pipeline::report::{Format, Report};

/// Browsers that this test knows how to ask, by the names of their programs.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// A browser that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// What the page is asked, as a script at its end; each answer is a line of the element `answers`.
const QUESTIONS: &str = r#"<script>
const answers = [];
const ask = (question, answer) => answers.push(question + ': ' + answer);
const shown = () => [...document.querySelectorAll('[data-standing]')].filter((intent) => !intent.hidden).length;
ask('buttons are shown', !document.querySelector('#filter').hidden);
ask('all intents', shown());
document.querySelector('#filter button[value=violated]').click();
ask('violated intents', shown() + ', ' + document.querySelector('#shown').textContent);
ask('pressed', document.querySelector('#filter [aria-pressed=true]').value);
document.querySelector('#filter button[value=""]').click();
ask('all again', shown());
document.querySelector('#theme').click();
ask('theme', document.documentElement.dataset.theme);
ask('keyboard reaches each device in the drawing', [...document.querySelectorAll('svg a.node')].every((node) => node.tabIndex === 0));
ask('nothing is wider than the window', document.documentElement.scrollWidth <= innerWidth);
location.hash = '#device-b1-leaf-01';
setTimeout(() => {
  ask('a link opens its device', document.querySelector('#device-b1-leaf-01').open);
  const element = document.createElement('pre');
  element.id = 'answers';
  element.textContent = '\n' + answers.join('\n') + '\n';
  document.body.append(element);
}, 200);
</script>"#;

const ANSWERS: [&str; 9] = [
    "buttons are shown: true",
    "all intents: 4",
    "violated intents: 1, 1 shown",
    "pressed: violated",
    "all again: 4",
    "theme: dark",
    "keyboard reaches each device in the drawing: true",
    "nothing is wider than the window: true",
    "a link opens its device: true",
];

fn report() -> Report {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report"));
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let record = serde_json::from_str(&read("run.json")).unwrap();
    let network = serde_json::from_str(&read("network.json")).unwrap();
    let plan = serde_json::from_str(&read("plan.json")).unwrap();
    let push = serde_json::from_str(&read("push.json")).unwrap();
    let assessment = serde_json::from_str(&read("assessment.json")).unwrap();
    Report::new(&record, &network, Some(&plan), Some(&push), Some(&assessment))
}

fn browser() -> Option<&'static str> {
    let answers = |name: &&str| {
        let asked = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    BROWSERS.into_iter().find(answers)
}

/// Returns what a browser makes of a page, in a window of `width` pixels.
fn open(browser: &str, page: &Path, profile: &Path, width: u32) -> String {
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"])
        .args(["--blink-settings=preferredColorScheme=1", "--virtual-time-budget=3000"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(std::io::read_to_string(&mut stdout)));
    let dom = receive.recv_timeout(LIMIT);
    if dom.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    dom.unwrap_or_else(|_| panic!("{browser} took longer than {LIMIT:?}")).unwrap()
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = browser() else {
        // Straight to the stream: what `eprintln!` says in a test that passes is kept back.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED the_page_works_in_a_browser: none of {} is installed",
            BROWSERS.join(", ")
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    let html = report().render(Format::Html, false).unwrap();
    fs::write(&page, html.replace("</body>", &format!("{QUESTIONS}</body>"))).unwrap();
    for width in [390, 1400] {
        let dom = open(browser, &page, &folder.path().join("profile"), width);
        let answers = dom.split_once("<pre id=\"answers\">").and_then(|(_, rest)| rest.split_once("</pre>"));
        let answers = answers.map_or("the script did not come to its end", |(answers, _)| answers);
        let answers: Vec<&str> = answers.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(answers, ANSWERS, "in a window of {width} pixels");
    }
}
