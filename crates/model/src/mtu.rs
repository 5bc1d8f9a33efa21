//! The size of the largest packet that an interface carries.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An IP MTU in octets: 1280 (the least that IPv6 allows, RFC 8200 5) to 9216.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Mtu(u16);

/// Why a number is not an MTU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an MTU of {0} octets is not between {least} and {most}", least = Mtu::LEAST, most = Mtu::MOST)]
pub struct InvalidMtu(u16);

impl Mtu {
    /// The smallest MTU, in octets.
    pub const LEAST: u16 = 1280;
    /// The largest MTU, in octets: what common switch silicon carries.
    pub const MOST: u16 = 9216;
    /// The MTU of plain Ethernet, 1500 octets.
    pub const ETHERNET: Self = Self(1500);

    /// Returns the MTU in octets.
    pub const fn octets(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Mtu {
    type Error = InvalidMtu;

    fn try_from(octets: u16) -> Result<Self, InvalidMtu> {
        if (Self::LEAST..=Self::MOST).contains(&octets) { Ok(Self(octets)) } else { Err(InvalidMtu(octets)) }
    }
}

impl From<Mtu> for u16 {
    fn from(mtu: Mtu) -> Self {
        mtu.0
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mtu_has_a_least_and_a_most() {
        assert!(Mtu::try_from(1279).is_err());
        assert!(Mtu::try_from(9217).is_err());
        assert_eq!(Mtu::try_from(9100).unwrap().octets(), 9100);
    }
}
