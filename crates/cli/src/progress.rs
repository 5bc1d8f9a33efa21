//! Says what a run is doing: bars on a terminal, plain lines elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    sync::Mutex,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use weft_diagnostics::SourceMap;
use weft_model::NodeName;
use weft_pipeline::{
    Observer, RunEvent,
    report::own_words,
    run::{StageRecord, StageState},
};
use weft_push::{PushEvent, StepName};

use crate::output::Output;

/// Watches a run for a person.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    sources: &'a SourceMap,
    bar: Mutex<Option<ProgressBar>>,
    /// The devices that could not be told to go back: they are asked again and again, and named once.
    going_back: Mutex<BTreeSet<NodeName>>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(output: &'a Output, sources: &'a SourceMap) -> Self {
        Self { output, sources, bar: Mutex::new(None), going_back: Mutex::default() }
    }

    /// Returns a bar where a person watches and wants to.
    fn begin(&self, stage: &str) {
        if self.output.verbosity == 0 || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::new_spinner().with_message(stage.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg:<10} {prefix} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        self.set(Some(bar));
    }

    fn set(&self, bar: Option<ProgressBar>) {
        // A poisoned lock only means that a line of progress was lost.
        if let Ok(mut place) = self.bar.lock() {
            if let Some(old) = place.take() {
                old.finish_and_clear();
            }
            *place = bar;
        }
    }

    fn detail(&self, text: String) {
        if let Ok(place) = self.bar.lock()
            && let Some(bar) = place.as_ref()
        {
            bar.set_prefix(text);
        }
    }

    fn say(&self, text: String) {
        self.beside_the_bar(|| self.output.say(text));
    }

    /// Prints without the bar getting in the way.
    fn beside_the_bar(&self, print: impl FnOnce()) {
        match self.bar.lock().as_deref() {
            Ok(Some(bar)) => bar.suspend(print),
            Ok(None) | Err(_) => print(),
        }
    }

    /// Says what a run that was cut off left on its devices; those that nothing was left on in one line.
    fn found(&self, devices: &BTreeMap<NodeName, String>) {
        let (free, held): (Vec<_>, Vec<_>) = devices.iter().partition(|(_, found)| *found == "free");
        for (device, found) in held {
            self.say(format!("    {device}: {}", if found.is_empty() { "not reached" } else { found }));
        }
        if !free.is_empty() {
            let names: Vec<&str> = free.iter().map(|(device, _)| device.as_str()).collect();
            let named = if names.len() > 4 { format!("{} devices", names.len()) } else { names.join(", ") };
            self.say(format!("    {named}: free"));
        }
    }

    fn push(&self, event: &PushEvent) {
        match event {
            PushEvent::WaveBegins { wave, devices } => {
                let names: Vec<&str> = devices.iter().map(weft_model::NodeName::as_str).collect();
                let named = if names.len() > 4 { format!("{} devices", names.len()) } else { names.join(", ") };
                self.say(format!("    {wave}: {named}"));
            }
            PushEvent::StepBegins { device, step } => self.detail(format!("{device}: {step}")),
            PushEvent::StepEnds { device, step: StepName::Rollback, failure: Some(failure), .. } => {
                if self.going_back.lock().is_ok_and(|mut known| known.insert(device.clone())) {
                    let failure = own_words(device.as_str(), failure);
                    self.say(format!("    {device}: cannot be told to go back: {failure}"));
                    self.say(format!(
                        "    {device}: it goes back by itself when its time is over; it is asked until then"
                    ));
                }
            }
            PushEvent::StepEnds { device, step, seconds, failure } => {
                if let Some(failure) = failure {
                    let failure = own_words(device.as_str(), failure);
                    self.say(format!("    {device}: {step} failed: {failure}"));
                } else if self.output.verbosity > 1 {
                    self.say(format!("    {device}: {step} {seconds:.2} s"));
                }
            }
            PushEvent::GateBegins { wave } => self.detail(format!("{wave}: waiting for its sessions")),
            PushEvent::GateEnds { wave, failure: Some(failure) } => {
                self.say(format!("    {wave} is not healthy and goes back: {failure}"));
            }
            PushEvent::GateEnds { failure: None, .. } | PushEvent::DeviceEnds { .. } => {}
        }
    }

    fn stage_ends(&self, stage: &StageRecord) {
        self.set(None);
        let took = match (stage.started, stage.ended) {
            (Some(started), Some(ended)) => format!("{:>6.1} s", ended.since(started).as_secs_f64()),
            _ => String::new(),
        };
        let mark = match stage.state {
            StageState::Succeeded => "ok",
            StageState::Failed => "FAILED",
            StageState::Skipped => "skipped",
            StageState::Cancelled => "cancelled",
            StageState::Waiting => "waiting",
            StageState::Queued | StageState::Running => "",
        };
        self.say(format!("{:<9} {mark:<9} {took:>8}  {}", stage.name.as_str(), stage.summary));
        if let Some(error) = &stage.error {
            self.say(format!("          {error}"));
        }
    }
}

impl Observer for Progress<'_> {
    fn event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::RunBegins(run) => self.output.say(format!("run {}", run.id.as_str())),
            RunEvent::Found(devices) => self.found(devices),
            RunEvent::StageBegins(stage) => self.begin(stage.as_str()),
            RunEvent::Inventory(origin) => self.say(format!("    devices: {origin}")),
            RunEvent::Progress { done, total, .. } => self.detail(format!("{done} of {total} devices")),
            RunEvent::Push(event) => self.push(event),
            RunEvent::Round(round) => {
                self.detail(format!("round {}: {} devices not settled", round.number, round.unsettled));
            }
            RunEvent::Findings(_, findings) => {
                if self.output.format != crate::args::Format::Json {
                    self.beside_the_bar(|| self.output.findings(findings, self.sources));
                }
            }
            RunEvent::StageEnds(stage) => self.stage_ends(stage),
            RunEvent::RunEnds(_) => self.set(None),
        }
    }
}
