//! What templates can do beyond minijinja's own filters and functions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ipnet::IpNet;
use minijinja::{
    Environment, Error, ErrorKind,
    value::{Serde, Value},
};
use regex::Regex;
use serde::Deserialize;
use weft_device::config::SshKey;
use weft_model::SecretRef;

/// Adds them to an engine.
///
/// Filters on an address with the length of its subnet, such as `10.1.0.1/31`: `address`, `prefix_length`, `network` (with the
/// host bits cleared), `netmask`, `family` (4 or 6), and the tests `host_prefix` (`/32`, `/128`)
/// and `of_family(4)`. Others: `ssh_key`, the line of an `authorized_keys` file;
/// `secret`, the placeholder of a reference; `quoted`, fit to stand between double quotes; `words`, with single spaces; `from_json`.
/// Functions: `matches(text, pattern)`, the named groups of each match of a multi-line pattern, a group that took no part
/// being `none`; `fail(message)`.
pub(crate) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("address", |text: &str| prefix(text).map(|p| p.addr().to_string()));
    environment.add_filter("prefix_length", |text: &str| prefix(text).map(|p| p.prefix_len()));
    environment.add_filter("network", |text: &str| prefix(text).map(|p| p.trunc().to_string()));
    environment.add_filter("netmask", |text: &str| prefix(text).map(|p| p.netmask().to_string()));
    environment.add_filter("family", |text: &str| prefix(text).map(|p| if p.addr().is_ipv4() { 4 } else { 6 }));
    environment.add_test("host_prefix", |text: &str| prefix(text).map(|p| p.prefix_len() == p.max_prefix_len()));
    environment.add_test("of_family", |text: &str, family: u8| {
        prefix(text).map(|p| if p.addr().is_ipv4() { family == 4 } else { family == 6 })
    });
    environment.add_filter("ssh_key", ssh_key);
    environment.add_filter("secret", secret);
    environment.add_filter("quoted", |text: &str| text.replace('"', "'").replace('\\', "/"));
    environment.add_filter("words", |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" "));
    environment.add_filter("from_json", from_json);
    let patterns = Arc::new(Mutex::new(BTreeMap::new()));
    environment.add_function("matches", move |text: &str, pattern: &str| matches(&patterns, text, pattern));
    environment.add_function("fail", |message: &str| -> Result<Value, Error> { Err(wrong(message.to_owned())) });
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Reads `10.1.0.1/31`, or an address alone as that of a host.
fn prefix(text: &str) -> Result<IpNet, Error> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| wrong(format!("`{}` is not an address or prefix", text.escape_debug())))
}

fn ssh_key(key: &Value) -> Result<String, Error> {
    let SshKey { algorithm, key, comment } =
        SshKey::deserialize(key).map_err(|_| wrong("`ssh_key` takes a key of a user".to_owned()))?;
    Ok([algorithm, key, comment].join(" ").trim_end().to_owned())
}

fn secret(reference: &str) -> Result<String, Error> {
    // The text is not repeated: it may be a secret that was written in the reference's place.
    let reference: SecretRef =
        reference.parse().map_err(|_| wrong("`secret` takes a reference to a secret".to_owned()))?;
    Ok(reference.placeholder())
}

fn from_json(text: &str) -> Result<Value, Error> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let start: String = text.trim_start().chars().take(80).collect();
        wrong(format!("the output is not JSON ({error}); it begins `{}`", start.escape_debug()))
    })?;
    Ok(Value::from(Serde(value)))
}

fn matches(patterns: &Mutex<BTreeMap<String, Regex>>, text: &str, pattern: &str) -> Result<Value, Error> {
    let regex = {
        let mut patterns = patterns.lock().unwrap_or_else(PoisonError::into_inner);
        match patterns.get(pattern) {
            Some(regex) => regex.clone(),
            None => {
                let regex = Regex::new(&format!("(?m){pattern}")).map_err(|error| wrong(error.to_string()))?;
                patterns.insert(pattern.to_owned(), regex.clone());
                regex
            }
        }
    };
    let groups: Vec<BTreeMap<&str, Option<&str>>> = regex
        .captures_iter(text)
        .map(|found| {
            let names = regex.capture_names().flatten();
            names.map(|name| (name, found.name(name).map(|group| group.as_str()))).collect()
        })
        .collect();
    Ok(Value::from(Serde(groups)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        add(&mut environment);
        environment.render_str(template, ()).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_of_an_address() {
        let parts = "{% set a = '10.1.0.3/31' %}{{ a|address }} {{ a|prefix_length }} {{ a|network }} {{ a|netmask }} {{ a|family }}";
        assert_eq!(rendered(parts).unwrap(), "10.1.0.3 31 10.1.0.2/31 255.255.255.254 4");
        assert!(rendered("{{ 'banana'|address }}").unwrap_err().contains("banana"));
    }

    #[test]
    fn named_groups_of_every_match() {
        let template = r"{% for m in matches('a=1\nb=\n', '^(?P<k>\w)=(?P<v>\d)?$') %}{{ m.k }}{{ '-' if m.v is none else m.v }};{% endfor %}";
        assert_eq!(rendered(template).unwrap(), "a1;b-;");
    }

    #[test]
    fn a_secret_is_a_placeholder_and_nothing_else() {
        assert_eq!(rendered("{{ 'env/KEY'|secret }}").unwrap(), "${secret:env/KEY}");
        assert!(!rendered("{{ 'hunter2'|secret }}").unwrap_err().contains("hunter2"));
    }
}
