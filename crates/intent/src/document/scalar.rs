//! What a plain YAML scalar stands for.

use serde_json::{Number, Value};

/// Returns the value of a scalar without quotes: null, true or false, a number, or else text.
///
/// The core schema of YAML 1.2 (10.3.2), except that numbers with leading zeros, octal and hexadecimal numbers and the
/// non-numbers are text: what looks like an identifier is not silently changed into another one.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || (digits > 1 && unsigned.starts_with('0')) {
        return None;
    }
    let rest = &unsigned[digits..];
    let text = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
        return whole.ok().or_else(|| text.parse().ok().and_then(Number::from_f64));
    }
    let fraction = rest.strip_prefix('.').map_or(0, |tail| 1 + tail.bytes().take_while(u8::is_ascii_digit).count());
    let exponent = &rest[fraction..];
    let exponent_digits = match exponent.strip_prefix(['e', 'E']) {
        Some(tail) => tail.strip_prefix(['-', '+']).unwrap_or(tail),
        None if exponent.is_empty() => "0",
        None => return None,
    };
    if exponent_digits.is_empty() || !exponent_digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plain_scalar_is_what_it_looks_like() {
        for (text, value) in [
            ("", json!(null)),
            ("true", json!(true)),
            ("no", json!("no")),
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("0", json!(0)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("0755", json!("0755")),
            ("1e", json!("1e")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("0x1f", json!("0x1f")),
            (".inf", json!(".inf")),
            ("1_000", json!("1_000")),
            ("12-13", json!("12-13")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}
