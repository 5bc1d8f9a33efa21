//! What the texts of a document refer to: decided by the format of the text and by its key, whatever the kind.

use weft_intent::shape::{Shape, Step};
use weft_model::{IntentKind, IntentRef};

/// Something that a text can refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Node(String),
    /// An item of a list of the same document, at this octet.
    Item(usize),
    /// A port: of this node, this interface.
    Port(String, String),
    Intent(IntentRef),
    Role(String),
    Site(String),
    Pack(String),
    Platform(String),
}

/// What may stand in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted<'t> {
    Node,
    /// `NODE:INTERFACE`.
    Port,
    /// The name of an interface.
    Interface,
    Role,
    Site,
    Pack,
    Platform,
    /// The value of a label.
    Label(&'t str),
    /// The name of an item of the list of this key in the same document, else that of an intent of this kind.
    Named(&'t str, Option<IntentKind>),
    /// `kind/name`, of this kind where the key says it.
    Intent(Option<IntentKind>),
    /// `segment/NAME`, `node/NAME`, an address and the like.
    FlowEnd,
    /// `any`, `segment/NAME`, or a prefix.
    AccessEnd,
}

impl<'t> Wanted<'t> {
    /// Returns what may stand at the end of a path.
    pub(crate) fn of(path: &[Step<'t>], shape: &Shape<'_>) -> Option<Self> {
        match shape.format() {
            Some("endpoint") => return Some(Self::Port),
            Some("flow-end") => return Some(Self::FlowEnd),
            Some("access-end") => return Some(Self::AccessEnd),
            _ => {}
        }
        let mut keys = path.iter().rev().filter_map(|step| match step {
            Step::Key(key) => Some(*key),
            Step::Item => None,
        });
        let (key, around) = (keys.next()?, keys.next());
        if around == Some("labels") {
            return Some(Self::Label(key));
        }
        let kind = IntentKind::ALL
            .into_iter()
            .find(|kind| key == kind.as_str() || key.strip_suffix('s') == Some(kind.as_str()));
        if shape.format() == Some("intent-ref") {
            return Some(Self::Intent(kind));
        }
        // Names only: a text without a pattern is for people.
        shape.pattern()?;
        Some(match key {
            "node" | "nodes" | "names" | "at" => Self::Node,
            "interface" | "interfaces" => Self::Interface,
            "role" | "roles" => Self::Role,
            "site" | "sites" => Self::Site,
            "pack" | "packs" => Self::Pack,
            "platform" | "platforms" => Self::Platform,
            "os_version" => return None,
            "name" if around == Some("nodes") => Self::Node,
            key => Self::Named(key, kind),
        })
    }

    /// Returns what a text in this place refers to.
    pub(crate) fn reference(self, text: &str) -> Option<Reference> {
        let owned = text.to_owned();
        match self {
            Self::Node => Some(Reference::Node(owned)),
            Self::Port => {
                let (node, interface) = text.split_once(':').unwrap_or((text, ""));
                Some(Reference::Port(node.to_owned(), interface.to_owned()))
            }
            Self::Role => Some(Reference::Role(owned)),
            Self::Site => Some(Reference::Site(owned)),
            Self::Pack => Some(Reference::Pack(owned)),
            Self::Platform => Some(Reference::Platform(owned)),
            Self::Named(_, kind) => Some(Reference::Intent(IntentRef { kind: kind?, name: text.parse().ok()? })),
            Self::Intent(_) | Self::FlowEnd | Self::AccessEnd => match text.strip_prefix("node/") {
                Some(node) => Some(Reference::Node(node.to_owned())),
                None => text.parse().ok().map(Reference::Intent),
            },
            Self::Interface | Self::Label(_) => None,
        }
    }
}
