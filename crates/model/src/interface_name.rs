//! Names of interfaces, as the device spells them.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of an interface on a device: a letter, then up to 31 of letters, digits and `. _ : / -`.
///
/// Names sort as people read them: `swp2` comes before `swp10`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName(Arc<str>);

/// Why a text is not the name of an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an interface name: a letter, then at most 31 letters, digits or . _ : / -", .0.escape_debug())]
pub struct InvalidInterfaceName(String);

impl InterfaceName {
    /// The pattern of an interface name, for JSON Schema.
    pub const PATTERN: &'static str = "^[A-Za-z][A-Za-z0-9._:/-]{0,31}$";

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the loopback interface, `lo`.
    pub fn loopback() -> Self {
        Self("lo".into())
    }
}

impl FromStr for InterfaceName {
    type Err = InvalidInterfaceName;

    fn from_str(text: &str) -> Result<Self, InvalidInterfaceName> {
        let valid = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '-'));
        if valid { Ok(Self(text.into())) } else { Err(InvalidInterfaceName(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = InvalidInterfaceName;

    fn try_from(text: String) -> Result<Self, InvalidInterfaceName> {
        text.parse()
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialOrd for InterfaceName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for InterfaceName {
    fn cmp(&self, other: &Self) -> Ordering {
        natural_order(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

/// Compares runs of digits as numbers and the rest by character.
fn natural_order(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let (left_digits, right_digits) = (digits(left), digits(right));
        if left_digits > 0 && right_digits > 0 {
            let (a, b) = (left[..left_digits].trim_start_matches('0'), right[..right_digits].trim_start_matches('0'));
            let order = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (&left[left_digits..], &right[right_digits..]);
            continue;
        }
        let (mut a, mut b) = (left.chars(), right.chars());
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x != y => return x.cmp(&y),
            _ => (left, right) = (a.as_str(), b.as_str()),
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn interfaces_sort_as_people_read_them() {
        let mut names: Vec<InterfaceName> =
            ["swp10", "swp2", "lo", "swp1", "Ethernet1/10", "Ethernet1/9"].iter().map(|n| n.parse().unwrap()).collect();
        names.sort();
        let names: Vec<&str> = names.iter().map(InterfaceName::as_str).collect();
        assert_eq!(names, ["Ethernet1/9", "Ethernet1/10", "lo", "swp1", "swp2", "swp10"]);
    }

    #[test]
    fn text_that_could_end_a_config_line_is_refused() {
        for bad in ["", "1eth", "swp1\n shutdown", "swp 1", &"a".repeat(33)] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_total(names in proptest::collection::vec("[a-c][0-2a]{0,4}", 3)) {
            let mut names: Vec<InterfaceName> = names.iter().map(|n| n.parse().unwrap()).collect();
            names.sort();
            prop_assert!(names[0] <= names[1] && names[1] <= names[2] && names[0] <= names[2]);
            prop_assert_eq!(names[0] == names[1], names[0].cmp(&names[1]) == Ordering::Equal);
        }
    }
}
