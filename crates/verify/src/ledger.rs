//! Gathers the observations that speak for and against each intent, and sums them up.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use weft_intent::{IntentSet, spec::SshServer};
use weft_model::{IntentRef, NodeName, Source};

use crate::{Compliance, Evidence, IntentResult, Observed, Part, Parts};

/// So many observations are kept for one intent; a report of more helps nobody.
const MOST_EVIDENCE: usize = 100;
/// Stands between what was observed and its likely cause.
pub(crate) const CAUSE: &str = "; likely cause: ";

/// What an observation is about. Of two equally bad observations the one that causes the other comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    Device,
    Configuration,
    Link,
    Port,
    Session,
    Adjacency,
    Address,
    Announcement,
    Route,
    Path,
    Load,
    Probe,
    Redundancy,
}

impl Topic {
    /// Returns how many of what hold, such as `3 links`.
    fn count(self, number: usize) -> String {
        let (one, many) = match self {
            Self::Device => ("device", "devices"),
            Self::Configuration => ("configured device", "configured devices"),
            Self::Link => ("link end", "link ends"),
            Self::Port => ("host port", "host ports"),
            Self::Session => ("session", "sessions"),
            Self::Adjacency => ("adjacency", "adjacencies"),
            Self::Address => ("address", "addresses"),
            Self::Announcement => ("announcement", "announcements"),
            Self::Route => ("route", "routes"),
            Self::Path => ("path", "paths"),
            Self::Load => ("link load", "link loads"),
            Self::Probe => ("probe", "probes"),
            Self::Redundancy => ("redundancy check", "redundancy checks"),
        };
        format!("{number} {}", if number == 1 { one } else { many })
    }
}

/// The observations by intent.
pub(crate) struct Ledger {
    accounts: BTreeMap<IntentRef, Account>,
    /// The parts of each device that are to be read again, if anybody waits for them to be right.
    unsettled: BTreeMap<NodeName, Parts>,
}

struct Account {
    source: Source,
    /// What of a device it configures.
    configures: String,
    good: BTreeMap<Topic, usize>,
    bad: BTreeSet<(Reverse<Compliance>, Topic, Evidence)>,
    /// Said after the summary, whatever it is.
    notes: Vec<String>,
}

impl Ledger {
    /// Returns a ledger with an account for each intent.
    pub(crate) fn new(intents: &IntentSet) -> Self {
        let accounts = intents.sources().map(|source| {
            let account = Account {
                source: source.clone(),
                configures: configures(intents, &source.intent),
                good: BTreeMap::new(),
                bad: BTreeSet::new(),
                notes: Vec::new(),
            };
            (source.intent, account)
        });
        Self { accounts: accounts.collect(), unsettled: BTreeMap::new() }
    }

    /// Counts `number` observations that are as `intent` asks for.
    pub(crate) fn holds(&mut self, intent: &IntentRef, topic: Topic, number: usize) {
        if number > 0
            && let Some(account) = self.accounts.get_mut(intent)
        {
            *account.good.entry(topic).or_default() += number;
        }
    }

    /// Keeps an observation that is not as `intent` asks for; the same one twice counts once.
    pub(crate) fn fails(&mut self, intent: &IntentRef, topic: Topic, evidence: Evidence) {
        let parts: &[Part] = match topic {
            Topic::Configuration => &[Part::Running],
            Topic::Link | Topic::Port | Topic::Address => &[Part::Interfaces],
            Topic::Session => &[Part::Neighbors],
            Topic::Adjacency => &[Part::OspfNeighbors],
            Topic::Announcement => &[Part::Advertised, Part::Rib],
            Topic::Route => &[Part::Rib, Part::Fib],
            // Nothing of the device itself: other evidence says what to read, or a probe is made again.
            Topic::Device | Topic::Path | Topic::Load | Topic::Probe | Topic::Redundancy => &[],
        };
        for part in parts {
            self.unsettled(evidence.device.as_ref(), *part);
        }
        if let Some(account) = self.accounts.get_mut(intent) {
            account.bad.insert((Reverse(evidence.compliance), topic, evidence));
        }
    }

    /// Keeps that a part of a device is not as it should be.
    pub(crate) fn unsettled(&mut self, device: Option<&NodeName>, part: Part) {
        if let Some(device) = device {
            match self.unsettled.get_mut(device) {
                Some(parts) => {
                    parts.insert(part);
                }
                None => {
                    self.unsettled.insert(device.clone(), [part].into());
                }
            }
        }
    }

