//! A policy as its file holds it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use weft_diagnostics::Severity;
use weft_intent::Metadata;
use weft_model::{IntentKind, IntentRef, Name};

/// Rules that an organisation puts over its intents and plans.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Policy")]
pub struct PolicyDocument {
    /// The version of the language.
    #[schemars(extend("const" = "weft/v1"))]
    pub api_version: String,
    /// Always `Policy`.
    #[schemars(extend("const" = "Policy"))]
    pub kind: String,
    /// What the policy says of itself.
    pub metadata: Metadata,
    /// What it demands.
    pub spec: PolicySpec,
}

/// What a policy demands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// The rules.
    #[schemars(length(min = 1))]
    pub rules: Vec<Rule>,
}

/// Something that must hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name, unique in the policy.
    #[schemars(with = "String", extend("pattern" = Name::PATTERN))]
    pub name: Name,
    /// What the rule is about. Default `intents`.
    #[serde(default)]
    pub on: Subject,
    /// The kinds of intent that it is about, such as `Fabric`. Default all.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// The path of a list, such as `spec.sessions`: the rule is asked once for each of its items, as `item`.
    #[serde(default)]
    pub each: Option<String>,
    /// What must be true, an expression of CEL over `kind`, `metadata`, `spec`, `item` and `index`, or over `plan`.
    pub assert: String,
    /// What is wrong when it is not. Expressions within `{{` and `}}` are filled in.
    #[serde(default)]
    pub message: Option<String>,
    /// What to do about it.
    #[serde(default)]
    pub help: Option<String>,
    /// How grave it is. Default `error`.
    #[serde(default)]
    pub severity: RuleSeverity,
    /// The value that the finding points at, such as `spec.spine.count` or `item.port`. Default the item, or the intent's
    /// name.
    #[serde(default)]
    pub at: Option<String>,
    /// Intents that need not keep the rule.
    #[serde(default)]
    pub except: Vec<Exception>,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Each intent; asked whenever intents are validated.
    #[default]
    Intents,
    /// What is about to change on the devices; asked when a plan was made, before anything is pushed.
    Plan,
}

/// How grave it is to break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleSeverity {
    /// Nothing goes on.
    #[default]
    Error,
    /// It is said, and work goes on.
    Warning,
}

impl From<RuleSeverity> for Severity {
    fn from(severity: RuleSeverity) -> Self {
        match severity {
            RuleSeverity::Error => Self::Error,
            RuleSeverity::Warning => Self::Warning,
        }
    }
}

/// An intent that need not keep a rule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The intent, `kind/name`.
    #[schemars(with = "String", extend("format" = "intent-ref"))]
    pub intent: IntentRef,
    /// Why.
    #[schemars(length(min = 1))]
    pub reason: String,
}

/// A kind of intent, written as behind `kind:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub IntentKind);

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.title())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let title = String::deserialize(deserializer)?;
        let known = IntentKind::ALL.into_iter().find(|kind| kind.title() == title);
        known.map(Self).ok_or_else(|| D::Error::custom("there is no such kind of intent"))
    }
}

impl JsonSchema for Kind {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Kind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": IntentKind::ALL.map(IntentKind::title) })
    }
}
