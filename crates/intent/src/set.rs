//! The typed intents of a file set, each with the document it was read from.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weft_diagnostics::SourceSpan;
use weft_model::{IntentKind, IntentRef, Name, SecretRef, Source};

use crate::{
    Document,
    kinds::each_kind,
    spec::{
        AccessSpec, BaselineSpec, CapacitySpec, FabricSpec, MaintenanceSpec, PeeringSpec, PoolsSpec, ReachabilitySpec,
        SegmentSpec, SteeringSpec, TenantSpec, TopologySpec, UnderlaySpec, text::NameText,
    },
};

/// What every intent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The name, unique among the intents of its kind.
    #[schemars(with = "NameText")]
    pub name: Name,
    /// Labels, for people and for selectors.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What the intent is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
}

/// An intent whose spec has type `S`.
#[derive(Debug, Clone)]
pub struct Intent<S> {
    /// Its kind and name.
    pub reference: IntentRef,
    /// What it says of itself.
    pub metadata: Metadata,
    /// What it asks for.
    pub spec: S,
    /// Where it stands.
    pub document: Arc<Document>,
}

impl<S> Intent<S> {
    /// Returns the source that names the whole intent, at its first line.
    pub fn source(&self) -> Source {
        Source { intent: self.reference.clone(), file: self.document.file.clone(), line: self.document.start.line }
    }

    /// Returns the source that names the line of the value at a JSON pointer, such as `/spec/leaf`.
    pub fn source_at(&self, pointer: &str) -> Source {
        Source { line: self.document.span(pointer).line, ..self.source() }
    }
}

macro_rules! set {
    ($($kind:ident, $spec:ident, $field:ident;)*) => {
        /// The intents of a file set, by kind and name.
        #[derive(Debug, Clone, Default)]
        pub struct IntentSet {
            $(
                #[doc = concat!("Intents of the kind `", stringify!($kind), "`.")]
                pub $field: BTreeMap<Name, Intent<$spec>>,
            )*
            /// The secrets that the intents refer to, and where.
            pub secrets: BTreeMap<SecretRef, BTreeSet<SourceSpan>>,
            /// Every intent of the above as it is written.
            pub written: BTreeMap<IntentRef, Written>,
            /// What the files hold besides, but with mistakes.
            pub rejected: Rejected,
        }

        impl IntentSet {
            /// Returns the document of an intent.
            pub fn document(&self, intent: &IntentRef) -> Option<&Arc<Document>> {
                match intent.kind {
                    $(IntentKind::$kind => self.$field.get(&intent.name).map(|intent| &intent.document),)*
                }
            }

            /// Returns what every intent says of itself, with its reference and document, kind by kind in the order of the
            /// reference and by name.
            pub fn all(&self) -> impl Iterator<Item = (&IntentRef, &Metadata, &Arc<Document>)> {
                std::iter::empty()$(.chain(
                    self.$field.values().map(|intent| (&intent.reference, &intent.metadata, &intent.document))
                ))*
            }
        }
    };
}

each_kind!(set);

/// An intent as it is written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Where it stands.
    pub document: Arc<Document>,
    /// The whole document, without what is left to defaults.
    pub value: Value,
}

impl IntentSet {
    /// Returns where each intent stands, in the order of [`IntentSet::all`].
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        self.all().map(|(intent, _, document)| Source {
            intent: intent.clone(),
            file: document.file.clone(),
            line: document.start.line,
        })
    }

    /// Tells whether some intent of this kind is missing from the set because of a mistake in its text.
    ///
    /// What such an intent would have brought is unknown: its absence is no finding of its own.
    pub fn lacks(&self, kind: IntentKind) -> bool {
        self.rejected.unreadable || self.rejected.kinds.contains(&kind)
    }
}

/// What was in the files but is not in the set, because of mistakes that were reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// The kinds of the intents with mistakes.
    pub kinds: BTreeSet<IntentKind>,
    /// Whether a document could not be read so far as to know its kind.
    pub unreadable: bool,
}
