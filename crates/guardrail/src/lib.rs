//! The rules that an organisation puts over its intents and plans: `policy/*.yaml`.
//!
//! [`load`] reads the files and compiles their rules; [`Policies::check_intents`] and [`Policies::check_plan`] ask them. A
//! rule is an expression of CEL, the Common Expression Language, that must be true. A broken rule is a finding at the
//! value of the intent, a rule that cannot be asked is one at the rule.

mod check;
pub mod codes;
mod compiled;
mod expression;
mod load;
mod message;
mod path;
mod policy;
mod value;

pub use compiled::Policies;
pub use load::load;
pub use policy::{Exception, Kind, PolicyDocument, PolicySpec, Rule, RuleSeverity, Subject};
