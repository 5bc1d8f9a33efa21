//! The codes of the rules and of the checks on the predicted network, `WEFT-500` to `WEFT-599`.

use weft_diagnostics::Code;

/// See the rule `link-interface`.
pub const LINK_WITHOUT_INTERFACE: Code = Code::new(
    "WEFT-501",
    "link without an interface",
    "A link of the topology has no interface in the configuration of a device at its end.",
);
/// See the rule `link-subnet`.
pub const LINK_SUBNET_MISMATCH: Code = Code::new(
    "WEFT-502",
    "subnets of a link differ",
    "The two ends of a link have addresses in different subnets, or only one end has an address.",
);
/// See the rule `link-mtu`.
pub const LINK_MTU_MISMATCH: Code = Code::new(
    "WEFT-503",
    "MTUs of a link differ",
    "The two ends of a link have different MTUs: large packets are lost in one direction.",
);
/// See the rule `link-unnumbered`.
pub const LINK_UNNUMBERED_MISMATCH: Code = Code::new(
    "WEFT-504",
    "only one end is unnumbered",
    "One end of a link is meant for BGP unnumbered and the other is not.",
);
/// See the rule `session-missing`.
pub const SESSION_MISSING: Code = Code::new(
    "WEFT-505",
    "session missing",
    "A link of an underlay has no BGP session at one of its ends, or a session has no link.",
);
/// See the rule `session-asn`.
pub const SESSION_ASN_MISMATCH: Code = Code::new(
    "WEFT-506",
    "AS number of a neighbor is wrong",
    "A device expects its neighbor in another AS than the neighbor is in: the session is refused (RFC 4271 6.2).",
);
/// See the rule `session-address`.
pub const SESSION_ADDRESS_MISMATCH: Code = Code::new(
    "WEFT-507",
    "address of a neighbor is wrong",
    "A neighbor is named by an address that the other end does not have or that cannot be reached over the \
     interface, or by an interface that is not unnumbered.",
);
/// See the rule `session-bfd`.
pub const SESSION_BFD_MISMATCH: Code = Code::new(
    "WEFT-508",
    "BFD of a session differs",
    "The two ends of a session ask for different BFD, or only one asks for it: the session stays down or failures \
     are detected late.",
);
/// See the rule `session-timers`.
pub const SESSION_TIMERS_MISMATCH: Code = Code::new(
    "WEFT-509",
    "timers of a session differ",
    "The two ends of a session have different timers. The session comes up with the smaller hold time (RFC 4271 \
     4.2), which is not what one end asks for.",
);
/// See the rule `session-authentication`.
pub const SESSION_AUTHENTICATION_MISMATCH: Code = Code::new(
    "WEFT-510",
    "authentication of a session differs",
    "The two ends of a session use different keys, or only one uses a key: no TCP connection is made (RFC 2385).",
);
/// See the rule `duplicate-address`.
pub const DUPLICATE_ADDRESS: Code =
    Code::new("WEFT-511", "address used twice", "Two interfaces have the same address.");
/// See the rule `duplicate-router-id`.
pub const DUPLICATE_ROUTER_ID: Code = Code::new(
    "WEFT-512",
    "router id used twice",
    "Two devices have the same BGP identifier, which must be unique (RFC 6286).",
);
/// See the rule `same-asn`.
pub const SAME_ASN: Code = Code::new(
    "WEFT-513",
    "neighbors in the same AS",
    "Two devices with an eBGP session between them are in the same AS: each drops what passed through the other \
     (RFC 4271 9.1.2).",
);
/// See the rule `undefined-reference`.
pub const UNDEFINED_REFERENCE: Code = Code::new(
    "WEFT-514",
    "reference to what is not defined",
    "A configuration names a policy, a prefix set or an interface that it does not define.",
);
/// See the rule `unused-definition`.
pub const UNUSED_DEFINITION: Code = Code::new(
    "WEFT-515",
    "definition that nothing uses",
    "A configuration defines a policy or a prefix set that nothing uses: most likely it was meant to be used.",
);
/// See the rule `overlapping-subnets`.
pub const OVERLAPPING_SUBNETS: Code =
    Code::new("WEFT-516", "subnets overlap", "Interfaces that are not on one link have subnets that overlap.");
