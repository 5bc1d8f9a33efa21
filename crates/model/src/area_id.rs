//! Numbers of OSPF areas.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};

/// An OSPF area (RFC 2328): 32 bits, written `0.0.0.1`; read also as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "AreaIdForm", into = "String")]
pub struct AreaId(u32);

#[derive(Deserialize)]
#[serde(untagged)]
enum AreaIdForm {
    Number(u32),
    Text(String),
}

/// Why a text is not an area.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an OSPF area: write a number, or four parts such as `0.0.0.1`", .0.escape_debug())]
pub struct InvalidAreaId(String);

impl AreaId {
    /// The area that joins all others.
    pub const BACKBONE: Self = Self(0);
}

impl FromStr for AreaId {
    type Err = InvalidAreaId;

    fn from_str(text: &str) -> Result<Self, InvalidAreaId> {
        let number = text.parse::<u32>().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(u32::from));
        number.map(Self).ok_or_else(|| InvalidAreaId(text.chars().take(60).collect()))
    }
}

impl TryFrom<AreaIdForm> for AreaId {
    type Error = InvalidAreaId;

    fn try_from(form: AreaIdForm) -> Result<Self, InvalidAreaId> {
        match form {
            AreaIdForm::Number(number) => Ok(Self(number)),
            AreaIdForm::Text(text) => text.parse(),
        }
    }
}

impl From<AreaId> for String {
    fn from(area: AreaId) -> Self {
        area.to_string()
    }
}

impl fmt::Display for AreaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_a_number_or_four_parts() {
        assert_eq!("1".parse::<AreaId>().unwrap(), "0.0.0.1".parse().unwrap());
        assert_eq!("0".parse::<AreaId>().unwrap(), AreaId::BACKBONE);
        assert_eq!("0.0.1.0".parse::<AreaId>().unwrap().to_string(), "0.0.1.0");
        assert!(["", "-1", "0.0.1", "a"].iter().all(|text| text.parse::<AreaId>().is_err()));
    }
}
