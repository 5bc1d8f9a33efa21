//! The schemas of texts with a format of their own, for lists of them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use weft_model::{InterfaceName, Name};

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $format:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $format.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    )*};
}

formats! {
    /// An IPv4 or IPv6 address.
    IpText = "ip";
    /// An IPv4 or IPv6 prefix without host bits.
    PrefixText = "prefix";
    /// A public key as in an `authorized_keys` file.
    SshPublicKeyText = "ssh-public-key";
}

macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident = $pattern:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

patterns! {
    /// A name.
    NameText = Name::PATTERN;
    /// The name of an interface.
    InterfaceNameText = InterfaceName::PATTERN;
}
