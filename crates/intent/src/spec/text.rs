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
    /// A reference to an intent, `kind/name`.
    IntentRefText = "intent-ref";
    /// A port of a node, `NODE:INTERFACE`.
    EndpointText = "endpoint";
    /// The end of a flow.
    FlowEndText = "flow-end";
    /// A BGP community.
    CommunityText = "community";
    /// A point in time.
    TimestampText = "timestamp";
    /// A reference to a secret.
    SecretText = "secret";
    /// A bandwidth.
    BandwidthText = "bandwidth";
    /// A public key as in an `authorized_keys` file.
    SshPublicKeyText = "ssh-public-key";
}

/// A port number, or a range of them as text.
pub(crate) struct PortRangeText;

impl JsonSchema for PortRangeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "port-range".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 1, "maximum": 65535, "format": "port-range" })
    }
}

/// The number of an OSPF area, or the same as text in four parts.
pub(crate) struct AreaIdText;

impl JsonSchema for AreaIdText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "area-id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0, "maximum": u32::MAX, "format": "area-id" })
    }
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