    /// Keeps that a part of a device that `intent` depends on was not read.
    pub(crate) fn unread(&mut self, intent: &IntentRef, device: &NodeName, observed: Option<&Observed>, part: Part) {
        self.unsettled(Some(device), part);
        let (subject, reason) = match observed {
            None => ("device".to_owned(), "it was not asked".to_owned()),
            Some(Observed { unreachable: Some(reason), .. }) => ("device".to_owned(), reason.clone()),
            Some(observed) => (part.to_string(), observed.reason(part)),
        };
        self.fails(
            intent,
            Topic::Device,
            Evidence {
                compliance: Compliance::Unknown,
                device: Some(device.clone()),
                subject,
                expected: "observed".to_owned(),
                observed: reason,
            },
        );
    }

    /// Adds words to the summary of an intent.
    pub(crate) fn note(&mut self, intent: &IntentRef, words: String) {
        if let Some(account) = self.accounts.get_mut(intent) {
            account.notes.push(words);
        }
    }

    /// Returns one result for each intent, by kind in the order of the reference, then by name, and the parts of devices
    /// that are not as they should be.
    pub(crate) fn results(self) -> (Vec<IntentResult>, BTreeMap<NodeName, Parts>) {
        let results = self.accounts.into_iter().map(|(intent, account)| account.result(intent)).collect();
        (results, self.unsettled)
    }
}

impl Account {
    fn result(self, intent: IntentRef) -> IntentResult {
        let compliance = self.bad.first().map_or(Compliance::Compliant, |(Reverse(compliance), _, _)| *compliance);
        let failing = self.bad.len();
        let observations = self.good.values().sum::<usize>() + failing;
        let evidence: Vec<Evidence> =
            self.bad.into_iter().take(MOST_EVIDENCE).map(|(_, _, evidence)| evidence).collect();
        let mut summary = match evidence.first() {
            None => all_good(&self.good, &self.configures),
            Some(worst) if failing > 1 => {
                let more = evidence.iter().skip(1).filter(|other| other.compliance == worst.compliance).count();
                match more {
                    0 => sentence(worst),
                    more if failing > MOST_EVIDENCE && more + 1 == MOST_EVIDENCE => {
                        format!("{}; and more than {more} more", sentence(worst))
                    }
                    more => format!("{}; and {more} more", sentence(worst)),
                }
            }
            Some(worst) => sentence(worst),
        };
        for note in self.notes {
            summary.push_str("; ");
            summary.push_str(&note);
        }
        IntentResult { intent, source: self.source, compliance, observations, summary, evidence }
    }
}

/// Says in a line what was seen, such as `b1-leaf-01: session swp15 to b1-spine-01: idle instead of established`.
fn sentence(evidence: &Evidence) -> String {
    let Evidence { compliance, device, subject, expected, observed } = evidence;
    let place = device.as_ref().map(|device| format!("{device}: ")).unwrap_or_default();
    match compliance {
        Compliance::Unknown if subject == "device" => format!("{place}could not be observed: {observed}"),
        Compliance::Unknown => format!("{place}{subject}: {observed}"),
        Compliance::Compliant | Compliance::Degraded | Compliance::Violated => {
            let (observed, cause) = observed.split_once(CAUSE).unwrap_or((observed, ""));
            let because = if cause.is_empty() { String::new() } else { format!(" ({cause})") };
            format!("{place}{subject}: {observed} instead of {expected}{because}")
        }
    }
}

/// Says in a line what holds, such as `configuration of 10 devices, 32 sessions and 356 routes as intended`.
fn all_good(good: &BTreeMap<Topic, usize>, configures: &str) -> String {
    let configured = good.contains_key(&Topic::Configuration);
    let counts: Vec<String> = good
        .iter()
        // A device whose configuration was read was there.
        .filter(|(topic, _)| !(configured && **topic == Topic::Device))
        .map(|(topic, &number)| match topic {
            Topic::Configuration => format!("{configures} of {}", Topic::Device.count(number)),
            topic => topic.count(number),
        })
        .collect();
    match counts.as_slice() {
        [] => "nothing in the network depends on it".to_owned(),
        [only] => format!("{only} as intended"),
        [rest @ .., last] => format!("{} and {last} as intended", rest.join(", ")),
    }
}

/// Returns what of a device the intent configures.
fn configures(intents: &IntentSet, intent: &IntentRef) -> String {
    let baseline = intents.baselines.values().find(|baseline| baseline.reference == *intent);
    let Some(baseline) = baseline else { return "configuration".to_owned() };
    let parts = [
        ("time servers", !baseline.spec.ntp.servers.is_empty()),
        ("name servers", !baseline.spec.dns.servers.is_empty()),
        ("log servers", !baseline.spec.syslog.servers.is_empty()),
        ("banner", baseline.spec.banner.is_some()),
        ("SSH server", baseline.spec.ssh != SshServer::default()),
        ("SNMP", baseline.spec.snmp.is_some()),
        ("users", !baseline.spec.users.is_empty()),
    ];
    let parts: Vec<&str> = parts.iter().filter(|(_, has)| *has).map(|(part, _)| *part).collect();
    match parts.as_slice() {
        [] => "configuration".to_owned(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
