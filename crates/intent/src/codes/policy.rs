//! The codes of what is wrong with Peering, Steering, Access, Maintenance, Reachability, Capacity and Baseline intents:
//! 250-299.

use weft_diagnostics::Code;

/// Nothing accepted.
pub const NOTHING_ACCEPTED: Code = Code::new(
    "WEFT-250",
    "nothing accepted",
    "A Peering lists no prefix to accept and does not accept everything: its session would bring no route.",
);
/// Everything accepted, and a list.
pub const ACCEPTS_TWICE: Code = Code::new(
    "WEFT-251",
    "everything accepted, and a list",
    "`accept` says `everything` and has a list too, of more than the default route, which is no part of everything. What was meant is not guessed: everything, or only these.",
);
/// Customer without a list of prefixes.
pub const CUSTOMER_UNLISTED: Code = Code::new(
    "WEFT-252",
    "customer without a list of prefixes",
    "A customer's routes go to every neighbor, so they are accepted by a list of its own prefixes, without the default route: anything else is how routes leak (RFC 7908).",
);
/// Longest length below that of a prefix.
pub const MORE_SPECIFIC: Code = Code::new(
    "WEFT-253",
    "longest length below that of a prefix",
    "`more_specific` allows prefixes up to a length that is shorter than a listed prefix is itself.",
);
/// Nothing announced.
pub const ANNOUNCES_NOTHING: Code = Code::new(
    "WEFT-254",
    "nothing announced",
    "A Peering announces no prefix, nothing that was learned and no default route: no traffic would ever come back.",
);
/// Default route to a neighbor that is no customer.
pub const DEFAULT_ROUTE: Code = Code::new(
    "WEFT-255",
    "default route to a neighbor that is no customer",
    "A default route is announced to customers only, by `default_route`: any other neighbor would send us the traffic of the whole internet.",
);
/// Own prefix accepted.
pub const OWN_PREFIX_ACCEPTED: Code = Code::new(
    "WEFT-256",
    "own prefix accepted",
    "A Peering accepts a prefix that lies within one of our own pools, segments or tenants. Whatever is accepted, our own prefixes are filtered: the entry does nothing but mislead.",
);
/// Address that is never routed.
pub const MARTIAN: Code = Code::new(
    "WEFT-257",
    "address that is never routed",
    "Addresses of this range have a meaning of their own (RFC 6890, RFC 5771, RFC 4291) and are neither announced nor taken from anybody, and no router has one on a link.",
);
/// Fewer prefixes than are accepted.
pub const MAXIMUM_PREFIXES: Code = Code::new(
    "WEFT-259",
    "fewer prefixes than are accepted",
    "`maximum_prefixes` is less than the number of prefixes that are accepted one by one: the session would be closed when the neighbor sends what it is to send.",
);
/// Prefix of a family without a session.
pub const NO_SESSION_OF_FAMILY: Code = Code::new(
    "WEFT-260",
    "prefix of a family without a session",
    "A Peering accepts or announces a prefix of an address family in which it has no session: routes of each family are exchanged over sessions of that family.",
);
/// Way that is not one thing.
pub const UNCLEAR_WAY: Code = Code::new(
    "WEFT-262",
    "way that is not one thing",
    "A way of a Steering is exactly one of `peering`, `link` and `node`; `at` goes with `peering` only.",
);
/// Port without a link.
pub const NO_LINK: Code = Code::new(
    "WEFT-263",
    "port without a link",
    "A link is named by either of its ends, and there is no link at this port.",
);
/// Node without a session of the peering.
pub const NO_SESSION_THERE: Code = Code::new(
    "WEFT-264",
    "node without a session of the peering",
    "A way names the sessions of a Peering at a node where that Peering has none.",
);
/// Way that is never taken.
pub const UNREACHABLE_WAY: Code = Code::new(
    "WEFT-265",
    "way that is never taken",
    "Whatever this way consists of is in the earlier ways of the list already: when they are gone, so is it.",
);
/// Not for this direction.
pub const STEERING_DIRECTION: Code = Code::new(
    "WEFT-266",
    "not for this direction",
    "Traffic that comes in can be asked to come by a Peering only, whatever it passes before: `link`, `node`, `from` and `community` are for outbound traffic.",
);
/// Method that does not fit.
pub const STEERING_METHOD: Code = Code::new(
    "WEFT-267",
    "method that does not fit",
    "The method that `by` names cannot express this order: metrics are of links in OSPF, local-preference is for outbound traffic, MED and prepending for inbound, and MED is compared between sessions with one neighbor AS only (RFC 4271 9.1.2.2).",
);
/// Prefix that no way offers.
pub const STEERS_NOTHING: Code = Code::new(
    "WEFT-268",
    "prefix that no way offers",
    "None of the peerings in the list accepts this prefix from its neighbor (outbound) or announces it (inbound): there is no route to prefer.",
);
/// Segment protected twice.
pub const PROTECTED_TWICE: Code = Code::new(
    "WEFT-270",
    "segment protected twice",
    "Two Access intents, or one list, protect the same segment. Which one's rules come first is not guessed: join them.",
);
/// Two rules of one name.
pub const DUPLICATE_RULE: Code = Code::new(
    "WEFT-271",
    "two rules of one name",
    "Two rules of an Access have the same name. Logs and reports would name either.",
);
/// Ports without a protocol that has them.
pub const PORTS_OF_NO_PROTOCOL: Code =
    Code::new("WEFT-272", "ports without a protocol that has them", "Only TCP and UDP have ports.");
