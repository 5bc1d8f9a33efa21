//! BGP communities.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A BGP community: of four octets (RFC 1997), written `64496:100`, or large (RFC 8092), written `64496:1:100`. The
/// well-known ones have names: `graceful-shutdown` (RFC 8326), `no-export` and `no-advertise` (RFC 1997), `blackhole` (RFC 7999).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Community {
    /// Of four octets.
    Standard(u16, u16),
    /// Large.
    Large(u32, u32, u32),
}

const WELL_KNOWN: [(&str, Community); 4] = [
    ("graceful-shutdown", Community::GRACEFUL_SHUTDOWN),
    ("no-export", Community::Standard(65_535, 65_281)),
    ("no-advertise", Community::Standard(65_535, 65_282)),
    ("blackhole", Community::Standard(65_535, 666)),
];

impl Community {
    /// RFC 8326 4: the route is about to go away; take another one where there is one.
    pub const GRACEFUL_SHUTDOWN: Self = Self::Standard(65_535, 0);
    /// RFC 1997: the route is not announced to another AS.
    pub const NO_EXPORT: Self = Self::Standard(65_535, 65_281);
    /// RFC 1997: the route is announced to nobody.
    pub const NO_ADVERTISE: Self = Self::Standard(65_535, 65_282);
}

/// Why a text is not a community.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a community: write two or three numbers, such as `64496:100`, or a well-known name", .0.escape_debug())]
pub struct InvalidCommunity(String);

impl FromStr for Community {
    type Err = InvalidCommunity;

    fn from_str(text: &str) -> Result<Self, InvalidCommunity> {
        if let Some((_, community)) = WELL_KNOWN.iter().find(|(name, _)| *name == text) {
            return Ok(*community);
        }
        let fail = || InvalidCommunity(text.chars().take(60).collect());
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [high, low] => Ok(Self::Standard(high.parse().map_err(|_| fail())?, low.parse().map_err(|_| fail())?)),
            [administrator, one, two] => Ok(Self::Large(
                administrator.parse().map_err(|_| fail())?,
                one.parse().map_err(|_| fail())?,
                two.parse().map_err(|_| fail())?,
            )),
            _ => Err(fail()),
        }
    }
}

impl TryFrom<String> for Community {
    type Error = InvalidCommunity;

    fn try_from(text: String) -> Result<Self, InvalidCommunity> {
        text.parse()
    }
}

impl From<Community> for String {
    fn from(community: Community) -> Self {
        community.to_string()
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(high, low) => match WELL_KNOWN.iter().find(|(_, known)| known == self) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "{high}:{low}"),
            },
            Self::Large(administrator, one, two) => write!(f, "{administrator}:{one}:{two}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_reads_back_as_it_was_written() {
        for text in ["64496:100", "4200000000:1:7", "graceful-shutdown", "no-export"] {
            assert_eq!(text.parse::<Community>().unwrap().to_string(), text);
        }
        assert_eq!("65535:0".parse::<Community>().unwrap(), Community::GRACEFUL_SHUTDOWN);
        for bad in ["", "1", "65536:1", "1:2:3:4", "a:b", "1: 2"] {
            assert!(bad.parse::<Community>().is_err(), "{bad}");
        }
    }
}
