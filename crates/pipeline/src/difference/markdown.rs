//! A difference as Markdown, fit for a comment on a pull request.

use super::{Became, Difference};
use crate::{
    report::{Bounded, cell, code, folded},
    traffic,
};

/// The most allocations that are listed; the text has all.
const MOST_ALLOCATIONS: usize = 40;

impl Difference {
    /// Returns the difference as Markdown, diffs folded away, bounded in size as forges want it.
    pub fn markdown(&self) -> String {
        let mut page = Bounded::default();
        page.section(&format!("## weft diff: {} .. {}\n\n", cell(&self.from.to_string()), cell(&self.to.to_string())));
        if self.is_empty() {
            page.section(&format!("No difference; {}.\n", super::counted_devices(self.untouched)));
            traffic(&mut page, self);
            return page.end("`weft diff` has them");
        }
        let allocations = match self.allocations.len() {
            0 => "none differ".to_owned(),
            count => format!("{count} differ"),
        };
        page.section(&format!(
            "| | |\n|---|---|\n| Intents | {} |\n| Allocations | {allocations} |\n| Devices | {} |\n",
            self.intent_counts(),
            self.device_counts()
        ));
        for side in self.out_of_date() {
            let side = cell(&side.to_string());
            page.section(&format!("\n*The lock file of {side} is out of date; what it would be is compared.*\n"));
        }
        let intents = self.intents.iter().map(|intent| {
            let fields: Vec<String> = intent.fields.iter().map(|field| code(&field.words())).collect();
            let place = code(&format!("{}:{}", intent.file, intent.line));
            let intent_name = code(&intent.intent.to_string());
            format!(
                "| {} {} | {intent_name} | {place} | {} |\n",
                mark(intent.became),
                intent.became.as_str(),
                fields.join("<br>")
            )
        });
        page.rows("\n### Intents\n\n| | Intent | Where | What |\n|---|---|---|---|\n", intents.collect());
        let mut allocations: Vec<String> = self
            .allocations
            .iter()
            .take(MOST_ALLOCATIONS)
            .map(|change| format!("- {}\n", code(&change.to_string())))
            .collect();
        if self.allocations.len() > MOST_ALLOCATIONS {
            allocations.push(format!("- and {} more\n", self.allocations.len() - MOST_ALLOCATIONS));
        }
        page.rows("\n### Allocations\n\n", allocations);
        let devices = self.devices.iter().map(|(name, device)| {
            let lines = format!("+{} −{}", device.added, device.removed);
            format!("| {} {} | {} | {lines} |\n", mark(device.became), device.became.as_str(), code(name.as_str()))
        });
        page.rows("\n### Devices\n\n| | Device | Lines |\n|---|---|---|\n", devices.collect());
        traffic(&mut page, self);
        let diffs = self.devices.iter().map(|(name, device)| {
            let files = device.files.iter().map(|(name, file)| (name.as_str(), file.diff.as_str()));
            folded(name.as_str(), (device.added, device.removed), files)
        });
        page.rows("\n### Diffs\n\n", diffs.collect());
        page.end("`weft diff` has them")
    }
}

fn traffic(page: &mut Bounded, difference: &Difference) {
    if let Some(traffic) = &difference.traffic {
        if traffic.changes.is_empty() {
            page.section("\n### Traffic\n");
        }
        page.rows(traffic::MARKDOWN_HEAD, traffic::markdown(traffic));
        page.section(&traffic::markdown_rest(traffic));
    }
}

const fn mark(became: Became) -> &'static str {
    match became {
        Became::Added => "➕",
        Became::Changed => "📝",
        Became::Removed => "➖",
    }
}