/// Rule that does nothing.
pub const SHADOWED_RULE: Code = Code::new(
    "WEFT-273",
    "rule that does nothing",
    "Earlier rules match every packet that this rule could match, and do the same with it.",
);
/// Rule that earlier rules contradict.
pub const CONTRADICTING_RULES: Code = Code::new(
    "WEFT-274",
    "rule that earlier rules contradict",
    "Earlier rules match every packet that this rule could match, and do the opposite with some: the rule looks as if it had an effect, and has none.",
);
/// End outside of the protected segments.
pub const OUTSIDE_OF_PROTECTED: Code = Code::new(
    "WEFT-275",
    "end outside of the protected segments",
    "A rule is about packets to something that its Access does not protect: it would never match.",
);
/// Rule between address families.
pub const RULE_OF_NO_FAMILY: Code = Code::new(
    "WEFT-276",
    "rule between address families",
    "A rule's ends have no address family in common: no packet goes from an IPv4 address to an IPv6 one.",
);
/// Nothing drained.
pub const NOTHING_DRAINED: Code =
    Code::new("WEFT-280", "nothing drained", "A Maintenance names neither a node nor a link.");
/// Drained twice.
pub const DRAINED_TWICE: Code = Code::new(
    "WEFT-281",
    "drained twice",
    "A Maintenance names the same node twice, or the same link, perhaps by both of its ends. Perhaps another one was meant.",
);
/// Window that ends before it begins.
pub const WINDOW: Code = Code::new(
    "WEFT-282",
    "window that ends before it begins",
    "A window's end is not after its begin: it would never open.",
);
/// Drain that cuts nodes off.
pub const DRAIN_CUTS: Code = Code::new(
    "WEFT-283",
    "drain that cuts nodes off",
    "Without what is drained at the same time, the rest of the network falls into parts: traffic between them has no other way.",
);
/// Node both to be passed and avoided.
pub const VIA_AVOIDED: Code = Code::new(
    "WEFT-284",
    "node both to be passed and avoided",
    "A Reachability names a node in `avoid` that its packets must pass: by `via`, or because the flow starts or ends there.",
);
/// Demand given twice.
pub const DUPLICATE_DEMAND: Code = Code::new(
    "WEFT-285",
    "demand given twice",
    "A Capacity has two demands between the same ends. Whether the second replaces the first or adds to it is not guessed.",
);
/// No link has a capacity.
pub const NO_CAPACITY: Code = Code::new(
    "WEFT-286",
    "no link has a capacity",
    "A Capacity promises how full links are, and no link of the network has a capacity: nothing could be checked.",
);
/// Text that is not plain ASCII.
pub const NOT_PLAIN_TEXT: Code = Code::new(
    "WEFT-287",
    "text that is not plain ASCII",
    "A text that becomes part of device configurations holds a character other than those from space to `~`. Devices differ in what they make of it.",
);
/// SNMP community given twice.
pub const DUPLICATE_COMMUNITY: Code = Code::new(
    "WEFT-288",
    "SNMP community given twice",
    "A node would get one SNMP community twice, with clients for each. Join their clients.",
);
/// Two values for one setting.
pub const BASELINE_CONFLICT: Code = Code::new(
    "WEFT-289",
    "two values for one setting",
    "Two Baselines select a node and give it different values for a setting that has one. Which one wins is not guessed.",
);
