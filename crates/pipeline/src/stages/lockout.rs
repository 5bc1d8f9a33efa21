//! Lockout: whether a plan would keep Weft from logging in to a device ever again.
//!
//! The changed lines are read without knowing the words of the OS, as far as that can be: a key and an address stand in every
//! configuration as they are.

use std::{collections::BTreeMap, net::IpAddr};

use weft_device::config::{DeviceConfig, User};
use weft_diagnostics::{Diagnostic, SourceSpan};
use weft_model::{NodeName, Source};
use weft_plan::{DeviceChange, FileChange, Plan};
use weft_ssh::Target;

use super::Compiled;
use crate::{codes, reach::Reach};

/// The words before the name of an account.
const ACCOUNT: [&str; 3] = ["user", "username", "login"];

/// Returns an error for each device that would no longer let Weft in, or no longer be reached, once a plan is carried out.
pub fn lockout_findings(plan: &Plan, compiled: &Compiled, reach: &Reach) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (name, device) in &plan.devices {
        let DeviceChange::Replace { files, .. } = &device.change else { continue };
        let (Some(target), Some(config)) = (reach.inventory.devices.get(name), compiled.configs.get(name)) else {
            continue;
        };
        let lines = Lines::of(files);
        findings.extend(account(name, (&target.user, weft_ssh::login_key(target)), config, &lines));
        findings.extend(address(name, target, config, &lines));
        findings.extend(elsewhere(name, target, config));
    }
    findings
}

/// The lines of a device that come and go.
struct Lines<'d> {
    come: Vec<&'d str>,
    go: Vec<&'d str>,
}

impl<'d> Lines<'d> {
    fn of(files: &'d BTreeMap<String, FileChange>) -> Self {
        let lines = |sign: char| {
            files
                .values()
                .flat_map(move |file| file.diff.lines().skip(2).filter_map(move |line| line.strip_prefix(sign)))
        };
        Self { come: lines('+').collect(), go: lines('-').collect() }
    }
}

/// Finds whether the account that logs in would lose its key, or go.
fn account(
    name: &NodeName,
    (account, own): (&str, Option<String>),
    config: &DeviceConfig,
    lines: &Lines<'_>,
) -> Option<Diagnostic> {
    let has = |lines: &[&str], text: &str| lines.iter().any(|line| line.contains(text));
    let named = |line: &&&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.windows(2).any(|pair| ACCOUNT.contains(&pair[0]) && pair[1] == account)
    };
    let goes = own.as_ref().is_some_and(|own| has(&lines.go, own) && !has(&lines.come, own));
    let user = config.system.users.iter().find(|(user, _)| user.as_str() == account).map(|(_, user)| user);
    let told = |message: String, user: Option<&User>| {
        let finding = Diagnostic::error(codes::LOCKED_OUT, message)
            .help("keep the key that Weft logs in with, or log in as another account first: `user` and `identity` of the inventory");
        placed(finding, user.map(|user| user.provenance.of("ssh_keys").iter()).into_iter().flatten())
    };
    match (user, own) {
        (Some(user), Some(own)) => {
            let kept = user.ssh_keys.iter().any(|key| key.key == own);
            let rewritten = goes
                || lines.come.iter().any(|line| named(&line))
                || user.ssh_keys.iter().any(|key| has(&lines.come, &key.key));
            let message = format!("{name} would not let Weft in any more: the key that logs in as {account} goes");
            (!kept && rewritten).then(|| told(message, Some(user)))
        }
        (None, _) if lines.go.iter().any(|line| named(&line)) => {
            Some(told(format!("{name} would not let Weft in any more: the account {account} goes"), None))
        }
        (Some(_), None) | (None, _) => None,
    }
}

/// Finds whether a device would lose the address at which it is reached.
fn address(name: &NodeName, target: &Target, config: &DeviceConfig, lines: &Lines<'_>) -> Option<Diagnostic> {
    let address = target.address.ip();
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '.' || c == ':';
    let says = |lines: &[&str]| {
        let words = |line: &&str| line.split(|c| !is_part(c)).any(|word| word.parse::<IpAddr>() == Ok(address));
        lines.iter().any(words)
    };
    let mut addresses = config.interfaces.values().flat_map(|interface| &interface.addresses);
    let kept = addresses.any(|known| known.prefix.addr() == address);
    if kept || !says(&lines.go) || says(&lines.come) {
        return None;
    }
    let message = format!("{name} is reached at {address}, and would lose that address");
    Some(
        Diagnostic::error(codes::MANAGEMENT_CUT, message)
            .help("reach it at its new address first: `address` of the inventory"),
    )
}

