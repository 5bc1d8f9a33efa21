//! A difference for a terminal, 80 columns wide.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{Became, Difference};
use crate::{
    report::{WIDTH, wrap},
    traffic,
};

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
const STRONG: Style = Style::new().bold();

impl Difference {
    /// Returns the difference as text, with ANSI colours when `colour` is set. The configuration of devices that come or go
    /// is printed only when `all` is set: it is all of their lines.
    pub fn text(&self, colour: bool, all: bool) -> String {
        let mut page = Page { out: String::new(), colour };
        page.line(STRONG, &format!("{} .. {}", self.from, self.to));
        if self.is_empty() {
            page.line(Style::new(), &format!("no difference; {}", super::counted_devices(self.untouched)));
            page.traffic(self);
            return page.out;
        }
        for side in self.out_of_date() {
            let note = format!("note: the lock file of {side} is out of date; what it would be is compared");
            page.wrapped("", 0, &note);
        }
        page.line(STRONG, &format!("\nIntents: {}", self.intent_counts()));
        for intent in &self.intents {
            let place = format!("{}:{}", intent.file, intent.line);
            page.line(
                style(intent.became),
                &format!("  {:<8} {:<34} {place}", intent.became.as_str(), intent.intent.to_string()),
            );
            for field in &intent.fields {
                page.wrapped("           ", 13, &field.words());
            }
        }
        if !self.allocations.is_empty() {
            page.line(STRONG, &format!("\nAllocations: {} differ", self.allocations.len()));
            for change in &self.allocations {
                page.wrapped("  ", 4, &change.to_string());
            }
        }
        page.line(STRONG, &format!("\nDevices: {}", self.device_counts()));
        for (name, device) in &self.devices {
            let lines = format!("+{} -{}", device.added, device.removed);
            page.line(style(device.became), &format!("  {:<8} {:<34} {lines}", device.became.as_str(), name.as_str()));
        }
        page.traffic(self);
        for (name, device) in self.devices.iter().filter(|(_, device)| all || device.became == Became::Changed) {
            for (file, change) in &device.files {
                page.line(STRONG, &format!("\n{name} {file}"));
                // The names of the two texts are said above.
                for line in change.diff.lines().skip(2) {
                    let style = match line.as_bytes().first() {
                        Some(b'+') => ADDED,
                        Some(b'-') => REMOVED,
                        Some(b'@') => PLACE,
                        _ => Style::new(),
                    };
                    page.line(style, line);
                }
            }
        }
        page.out
    }
}

fn style(became: Became) -> Style {
    match became {
        Became::Added => ADDED,
        Became::Changed => Style::new(),
        Became::Removed => REMOVED,
    }
}

struct Page {
    out: String,
    colour: bool,
}

impl Page {
    fn line(&mut self, style: Style, line: &str) {
        // Writing into a String cannot fail.
        let _ = if self.colour && style != Style::new() {
            let (breaks, words) = line.split_at(line.len() - line.trim_start_matches('\n').len());
            writeln!(self.out, "{breaks}{style}{words}{style:#}")
        } else {
            writeln!(self.out, "{line}")
        };
    }

    fn traffic(&mut self, difference: &Difference) {
        if let Some(traffic) = &difference.traffic {
            self.out.push('\n');
            self.out.push_str(&traffic::text(traffic, self.colour));
        }
    }

    fn wrapped(&mut self, lead: &str, indent: usize, text: &str) {
        let mut lead = lead.to_owned();
        for line in wrap(text, WIDTH - indent, 0) {
            self.line(Style::new(), &format!("{lead}{line}"));
            lead = " ".repeat(indent);
        }
    }
}
