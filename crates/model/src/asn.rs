//! Autonomous system numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An autonomous system number of four octets (RFC 6793); never one of the values that no router may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Asn(u32);

/// Why a number is not a usable autonomous system number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAsn {
    /// RFC 7607.
    #[error("AS 0 is reserved (RFC 7607)")]
    Zero,
    /// RFC 6793 9.
    #[error("AS 23456 is AS_TRANS (RFC 6793)")]
    Trans,
    /// RFC 7300.
    #[error("AS {0} is reserved (RFC 7300)")]
    Last(u32),
}

impl Asn {
    /// Returns the number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Tells whether the number is for private use: 64512-65534 or 4200000000-4294967294 (RFC 6996).
    pub const fn is_private(self) -> bool {
        matches!(self.0, 64_512..=65_534 | 4_200_000_000..=4_294_967_294)
    }
}

impl TryFrom<u32> for Asn {
    type Error = InvalidAsn;

    fn try_from(number: u32) -> Result<Self, InvalidAsn> {
        match number {
            0 => Err(InvalidAsn::Zero),
            23_456 => Err(InvalidAsn::Trans),
            65_535 | u32::MAX => Err(InvalidAsn::Last(number)),
            _ => Ok(Self(number)),
        }
    }
}

impl From<Asn> for u32 {
    fn from(asn: Asn) -> Self {
        asn.0
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_numbers_are_refused() {
        for bad in [0, 23_456, 65_535, u32::MAX] {
            assert!(Asn::try_from(bad).is_err(), "{bad}");
        }
        assert!(Asn::try_from(65_534).unwrap().is_private());
        assert!(!Asn::try_from(64_496).unwrap().is_private());
    }
}