/// Finds whether something else of a device takes the address at which it is reached: what answers Weft would go there.
fn elsewhere(name: &NodeName, target: &Target, config: &DeviceConfig) -> Option<Diagnostic> {
    let address = target.address.ip();
    let all = || config.interfaces.iter().flat_map(|(port, i)| i.addresses.iter().map(move |known| (port, known)));
    // It is reached through the network itself.
    if all().any(|(_, known)| known.prefix.addr() == address) {
        return None;
    }
    let (port, known) = all().find(|(_, known)| known.prefix.contains(&address))?;
    let message = format!("{name} is reached at {address}, which the subnet {} of {port} takes", known.prefix.trunc());
    let help = "use other addresses there than those of management";
    Some(placed(Diagnostic::error(codes::MANAGEMENT_CUT, message).help(help), known.provenance.sources.iter()))
}

/// Puts a finding at the line of an intent, where one causes it.
fn placed<'s>(finding: Diagnostic, mut sources: impl Iterator<Item = &'s Source>) -> Diagnostic {
    match sources.next() {
        Some(source) => finding.at(SourceSpan::point(source.file.clone(), source.line, 1)),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "AAAAC3NzaC1lZDI1NTE5AAAAICBn13E8HXSfjIu9IvfkDcQDMMWh+VlOgBkABEf+ecex";

    fn config() -> DeviceConfig {
        let text = include_str!("../../../../device-templates/loom/cases/render/border/device.yaml");
        serde_yaml::from_str(text).unwrap()
    }

    fn target(address: &str) -> Target {
        let text = format!("{{ address: \"{address}:22\", user: netops }}");
        serde_yaml::from_str(&text).unwrap()
    }

    fn name() -> NodeName {
        "b1-border-01".parse().unwrap()
    }

    #[test]
    fn an_account_that_loses_its_key_or_goes_is_told() {
        let key = |key: &str| format!("  ssh-key ssh-ed25519 {key} netops");
        let other = "AAAAC3NzaC1lZDI1NTE5AAAAIOtherKey";
        for (user, own, come, go, expected) in [
            // The account keeps the key, or Weft logs in as somebody who is not configured at all.
            ("netops", Some(OWN), vec!["user netops".to_owned(), key(OWN)], vec![], None),
            ("root", Some(other), vec!["user netops".to_owned(), key(OWN)], vec![], None),
            // It is not touched.
            ("netops", Some(other), vec!["mtu 1500".to_owned()], vec![], None),
            (
                "netops",
                Some(other),
                vec!["user netops".to_owned(), key(OWN)],
                vec![],
                Some("the key that logs in as netops goes"),
            ),
            ("netops", Some(other), vec![key(OWN)], vec![key(other)], Some("the key that logs in as netops goes")),
            ("netops", Some(other), vec![], vec![key(other)], Some("the key that logs in as netops goes")),
            ("weft", None, vec![], vec!["user weft".to_owned(), key(other)], Some("the account weft goes")),
        ] {
            let lines =
                Lines { come: come.iter().map(String::as_str).collect(), go: go.iter().map(String::as_str).collect() };
            let found = account(&name(), (user, own.map(str::to_owned)), &config(), &lines);
            let message = expected.map(|why| format!("b1-border-01 would not let Weft in any more: {why}"));
            assert_eq!(found.map(|finding| finding.message), message);
        }
    }

    #[test]
    fn an_address_that_goes_or_is_taken_is_told() {
        for (reached, come, go, expected) in [
            ("10.0.1.5", vec![], vec!["ip address 10.0.1.5/32"], None),
            ("10.0.9.9", vec![], vec!["ip address 10.0.9.90/32"], None),
            ("10.0.9.9", vec!["ip address 10.0.9.9/24"], vec!["ip address 10.0.9.9/32"], None),
            (
                "10.0.9.9",
                vec![],
                vec!["ip address 10.0.9.9/32"],
                Some("is reached at 10.0.9.9, and would lose that address"),
            ),
            ("192.0.2.1", vec![], vec![], Some("is reached at 192.0.2.1, which the subnet 192.0.2.0/31 of swp1 takes")),
            ("198.51.100.7", vec![], vec![], None),
        ] {
            let (target, config) = (target(reached), config());
            let found = address(&name(), &target, &config, &Lines { come, go });
            let found = found.or_else(|| elsewhere(&name(), &target, &config));
            assert_eq!(found.map(|finding| finding.message), expected.map(|why| format!("b1-border-01 {why}")));
        }
    }
}