/// See the rule `network-without-route`.
pub const NETWORK_WITHOUT_ROUTE: Code = Code::new(
    "WEFT-517",
    "originated network without a route",
    "A device is to announce a network that it has no connected or static route to: it announces nothing.",
);
/// See the rule `maximum-prefixes`.
pub const NO_MAXIMUM_PREFIXES: Code = Code::new(
    "WEFT-518",
    "no limit on prefixes of an external neighbor",
    "An external neighbor may send any number of prefixes. Set `maximum_prefixes`: the session is then closed \
     when the neighbor leaks a full table.",
);
/// See the rule `external-policy`.
pub const NO_EXTERNAL_POLICY: Code = Code::new(
    "WEFT-519",
    "external neighbor without a policy",
    "A session with an external neighbor has no import or no export policy: whatever either side knows is passed \
     on (a route leak, RFC 7908). RFC 8212 forbids such a session.",
);
/// See the rule `ospf-adjacency`.
pub const OSPF_MISMATCH: Code = Code::new(
    "WEFT-520",
    "ends of a link disagree on OSPF",
    "OSPF runs at one end of a link only, or the two ends have different areas, timers, address families or BFD: they \
     do not become neighbors (RFC 2328 10.5), or do not notice failures.",
);
/// See the rule `session-family`.
pub const SESSION_FAMILY_MISMATCH: Code = Code::new(
    "WEFT-521",
    "address families of a session differ",
    "The two ends of a session exchange different address families, or a session between addresses is to carry \
     another family than theirs: those routes are not exchanged.",
);
/// See the rule `undefined-service`.
pub const UNDEFINED_SERVICE: Code = Code::new(
    "WEFT-522",
    "access list or part of OSPF that is not defined",
    "An interface has an access list, or OSPF runs on an interface or uses a policy, that the device does not define.",
);
/// See [`crate::check_predicted`].
pub const AMBIGUOUS_ROUTES: Code = Code::new(
    "WEFT-541",
    "routes settle in more than one way",
    "The predicted routes to a prefix settle, but otherwise when devices decide in another order: local preferences or route \
     reflectors of the network defer to each other, and which routes it takes depends on what happened before. A few orders are \
     tried, so that not every such prefix is found.",
);
/// See [`crate::check_predicted`].
pub const NOT_VIA: Code = Code::new(
    "WEFT-523",
    "way past the nodes of `via`",
    "On the predicted data plane, packets of a Reachability intent arrive without passing any of the nodes that it names in \
     `via`. The finding shows such a path, and the failure after which it is taken.",
);
/// See [`crate::check_predicted`].
pub const NOT_AVOIDED: Code = Code::new(
    "WEFT-524",
    "way over a node to avoid",
    "On the predicted data plane, packets of a Reachability intent pass a node that it names in `avoid`. The finding shows \
     the path to it, and the failure after which it is taken.",
);
/// See [`crate::check_predicted`].
pub const TOO_MANY_HOPS: Code = Code::new(
    "WEFT-525",
    "path too long",
    "On the predicted data plane, packets of a Reachability intent pass more devices than its `max_hops`. The finding shows \
     the longest path, and the failure after which it is taken.",
);
/// See [`crate::check_predicted`].
pub const NOT_EXHAUSTED: Code = Code::new(
    "WEFT-526",
    "not every failure tried",
    "A promise is to survive the failure of several elements at the same time, and there are more combinations than are tried. \
     Those of elements that packets use, one after the other, were tried first. What was not tried is not shown to be safe.",
);
/// See [`crate::check_predicted`].
pub const OVERLOADED: Code = Code::new(
    "WEFT-527",
    "link too full",
    "On the predicted data plane, with every demand spread evenly over equal-cost paths at each device, a link carries more \
     in one direction than a Capacity intent allows. The finding names the fullest one and the demands that make up its load.",
);
/// See [`crate::check_predicted`].
pub const OVERLOADED_BY_FAILURE: Code = Code::new(
    "WEFT-528",
    "link too full after a failure",
    "On the predicted data plane, all links carry what a Capacity intent allows, but not any more after a failure that it is \
     to survive. The finding names the failure, the fullest link, and the demands that make up its load.",
);
/// See [`crate::check_predicted`].
pub const DEMAND_LOST: Code = Code::new(
    "WEFT-529",
    "demand does not arrive",
    "On the predicted data plane, some of a demand of a Capacity intent does not arrive: it loads fewer links than it is \
     meant to.",
);
/// See [`crate::check_predicted`].
pub const NO_GROUP: Code = Code::new(
    "WEFT-530",
    "no shared-risk group to survive",
    "A promise is to survive the failure of shared-risk groups, and no links of a Topology have `shared_risks`: nothing \
     can fail.",
);
/// See [`crate::check_predicted`].
pub const ASKS_FOR_NOTHING: Code = Code::new(
    "WEFT-531",
    "asks for nothing",
    "A Reachability intent says which ways packets take, and that none arrives: nothing can be checked of the ways.",
);
/// See [`crate::check_predicted`].
pub const LOOP: Code = Code::new(
    "WEFT-532",
    "forwarding loop",
    "On the predicted data plane, packets to a prefix that a routing protocol carries go round in a loop. No intent needs to ask \
     for that.",
);
/// See [`crate::check_predicted`].
pub const BLACKHOLE: Code = Code::new(
    "WEFT-533",
    "blackhole",
    "On the predicted data plane, a device hands packets to a prefix that a routing protocol carries to a neighbor that has no \
     route for them. No intent needs to ask for that.",
);
/// See [`crate::check_predicted`].
pub const ROUTE_LEAK: Code = Code::new(
    "WEFT-534",
    "route leak",
    "On the predicted network, a prefix that a peer or a transit sent is announced to another one: a route leak (RFC 7908). \
     The finding shows where its packets would go.",
);
/// See [`crate::check_predicted`].
pub const WRONG_EXIT: Code = Code::new(
    "WEFT-535",
    "not the preferred exit",
    "On the predicted network, traffic that a Steering intent is about leaves by another exit than the first of its list that is \
     there, in the steady state or when those before it are gone. An exit that is drained, or is reached only over what is, may be \
     used and need not be.",
);
/// See [`crate::check_predicted`].
pub const WRONG_ENTRY: Code = Code::new(
    "WEFT-537",
    "not the preferred way in",
    "On the predicted network, a neighbor with several sessions sends its traffic to a prefix of ours over another one than the first \
     of a Steering's list that is there, in the steady state or when those before it are gone. A neighbor compares MEDs only of one AS: \
     where it hears us from several, `by: prepend` tells the ways apart. A way whose ends are drained may be used and need not be.",
);
/// Told of what a pipeline silences.
pub const SILENCED: Code = Code::new(
    "WEFT-536",
    "silenced",
    "The stage `check` of a pipeline silences what would be found without any intent, by its name in `silence`. The note says how \
     many findings there were.",
);
/// See [`crate::check_predicted`].
pub const NOT_REACHABLE: Code = Code::new(
    "WEFT-550",
    "destination not reached",
    "On the predicted data plane, packets of a Reachability intent do not all arrive. The finding shows the path \
     of one that does not.",
);
/// See [`crate::check_predicted`].
pub const NOT_ISOLATED: Code = Code::new(
    "WEFT-551",
    "destination reached that must not be",
    "On the predicted data plane, packets arrive that a Reachability intent forbids. The finding shows the path \
     of one.",
);
/// See [`crate::check_predicted`].
pub const TOO_FEW_PATHS: Code = Code::new(
    "WEFT-552",
    "too few equal-cost paths",
    "On the predicted data plane, the node of the source has fewer equal-cost ways to the destination than the \
     Reachability intent asks for.",
);
/// See [`crate::check_predicted`].
pub const DOES_NOT_SURVIVE: Code = Code::new(
    "WEFT-553",
    "does not survive a failure",
    "On the predicted data plane, a Reachability intent holds, but not any more after a failure that it is to \
     survive. The finding names the failure and the path.",
);
/// See [`crate::check_predicted`].
pub const NO_FLOW: Code = Code::new(
    "WEFT-554",
    "nothing to reach from or to",
    "A Reachability intent has no place where its packets start, or none where they go: nothing is promised, and \
     nothing can be checked.",
);
/// See [`crate::check_predicted`].
pub const UNSTABLE_ROUTES: Code = Code::new(
    "WEFT-555",
    "routes do not settle",
    "The predicted routes to a prefix change for ever: the policies of the network contradict each other.",
);

