//! The codes of guardrails: 230-249.

use weft_diagnostics::Code;

/// Intent or plan that breaks a rule.
pub const RULE_BROKEN: Code = Code::new(
    "WEFT-230",
    "rule of the organisation broken",
    "A rule in `policy/` does not hold for this intent or plan. Change what the finding points at, or write an exception with its reason into the rule.",
);
/// Expression that cannot be read.
pub const BAD_EXPRESSION: Code = Code::new(
    "WEFT-231",
    "malformed expression",
    "The text is not an expression of CEL, the Common Expression Language, or it is longer or deeper than a rule may be.",
);
/// Unknown variable, key or function.
pub const UNKNOWN_VARIABLE: Code = Code::new(
    "WEFT-232",
    "unknown variable, key or function in a rule",
    "A rule about intents knows `kind`, `metadata` and `spec`, and with `each` also `item` and `index`; a rule about the plan knows `plan`. A key must be one of the kinds that the rule is about. The functions are those of CEL, and `within`.",
);
/// Rule that says neither yes nor no.
pub const NOT_YES_OR_NO: Code = Code::new(
    "WEFT-233",
    "rule says neither yes nor no",
    "The expression of a rule must be `true` or `false`: compare the value with something.",
);
/// Rule that cannot be answered.
pub const NO_ANSWER: Code = Code::new(
    "WEFT-234",
    "rule cannot be answered",
    "The expression fails for this intent: a key is not written there, or a value is of another type. What has a default has it also where it is not written; ask for everything else with `has(spec.key)` first.",
);
/// Rule that takes too long.
pub const TOO_COSTLY: Code = Code::new(
    "WEFT-235",
    "rule looks at too many items",
    "A rule may look at a million items in all, those of nested `all`, `exists`, `map` and `filter` multiplied. Look at fewer, or use `each`.",
);
/// Path that leads nowhere.
pub const BAD_PATH: Code = Code::new(
    "WEFT-236",
    "path of a rule leads nowhere",
    "`each` is the path of a list such as `spec.rules`, and `at` that of a value such as `spec.spine.count`, both of the kinds that the rule is about. `at` may begin with `item` where there is an `each`.",
);
/// Exception for what is not there.
pub const UNKNOWN_EXCEPTION: Code = Code::new(
    "WEFT-237",
    "exception for an intent that the rule is not about",
    "There is no such intent, or it is of a kind that the rule is not about.",
);
/// Exception that is not needed.
pub const NEEDLESS_EXCEPTION: Code = Code::new(
    "WEFT-238",
    "exception that is not needed",
    "The intent keeps the rule by now. Remove the exception, so that it keeps it from now on.",
);
/// Setting without effect.
pub const NO_EFFECT: Code = Code::new(
    "WEFT-239",
    "setting of a rule without effect",
    "A rule about the plan has no kinds, no exceptions and no place in an intent.",
);
/// Rule or policy given twice.
pub const RULE_TWICE: Code = Code::new(
    "WEFT-240",
    "rule or policy given twice",
    "Policies have different names, and so have the rules of a policy: findings name the rule.",
);

/// All codes of this crate.
pub const ALL: &[Code] = &[
    RULE_BROKEN,
    BAD_EXPRESSION,
    UNKNOWN_VARIABLE,
    NOT_YES_OR_NO,
    NO_ANSWER,
    TOO_COSTLY,
    BAD_PATH,
    UNKNOWN_EXCEPTION,
    NEEDLESS_EXCEPTION,
    NO_EFFECT,
    RULE_TWICE,
];
