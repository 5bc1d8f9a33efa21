//! How much a link carries.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A bandwidth in bits per second, at least 1; written as a whole number with a unit: `100M`, `10G`, `400G`, `1T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bandwidth(u64);

/// The units with their bits per second, the largest first.
const UNITS: [(&str, u64); 4] = [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];

/// Why a text is not a bandwidth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a bandwidth: write a whole number and one of k, M, G, T, such as `10G`", .0.escape_debug())]
pub struct InvalidBandwidth(String);

impl Bandwidth {
    /// Returns the bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }
}

impl FromStr for Bandwidth {
    type Err = InvalidBandwidth;

    fn from_str(text: &str) -> Result<Self, InvalidBandwidth> {
        let fail = || InvalidBandwidth(text.chars().take(60).collect());
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, *unit)))
            .ok_or_else(fail)?;
        let number: u64 = number.parse().map_err(|_| fail())?;
        match number.checked_mul(unit) {
            Some(bits) if bits > 0 => Ok(Self(bits)),
            _ => Err(fail()),
        }
    }
}

impl TryFrom<String> for Bandwidth {
    type Error = InvalidBandwidth;

    fn try_from(text: String) -> Result<Self, InvalidBandwidth> {
        text.parse()
    }
}

impl From<Bandwidth> for String {
    fn from(bandwidth: Bandwidth) -> Self {
        bandwidth.to_string()
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{} bit/s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bandwidth_has_a_unit() {
        assert_eq!("10G".parse::<Bandwidth>().unwrap().bits_per_second(), 10_000_000_000);
        assert_eq!("2500M".parse::<Bandwidth>().unwrap().to_string(), "2500M");
        assert_eq!("1000G".parse::<Bandwidth>().unwrap().to_string(), "1T");
        for bad in ["10", "0G", "G", "1.5G", "10g", "99999999999T"] {
            assert!(bad.parse::<Bandwidth>().is_err(), "{bad}");
        }
    }
}