/// All codes of this crate.
pub const ALL: &[Code] = &[
    LINK_WITHOUT_INTERFACE,
    LINK_SUBNET_MISMATCH,
    LINK_MTU_MISMATCH,
    LINK_UNNUMBERED_MISMATCH,
    SESSION_MISSING,
    SESSION_ASN_MISMATCH,
    SESSION_ADDRESS_MISMATCH,
    SESSION_BFD_MISMATCH,
    SESSION_TIMERS_MISMATCH,
    SESSION_AUTHENTICATION_MISMATCH,
    DUPLICATE_ADDRESS,
    DUPLICATE_ROUTER_ID,
    SAME_ASN,
    UNDEFINED_REFERENCE,
    UNUSED_DEFINITION,
    OVERLAPPING_SUBNETS,
    NETWORK_WITHOUT_ROUTE,
    NO_MAXIMUM_PREFIXES,
    NO_EXTERNAL_POLICY,
    OSPF_MISMATCH,
    SESSION_FAMILY_MISMATCH,
    UNDEFINED_SERVICE,
    AMBIGUOUS_ROUTES,
    NOT_VIA,
    NOT_AVOIDED,
    TOO_MANY_HOPS,
    NOT_EXHAUSTED,
    OVERLOADED,
    OVERLOADED_BY_FAILURE,
    DEMAND_LOST,
    NO_GROUP,
    ASKS_FOR_NOTHING,
    LOOP,
    BLACKHOLE,
    ROUTE_LEAK,
    WRONG_EXIT,
    WRONG_ENTRY,
    SILENCED,
    NOT_REACHABLE,
    NOT_ISOLATED,
    TOO_FEW_PATHS,
    DOES_NOT_SURVIVE,
    NO_FLOW,
    UNSTABLE_ROUTES,
];
