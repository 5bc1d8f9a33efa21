//! Reports of a small run made by hand: one golden file for each format that people or programs read line by line, and what
//! must hold for every page.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, fs, path::Path};

use weft_pipeline::{
    report::{Format, Report},
    run::{NetworkRecord, RunRecord},
};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report"))
}

fn input(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

fn record() -> RunRecord {
    serde_json::from_str(&input("run.json")).unwrap()
}

fn network() -> NetworkRecord {
    serde_json::from_str(&input("network.json")).unwrap()
}

fn report() -> Report {
    let plan = serde_json::from_str(&input("plan.json")).unwrap();
    let push = serde_json::from_str(&input("push.json")).unwrap();
    let assessment = serde_json::from_str(&input("assessment.json")).unwrap();
    Report::new(&record(), &network(), Some(&plan), Some(&push), Some(&assessment))
}

#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; UPDATE_EXPECT=1 rewrites it", path.display());
}

#[test]
fn every_format_is_as_reviewed() {
    let report = report();
    for format in [Format::Text, Format::Json, Format::Junit, Format::Markdown] {
        golden(format.file_name(), &report.render(format, false).unwrap());
    }
}

#[test]
fn every_format_names_the_line_and_its_intent_and_says_a_reason_once() {
    for format in Format::ALL {
        let page = report().render(format, false).unwrap().replace("&#x2f;", "/").replace("\\_", "_");
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        // The line that the device named, the lines that drifted, the route, the link.
        for wanted in
            ["maximum-paths 999", "intents/underlay.yaml", "maximum-paths 1", "10.0.1.1/32", "b1-leaf-02:swp15"]
        {
            assert!(page.contains(wanted), "{format}: {wanted}");
        }
        if format == Format::Text {
            assert_eq!(page.matches("% Unknown command").count(), 1, "{page}");
        }
        assert!(!page.contains("b1-leaf-02: b1-leaf-02"), "{format}");
    }
}

#[test]
fn a_report_is_the_same_each_time() {
    for format in Format::ALL {
        assert_eq!(report().render(format, true).unwrap(), report().render(format, true).unwrap(), "{format}");
    }
}

#[test]
fn text_stays_within_80_columns_and_has_no_escapes_without_colour() {
    let text = report().render(Format::Text, false).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert!(report().render(Format::Text, true).unwrap().contains("\u{1b}["));
}

#[test]
fn a_report_in_json_reads_back() {
    let json = report().render(Format::Json, false).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report());
}

#[test]
fn junit_names_are_unique_even_for_equal_findings() {
    let mut record = record();
    let finding = record.stages[0].findings[0].clone();
    record.stages[0].findings = vec![finding; 3];
    let xml = Report::new(&record, &network(), None, None, None).render(Format::Junit, false).unwrap();
    let names: Vec<&str> = xml.split("<testcase name=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() >= 3);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn the_page_asks_nothing_of_any_network() {
    let page = report().render(Format::Html, false).unwrap();
    for reference in ["http://", "https://", "url(", "@import", "<link", "<img", "<iframe", " src="] {
        assert!(!page.contains(reference), "{reference}");
    }
}

#[test]
fn the_page_escapes_what_devices_and_people_wrote() {
    let page = report().render(Format::Html, false).unwrap();
    assert_eq!(page.matches("<script").count(), 1, "only its own script");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"));
}

#[test]
fn markdown_neither_runs_html_nor_outgrows_a_comment() {
    let mut plan: weft_plan::Plan = serde_json::from_str(&input("plan.json")).unwrap();
    for device in plan.devices.values_mut() {
        if let weft_plan::DeviceChange::Replace { files, .. } = &mut device.change {
            for file in files.values_mut() {
                file.diff = "+ router bgp 1 ```\n".repeat(20_000);
            }
        }
    }
    let markdown = Report::new(&record(), &network(), Some(&plan), None, None).render(Format::Markdown, false).unwrap();
    assert!(markdown.chars().count() <= 65_000);
    assert!(!markdown.contains("<script"));
    assert!(markdown.contains("left out"));
    assert!(markdown.contains("````diff"), "the fence is longer than any in the diff");
}

#[test]
fn a_run_that_ended_before_it_knew_a_device_has_reports_too() {
    let mut record = record();
    record.devices.clear();
    record.waves.clear();
    record.stages.truncate(1);
    record.ended = None;
    let report = Report::new(&record, &NetworkRecord::default(), None, None, None);
    for format in Format::ALL {
        assert!(report.render(format, false).unwrap().ends_with('\n'), "{format}");
    }
}
