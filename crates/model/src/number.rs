//! Numbers with limits, and ranges of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Asn;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($inner:ty, $least:literal, $most:literal) = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name($inner);

        impl $name {
            /// The smallest number.
            pub const LEAST: Self = Self($least);
            /// The largest number.
            pub const MOST: Self = Self($most);

            /// Returns the number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = InvalidNumber;

            fn try_from(number: u32) -> Result<Self, InvalidNumber> {
                let fail = InvalidNumber { what: $what, number, least: $least, most: $most };
                match <$inner>::try_from(number) {
                    Ok(inner) if ($least..=$most).contains(&number) => Ok(Self(inner)),
                    _ => Err(fail),
                }
            }
        }

        impl From<$name> for u32 {
            fn from(number: $name) -> Self {
                Self::from(number.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbers! {
    /// A VLAN (IEEE 802.1Q): 1 to 4094.
    VlanId(u16, 1, 4094) = "VLAN";
    /// A VXLAN network identifier (RFC 7348): 1 to 16777215.
    Vni(u32, 1, 16_777_215) = "VNI";
    /// A port of TCP or UDP: 1 to 65535.
    Port(u16, 1, 65_535) = "port";
}

/// Why a number is not one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} {number} is not between {least} and {most}")]
pub struct InvalidNumber {
    what: &'static str,
    number: u32,
    least: u32,
    most: u32,
}

/// A range of numbers, both ends included, written `FIRST-LAST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(
    try_from = "String",
    into = "String",
    bound(serialize = "T: Copy + fmt::Display", deserialize = "T: TryFrom<u32, Error: fmt::Display> + Ord")
)]
pub struct NumberRange<T> {
    /// The first number.
    pub first: T,
    /// The last number, not less than the first.
    pub last: T,
}

/// A range of AS numbers.
pub type AsnRange = NumberRange<Asn>;
/// A range of VLANs.
pub type VlanRange = NumberRange<VlanId>;
/// A range of VNIs.
pub type VniRange = NumberRange<Vni>;

impl<T: Ord> NumberRange<T> {
    /// Tells whether a number is in the range.
    pub fn contains(&self, number: &T) -> bool {
        (&self.first..=&self.last).contains(&number)
    }

    /// Tells whether some number is in both ranges.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl<T: TryFrom<u32, Error: fmt::Display> + Ord> TryFrom<String> for NumberRange<T> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fail = || format!("`{}` is not a range: write `FIRST-LAST`", text.escape_debug());
        let (first, last) = text.split_once('-').ok_or_else(fail)?;
        let number = |part: &str| {
            let number: u32 = part.parse().map_err(|_| fail())?;
            T::try_from(number).map_err(|error| error.to_string())
        };
        let range = Self { first: number(first)?, last: number(last)? };
        if range.first > range.last {
            return Err(format!("the range `{text}` ends before it begins"));
        }
        Ok(range)
    }
}

impl<T: fmt::Display> From<NumberRange<T>> for String {
    fn from(range: NumberRange<T>) -> Self {
        range.to_string()
    }
}

impl<T: fmt::Display> fmt::Display for NumberRange<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Ports of TCP or UDP: one, or a range; written `443` or `8000-8100`, and one also as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PortRangeForm", into = "String")]
pub struct PortRange(NumberRange<Port>);

#[derive(Deserialize)]
#[serde(untagged)]
enum PortRangeForm {
    Number(u32),
    Text(String),
}

impl PortRange {
    /// All ports.
    pub const ALL: Self = Self(NumberRange { first: Port::LEAST, last: Port::MOST });

    /// Returns the first port.
    pub const fn first(self) -> u16 {
        self.0.first.get()
    }

    /// Returns the last port.
    pub const fn last(self) -> u16 {
        self.0.last.get()
    }

    /// Tells whether a port is in the range.
    pub fn contains(self, port: u16) -> bool {
        (self.first()..=self.last()).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('-') {
            return NumberRange::try_from(text.to_owned()).map(Self);
        }
        let shown = || text.chars().take(60).collect::<String>().escape_debug().to_string();
        let number = text.parse().map_err(|_| format!("`{}` is not a port or a range of ports", shown()))?;
        Self::try_from(PortRangeForm::Number(number))
    }
}

impl TryFrom<PortRangeForm> for PortRange {
    type Error = String;

    fn try_from(form: PortRangeForm) -> Result<Self, String> {
        match form {
            PortRangeForm::Number(number) => {
                let port = Port::try_from(number).map_err(|error| error.to_string())?;
                Ok(Self(NumberRange { first: port, last: port }))
            }
            PortRangeForm::Text(text) => text.parse(),
        }
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.first == self.0.last { self.0.first.fmt(f) } else { self.0.fmt(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_a_least_and_a_most() {
        assert!(VlanId::try_from(0).is_err() && VlanId::try_from(4095).is_err());
        assert_eq!(VlanId::try_from(4094).unwrap().get(), 4094);
        assert!(Vni::try_from(16_777_216).is_err());
        assert!(Port::try_from(65_536).is_err());
    }

    #[test]
    fn a_range_reads_back_as_it_was_written() {
        assert_eq!(VlanRange::try_from("100-199".to_owned()).unwrap().to_string(), "100-199");
        assert!(VlanRange::try_from("199-100".to_owned()).is_err());
        assert!(VlanRange::try_from("1-4095".to_owned()).is_err());
        assert!(VniRange::try_from("10".to_owned()).is_err());
    }

    #[test]
    fn ports_are_one_or_a_range() {
        for text in ["443", "8000-8100"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        assert!(["0", "65536", "9-8", "http", ""].iter().all(|text| text.parse::<PortRange>().is_err()));
        assert!(PortRange::ALL.contains(1) && PortRange::ALL.contains(65_535));
    }
}
