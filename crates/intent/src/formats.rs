//! The formats of texts in the schemas, each checked by the type that will hold the value.

use std::net::IpAddr;

use ipnet::IpNet;
use jsonschema::ValidationOptions;
use weft_diagnostics::Code;
use weft_model::{
    AreaId, AsnRange, Bandwidth, Community, Endpoint, IntentRef, PortRange, SecretRef, VlanRange, VniRange,
};

use crate::{
    codes,
    spec::{AccessEnd, FlowEnd},
};

/// What is wrong with a text.
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

type Check = fn(&str) -> Result<(), Mistake>;

/// Every format by name.
const FORMATS: [(&str, Check); 17] = [
    ("ip", ip),
    ("prefix", prefix),
    ("interface-address", interface_address),
    ("endpoint", endpoint),
    ("asn-range", asn_range),
    ("secret", secret),
    ("flow-end", flow_end),
    ("ssh-public-key", ssh_public_key),
    ("vlan-range", |text| parsed(VlanRange::try_from(text.to_owned()), codes::INVALID_RANGE, "such as `100-199`")),
    ("vni-range", |text| parsed(VniRange::try_from(text.to_owned()), codes::INVALID_RANGE, "such as `10000-19999`")),
    ("port-range", |text| parsed(text.parse::<PortRange>(), codes::INVALID_RANGE, "such as `443` or `8000-8100`")),
    ("bandwidth", |text| parsed(text.parse::<Bandwidth>(), codes::INVALID_BANDWIDTH, "such as `10G`")),
    ("community", |text| parsed(text.parse::<Community>(), codes::INVALID_COMMUNITY, "such as `64496:100`")),
    ("area-id", |text| parsed(text.parse::<AreaId>(), codes::INVALID_AREA, "the backbone is `0.0.0.0`")),
    ("timestamp", timestamp),
    ("intent-ref", |text| parsed(text.parse::<IntentRef>(), codes::INVALID_REFERENCE, "such as `segment/web`")),
    ("access-end", |text| {
        parsed(AccessEnd::try_from(text.to_owned()), codes::INVALID_FLOW_END, "such as `segment/web` or `192.0.2.0/24`")
    }),
];

/// Returns the options that every schema is compiled with.
pub(crate) fn options() -> ValidationOptions<'static> {
    let mut options =
        jsonschema::draft202012::options().should_validate_formats(true).should_ignore_unknown_formats(true).offline();
    for (name, check) in FORMATS {
        options = options.with_format(name, move |text: &str| check(text).is_ok());
    }
    options
}

/// Checks a text against the format of this name.
pub(crate) fn check(format: &str, text: &str) -> Result<(), Mistake> {
    FORMATS.iter().find(|(name, _)| *name == format).map_or(Ok(()), |(_, check)| check(text))
}

fn fail(code: Code, message: impl Into<String>, help: impl Into<String>) -> Result<(), Mistake> {
    Err(Mistake { code, message: message.into(), help: Some(help.into()) })
}

/// Returns a text as a message shows it: cut, without control characters.
fn quoted(text: &str) -> String {
    format!("`{}`", text.chars().take(60).collect::<String>().escape_debug())
}

fn ip(text: &str) -> Result<(), Mistake> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) if text.contains('/') => {
            fail(codes::INVALID_ADDRESS, format!("{} is not an IP address", quoted(text)), "leave the length out")
        }
        Err(_) => fail(
            codes::INVALID_ADDRESS,
            format!("{} is not an IP address", quoted(text)),
            "write one such as `192.0.2.1`",
        ),
    }
}

fn prefix(text: &str) -> Result<(), Mistake> {
    match text.parse::<IpNet>() {
        Ok(net) if net.trunc() == net => Ok(()),
        Ok(net) => fail(
            codes::HOST_BITS,
            format!("{} has host bits set: an address of the prefix, not the prefix", quoted(text)),
            format!("the prefix is `{}`", net.trunc()),
        ),
        Err(_) => match text.parse::<IpAddr>() {
            Ok(address) => fail(
                codes::INVALID_PREFIX,
                format!("{} has no prefix length", quoted(text)),
                format!("write `{}` for this one address", IpNet::from(address)),
            ),
            Err(_) => fail(
                codes::INVALID_PREFIX,
                format!("{} is not an IP prefix", quoted(text)),
                "write one such as `10.0.0.0/16`",
            ),
        },
    }
}

fn interface_address(text: &str) -> Result<(), Mistake> {
    match text.parse::<IpNet>() {
        Ok(_) => Ok(()),
        Err(_) => fail(
            codes::INVALID_ADDRESS,
            format!("{} is not the address of an interface", quoted(text)),
            "write the address and the length of its subnet, such as `192.0.2.0/31`",
        ),
    }
}

fn endpoint(text: &str) -> Result<(), Mistake> {
    match text.parse::<Endpoint>() {
        Ok(_) => Ok(()),
        Err(_) => fail(
            codes::INVALID_ENDPOINT,
            format!("{} is not a port of a node", quoted(text)),
            "write `NODE:INTERFACE`, such as `\"leaf-01:swp1\"`",
        ),
    }
}

fn asn_range(text: &str) -> Result<(), Mistake> {
    match AsnRange::try_from(text.to_owned()) {
        Ok(_) => Ok(()),
        Err(message) => fail(codes::INVALID_ASN, message, "write both ends, such as `64601-64699`"),
    }
}

