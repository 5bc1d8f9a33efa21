//! Baseline intents: whether the nodes can do it, and what is given twice.

use std::collections::{BTreeMap, HashMap};

use weft_diagnostics::Diagnostic;
use weft_model::{Node, NodeName};

use super::{Spot, Validation, selector};
use crate::{Intent, codes, spec::BaselineSpec, suggest::first_of};

pub(super) fn check(validation: &mut Validation<'_>) {
    let mut accounts = Given::default();
    let mut communities = Given::default();
    let mut settings: HashMap<(&'static str, &NodeName), (String, Spot<'_>)> = HashMap::new();
    for intent in validation.set.baselines.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        let nodes = selector::select(validation, &spec.select, document, "/spec/select");
        let ssh = &spec.ssh;
        let hardened = ssh.password_authentication.is_some()
            || ssh.idle_timeout_seconds.is_some()
            || ssh.maximum_startups.is_some();
        let needs = [
            (!spec.ntp.servers.is_empty(), "ntp"),
            (!spec.dns.servers.is_empty(), "dns"),
            (!spec.syslog.servers.is_empty(), "syslog"),
            (spec.banner.is_some(), "banner"),
            (hardened, "ssh"),
            (spec.snmp.is_some(), "snmp"),
            (!spec.users.is_empty(), "users"),
        ];
        for (wanted, feature) in needs {
            if wanted {
                validation.feature(nodes.iter().copied(), feature, document, &format!("/spec/{feature}"));
            }
        }
        for (index, user) in spec.users.iter().enumerate() {
            let spot = Spot::new(document, format!("/spec/users/{index}/name"));
            if let Some((first, node)) = accounts.add(user.name.to_string(), &nodes, &spot) {
                let message = format!("the account `{}` is given twice{node}", user.name);
                let help =
                    if node.is_empty() { "join the keys in one account" } else { "narrow one of the selections" };
                let finding = Diagnostic::error(codes::DUPLICATE_USER, message).at(spot.span());
                validation.report(finding.label(first.span(), "first given here").help(help));
            }
        }
        for (index, community) in spec.snmp.iter().flat_map(|snmp| &snmp.communities).enumerate() {
            let spot = Spot::new(document, format!("/spec/snmp/communities/{index}/snmp_community"));
            if let Some((first, node)) = communities.add(community.snmp_community.to_string(), &nodes, &spot) {
                let message = format!("the SNMP community `{}` is given twice{node}", community.snmp_community);
                let help = if node.is_empty() { "join the clients in one" } else { "narrow one of the selections" };
                let finding = Diagnostic::error(codes::DUPLICATE_COMMUNITY, message).at(spot.span());
                validation.report(finding.label(first.span(), "first given here").help(help));
            }
        }
        for (pointer, value) in plain_texts(spec) {
            plain(validation, value, &Spot::new(document, pointer));
        }
        for (pointer, value) in single_values(spec) {
            let spot = Spot::new(document, pointer);
            let mut other: Option<(usize, &NodeName, String, Spot<'_>)> = None;
            for node in &nodes {
                let (first, from) = settings.entry((pointer, &node.name)).or_insert((value.clone(), spot.clone()));
                if *first != value {
                    other.get_or_insert_with(|| (0, &node.name, first.clone(), from.clone())).0 += 1;
                }
            }
            if let Some((count, node, first, from)) = other {
                conflict(validation, intent, (&spot, &value), (&from, &first), &first_of(node.as_str(), count));
            }
        }
    }
}

/// What was given to each node, by its name.
#[derive(Default)]
struct Given<'a> {
    all: BTreeMap<String, HashMap<&'a NodeName, Spot<'a>>>,
    /// Where each intent gave it first: a repetition within one intent is a mistake whatever it selects.
    within: BTreeMap<(String, String), Spot<'a>>,
}

impl<'a> Given<'a> {
    /// Notes what is given to some nodes. Returns where it was given before, and to which of them; in the same intent to no
    /// node in particular.
    fn add(&mut self, name: String, nodes: &[&'a Node], spot: &Spot<'a>) -> Option<(Spot<'a>, String)> {
        let place = format!("{}:{}", spot.document.file, spot.document.start.line);
        if let Some(first) = self.within.get(&(place.clone(), name.clone())) {
            return Some((first.clone(), String::new()));
        }
        self.within.insert((place, name.clone()), spot.clone());
        let of_name = self.all.entry(name).or_default();
        let mut twice: Option<(usize, &NodeName, Spot<'a>)> = None;
        for node in nodes {
            if let Some(first) = of_name.get(&node.name) {
                twice.get_or_insert_with(|| (0, &node.name, first.clone())).0 += 1;
            } else {
                of_name.insert(&node.name, spot.clone());
            }
        }
        twice.map(|(count, node, first)| (first, format!(" to {}", first_of(node.as_str(), count))))
    }
}

/// Returns the settings that have one value on a node, as text.
fn single_values(spec: &BaselineSpec) -> impl Iterator<Item = (&'static str, String)> {
    let ssh = &spec.ssh;
    let snmp = spec.snmp.as_ref();
    [
        ("/spec/banner", spec.banner.clone()),
        ("/spec/ssh/password_authentication", ssh.password_authentication.map(|value| value.to_string())),
        ("/spec/ssh/idle_timeout_seconds", ssh.idle_timeout_seconds.map(|value| value.to_string())),
        ("/spec/ssh/maximum_startups", ssh.maximum_startups.map(|value| value.to_string())),
        ("/spec/snmp/location", snmp.and_then(|snmp| snmp.location.clone())),
        ("/spec/snmp/contact", snmp.and_then(|snmp| snmp.contact.clone())),
    ]
    .into_iter()
    .filter_map(|(pointer, value)| Some((pointer, value?)))
}

/// Returns the texts that become part of configurations.
fn plain_texts(spec: &BaselineSpec) -> impl Iterator<Item = (&'static str, &str)> {
    let snmp = spec.snmp.as_ref();
    [
        ("/spec/banner", spec.banner.as_deref()),
        ("/spec/snmp/location", snmp.and_then(|snmp| snmp.location.as_deref())),
        ("/spec/snmp/contact", snmp.and_then(|snmp| snmp.contact.as_deref())),
    ]
    .into_iter()
    .filter_map(|(pointer, value)| Some((pointer, value?)))
}

/// Reports a text with anything but printable ASCII.
fn plain(validation: &mut Validation<'_>, text: &str, spot: &Spot<'_>) {
    if let Some(bad) = text.chars().find(|c| !(' '..='~').contains(c)) {
        let message = format!("the text holds the character `{}` (U+{:04X})", bad.escape_debug(), u32::from(bad));
        let finding = Diagnostic::error(codes::NOT_PLAIN_TEXT, message).at(spot.span());
        validation.report(finding.help("write it with letters, digits and signs of ASCII"));
    }
}

fn conflict(
    validation: &mut Validation<'_>,
    intent: &Intent<BaselineSpec>,
    (spot, value): (&Spot<'_>, &str),
    (from, first): (&Spot<'_>, &str),
    nodes: &str,
) {
    let setting = spot.pointer.trim_start_matches("/spec/").replace('/', ".");
    let shown = |text: &str| text.chars().take(40).collect::<String>().escape_debug().to_string();
    let message = format!("`{setting}` of {nodes} would be both `{}` and `{}`", shown(first), shown(value));
    validation.report(
        Diagnostic::error(codes::BASELINE_CONFLICT, message)
            .at(spot.span())
            .label(from.span(), "the other value")
            .help(format!("give one value, or narrow the selection of `{}`", intent.reference)),
    );
}
