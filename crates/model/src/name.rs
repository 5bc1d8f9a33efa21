//! Names of things: what a name may look like, and one type for each kind of thing that has one.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Most characters in a name: a DNS label's limit (RFC 1035 2.3.4), since names become host names.
const MAX_LENGTH: usize = 63;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a name: {reason}", text.escape_debug())]
pub struct InvalidName {
    text: String,
    reason: &'static str,
}

/// A name: 1 to 63 of the characters `a-z`, `0-9`, `-`, `_` and `.`, beginning and ending with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// The most characters in a name.
    pub const MAX_LENGTH: usize = MAX_LENGTH;
    /// The pattern of a name, for JSON Schema.
    pub const PATTERN: &'static str = "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$";

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fail = |reason| Err(InvalidName { text: text.chars().take(80).collect(), reason });
        let alphanumeric = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        match text.as_bytes() {
            [] => fail("it is empty"),
            bytes if bytes.len() > MAX_LENGTH => fail("it is longer than 63 characters"),
            bytes if !bytes.iter().all(|&c| alphanumeric(c) || matches!(c, b'-' | b'_' | b'.')) => {
                fail("only a-z, 0-9, `-`, `_` and `.` may be used")
            }
            [first, .., last] if !alphanumeric(*first) || !alphanumeric(*last) => {
                fail("it must begin and end with a letter or a digit")
            }
            [only] if !alphanumeric(*only) => fail("it must begin and end with a letter or a digit"),
            _ => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Name);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                text.parse().map(Self)
            }
        }

        impl From<Name> for $name {
            fn from(name: Name) -> Self {
                Self(name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
    )*};
}

names! {
    /// The name of a node of the network.
    NodeName;
    /// The name of a fabric.
    FabricName;
    /// The name of a site: a building, a campus, a point of presence.
    SiteName;
    /// What a node is for: `spine`, `leaf`, `border`, or a word of the user's own.
    Role;
    /// The name of a device pack: a folder of `device-templates`.
    PackName;
    /// The name of a hardware platform, as a pack declares it.
    PlatformName;
    /// A version of an operating system, such as `8.4`.
    OsVersion;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_host_name_labels() {
        for good in ["a", "b1-leaf-04", "vs-16", "x.y_z", &"a".repeat(63)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a b", "a\n", "é", ".", &"a".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_never_repeats_a_control_character() {
        assert!(!"a\u{1b}[2J".parse::<Name>().unwrap_err().to_string().contains('\u{1b}'));
    }
}