fn secret(text: &str) -> Result<(), Mistake> {
    match text.parse::<SecretRef>() {
        Ok(_) => Ok(()),
        // The text is not repeated: it may be the secret.
        Err(error) => fail(
            codes::INVALID_SECRET,
            error.to_string(),
            "if this is the secret itself, it is in the history now: replace it, and name the variable that holds it",
        ),
    }
}

fn flow_end(text: &str) -> Result<(), Mistake> {
    match FlowEnd::try_from(text.to_owned()) {
        Ok(_) => Ok(()),
        Err(message) => fail(codes::INVALID_FLOW_END, message, "such as `segment/web` or `192.0.2.1`"),
    }
}

fn timestamp(text: &str) -> Result<(), Mistake> {
    match text.parse::<jiff::Timestamp>() {
        Ok(_) => Ok(()),
        Err(_) => fail(
            codes::INVALID_TIME,
            format!("{} is not a point in time", quoted(text)),
            "write date, time and zone, such as `2026-12-01T02:00:00Z`",
        ),
    }
}

/// Returns the mistake of a text that is no `T`, in the words of the type itself.
fn parsed<T, E: std::fmt::Display>(result: Result<T, E>, code: Code, help: &str) -> Result<(), Mistake> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => fail(code, error.to_string(), help),
    }
}

/// The kinds of key that OpenSSH accepts today, with the least number of base64 characters of such a key.
const KEY_TYPES: [(&str, usize); 7] = [
    ("ssh-ed25519", 68),
    ("ssh-rsa", 200),
    ("ecdsa-sha2-nistp256", 100),
    ("ecdsa-sha2-nistp384", 120),
    ("ecdsa-sha2-nistp521", 150),
    ("sk-ssh-ed25519@openssh.com", 80),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 120),
];

/// A key type, the key in base64, and a comment; RFC 4253 6.6 inside. The key must begin with its own type.
fn ssh_public_key(text: &str) -> Result<(), Mistake> {
    if text.contains("PRIVATE KEY") {
        return fail(
            codes::INVALID_SSH_KEY,
            "this is a private key",
            "it is in the history now: replace it, and write the public key (`*.pub`) instead",
        );
    }
    let mut words = text.split(' ');
    let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let Some((_, least)) = KEY_TYPES.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<&str> = KEY_TYPES.iter().map(|(name, _)| *name).collect();
        let message = format!("{} is not an SSH public key: it begins with no type of key", quoted(text));
        return fail(
            codes::INVALID_SSH_KEY,
            message,
            format!("a key begins with one of {}", crate::suggest::list(&names)),
        );
    };
    let body = key.trim_end_matches('=');
    let base64 = body.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/'));
    let whole = base64 && key.len() >= *least && key.len().is_multiple_of(4) && key.len() - body.len() <= 2;
    if !whole || !begins_with_type(body, kind) {
        let message = format!("the {kind} key is damaged: {} is not its base64 text", quoted(key));
        return fail(codes::INVALID_SSH_KEY, message, "copy the whole line of the `*.pub` file");
    }
    if text.chars().any(char::is_control) {
        return fail(
            codes::INVALID_SSH_KEY,
            "the key's line holds a control character",
            "copy the whole line of the `*.pub` file",
        );
    }
    Ok(())
}

/// Tells whether base64 text begins with a length and a type of key (RFC 4251 5, `string`).
fn begins_with_type(base64: &str, kind: &str) -> bool {
    let sextet = |c: u8| match c {
        b'A'..=b'Z' => u32::from(c - b'A'),
        b'a'..=b'z' => u32::from(c - b'a') + 26,
        b'0'..=b'9' => u32::from(c - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let octets: Vec<u8> = base64
        .as_bytes()
        .chunks_exact(4)
        .take(kind.len().div_ceil(3) + 2)
        .flat_map(|four| {
            let bits = four.iter().fold(0_u32, |bits, &c| bits << 6 | sextet(c));
            bits.to_be_bytes().into_iter().skip(1)
        })
        .collect();
    let length = u32::try_from(kind.len()).unwrap_or(u32::MAX).to_be_bytes();
    octets.starts_with(&length) && octets[4..].starts_with(kind.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_with_host_bits_is_told_without_them() {
        let mistake = check("prefix", "10.0.0.1/24").unwrap_err();
        assert_eq!(mistake.code, codes::HOST_BITS);
        assert_eq!(mistake.help.as_deref(), Some("the prefix is `10.0.0.0/24`"));
        assert!(check("prefix", "10.0.0.0/24").is_ok());
        assert!(check("prefix", "2001:db8::/32").is_ok());
    }

    #[test]
    fn a_key_must_be_whole() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICBn13E8HXSfjIu9IvfkDcQDMMWh+VlOgBkABEf+ecex";
        assert!(check("ssh-public-key", key).is_ok());
        assert!(check("ssh-public-key", &format!("{key} netops@example.net")).is_ok());
        for bad in [
            &key[..60],
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAICBn13E8HXSfjIu9IvfkDcQDMMWh+VlOgBkABEf+ecex",
            "ssh-dss AAAA",
            "",
            &format!("{key}\nssh-rsa"),
        ] {
            assert!(check("ssh-public-key", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let mistake = check("secret", "hunter2").unwrap_err();
        assert!(!mistake.message.contains("hunter2") && !mistake.help.unwrap_or_default().contains("hunter2"));
    }
}
