//! The codes of what is wrong with intents: 101-149 in their text, 150-299 in what they say together.

mod policy;

use weft_diagnostics::Code;

pub use policy::*;

/// Unknown key.
pub const UNKNOWN_KEY: Code = Code::new(
    "WEFT-101",
    "unknown key",
    "A mapping has a key that its kind does not know, most often a slip of the fingers. Nothing is ignored silently: correct the key or remove it.",
);
/// Missing key.
pub const MISSING_KEY: Code = Code::new("WEFT-102", "missing key", "A key that has no default is not there. Add it.");
/// Value of the wrong type.
pub const WRONG_TYPE: Code = Code::new(
    "WEFT-103",
    "value of the wrong type",
    "A value is text where a number is wanted, a single value where a list is wanted, and so on. Text that looks like a number or like `true` needs quotes.",
);
/// Word that is not one of the choices.
pub const UNKNOWN_WORD: Code = Code::new(
    "WEFT-104",
    "word that is not one of the choices",
    "The key takes one of a few words, and this is none of them.",
);
/// Number out of range.
pub const OUT_OF_RANGE: Code = Code::new(
    "WEFT-105",
    "number out of range",
    "The number is less than the least or more than the most that the key takes.",
);
/// Malformed name.
pub const INVALID_NAME: Code = Code::new(
    "WEFT-106",
    "malformed name",
    "Names are 1 to 63 of a-z, 0-9, `-`, `_` and `.`, with a letter or digit at both ends; interfaces are named as their device spells them. Names become host names and words of device configurations, so nothing else is let through.",
);
/// Malformed address.
pub const INVALID_ADDRESS: Code = Code::new(
    "WEFT-107",
    "malformed address",
    "The text is not an IPv4 or IPv6 address, or not an address with the length of its subnet where an interface needs one.",
);
/// Malformed prefix.
pub const INVALID_PREFIX: Code =
    Code::new("WEFT-108", "malformed prefix", "The text is not an IPv4 or IPv6 prefix with its length.");
/// Host bits set in a prefix.
pub const HOST_BITS: Code = Code::new(
    "WEFT-109",
    "host bits set in a prefix",
    "The text is an address and a length where a range is wanted. The help says which range holds it.",
);
/// Malformed port.
pub const INVALID_ENDPOINT: Code = Code::new("WEFT-110", "malformed port", "A port is written `NODE:INTERFACE`.");
/// Malformed range of AS numbers.
pub const INVALID_ASN: Code = Code::new(
    "WEFT-111",
    "malformed range of AS numbers",
    "A range is written `FIRST-LAST`, the smaller number first. 0, 23456, 65535 and 4294967295 are reserved (RFC 7607, 6793, 7300).",
);
/// Secret in place of a reference.
pub const INVALID_SECRET: Code = Code::new(
    "WEFT-112",
    "secret in place of a reference",
    "Secrets are never written into intents: name the place that holds the value: `env/NAME`, an environment variable; \
     `file/PATH`, a file of the folder of secrets; or `age/FILE#KEY`, an entry of an encrypted file of the project.",
);
/// Malformed end of a flow.
pub const INVALID_FLOW_END: Code = Code::new(
    "WEFT-113",
    "malformed end of a flow",
    "A flow starts and ends at `segment/NAME`, `node/NAME`, `peering/NAME` or an address.",
);
/// Malformed SSH public key.
pub const INVALID_SSH_KEY: Code = Code::new(
    "WEFT-114",
    "malformed SSH public key",
    "The text is not a whole public key. A damaged key would lock its owner out.",
);
/// List with too few items.
pub const TOO_FEW: Code = Code::new("WEFT-115", "list with too few items", "The list must not be empty.");
/// Malformed value.
pub const INVALID_VALUE: Code = Code::new(
    "WEFT-116",
    "malformed value",
    "The value is of the right type but does not stand for anything that the key takes.",
);
/// Malformed YAML.
pub const YAML_SYNTAX: Code = Code::new(
    "WEFT-120",
    "malformed YAML",
    "The text cannot be read. The place is where the reader gave up; the cause may stand above it.",
);
/// Key given twice.
pub const DUPLICATE_KEY: Code =
    Code::new("WEFT-121", "key given twice", "A mapping has the same key twice. Which one was meant is not guessed.");
/// Tab in the indentation.
pub const TAB: Code = Code::new("WEFT-122", "tab in the indentation", "YAML is indented by spaces only.");
/// Text that is not UTF-8.
pub const NOT_UTF8: Code =
    Code::new("WEFT-123", "text that is not UTF-8", "The file holds an octet that is not UTF-8 text.");
/// Control character.
pub const CONTROL_CHARACTER: Code = Code::new(
    "WEFT-124",
    "control character",
    "A text holds a line break, a tab, or another character that no one sees. It could become a line of a device configuration, or hide one.",
);
/// Nested too deep.
pub const TOO_DEEP: Code =
    Code::new("WEFT-125", "nested too deep", "Lists and mappings are nested deeper than any document needs.");
/// Too large.
pub const TOO_LARGE: Code = Code::new(
    "WEFT-126",
    "too large",
    "The file, or what its aliases stand for, is larger than a file of intents may be.",
);
/// Alias without an anchor.
pub const BAD_ALIAS: Code = Code::new(
    "WEFT-127",
    "alias without an anchor",
    "A `*name` has no `&name` before it, or stands inside it. Text that begins with `*` needs quotes.",
);
/// YAML tag.
pub const YAML_TAG: Code =
    Code::new("WEFT-128", "YAML tag", "Tags (`!name`) are not used: a value's type follows from its key.");
/// Key that is not text.
pub const KEY_NOT_TEXT: Code =
    Code::new("WEFT-129", "key that is not text", "The key of a mapping is a list, a mapping, an alias or has a tag.");
/// Unknown kind.
pub const UNKNOWN_KIND: Code = Code::new("WEFT-130", "unknown kind", "The document is of a kind that does not exist.");
/// Unknown version.
pub const UNKNOWN_VERSION: Code = Code::new(
    "WEFT-131",
    "unknown version",
    "The document is written in a version of the intent language that this program does not know.",
);
/// Two intents of one name.
pub const DUPLICATE_INTENT: Code = Code::new(
    "WEFT-132",
    "two intents of one name",
    "Two intents of one kind have the same name. References could mean either.",
);
/// Malformed range of VLANs, VNIs or ports.
pub const INVALID_RANGE: Code = Code::new(
    "WEFT-140",
    "malformed range of numbers",
    "A range of VLANs (1 to 4094), VNIs (1 to 16777215) or ports (1 to 65535) is written `FIRST-LAST`, the smaller number first; one port may stand alone.",
);
/// Malformed bandwidth.
pub const INVALID_BANDWIDTH: Code = Code::new(
    "WEFT-141",
    "malformed bandwidth",
    "A bandwidth is a whole number of bits per second with one of the units k, M, G and T, such as `10G`.",
);
/// Malformed community.
pub const INVALID_COMMUNITY: Code = Code::new(
    "WEFT-142",
    "malformed BGP community",
    "A community has two numbers of 16 bits (RFC 1997) or three of 32 bits (RFC 8092), joined by colons; the well-known ones have names.",
);
/// Malformed OSPF area.
pub const INVALID_AREA: Code = Code::new(
    "WEFT-143",
    "malformed OSPF area",
    "An area is a number of 32 bits, written as such or in four parts like an IPv4 address; `0.0.0.0` is the backbone.",
);
/// Malformed time.
pub const INVALID_TIME: Code = Code::new(
    "WEFT-144",
    "malformed time",
    "A time is written as in RFC 3339, with its date and its zone: a window that depends on where the reader is would open at different times.",
);
/// Malformed reference to an intent.
pub const INVALID_REFERENCE: Code = Code::new(
    "WEFT-145",
    "malformed reference to an intent",
    "An intent is referred to by its kind and its name, such as `segment/web`.",
);
/// Unknown pack.
pub const UNKNOWN_PACK: Code = Code::new(
    "WEFT-150",
    "unknown pack",
    "A node runs an operating system for which there is no pack. Packs are the folders of `device-templates`.",
);
/// Unknown platform.
pub const UNKNOWN_PLATFORM: Code =
    Code::new("WEFT-151", "unknown platform", "The pack does not declare this hardware platform.");
/// Unknown version of an operating system.
pub const UNKNOWN_OS_VERSION: Code = Code::new(
    "WEFT-258",
    "unknown version of an operating system",
    "The pack does not say how this version behaves, so that nobody can predict what the node does. A version of the manifest stands for all that begin with it: `8` for `8.4.4`.",
);
/// Unknown port.
pub const UNKNOWN_PORT: Code = Code::new("WEFT-152", "unknown port", "The node's platform has no port of this name.");
/// Too few ports.
pub const TOO_FEW_PORTS: Code = Code::new(
    "WEFT-153",
    "too few ports",
    "The platform has fewer ports than the fabric needs on it: every node has links to every node of the tier above it.",
);
/// Port used twice.
pub const PORT_USED_TWICE: Code =
    Code::new("WEFT-154", "port used twice", "A port carries one thing: a link, a host, or an external neighbor.");
/// Link from a node to itself.
pub const SELF_LINK: Code =
    Code::new("WEFT-155", "link from a node to itself", "Both ends of the link are on the same node.");
/// Two nodes of one name.
pub const DUPLICATE_NODE: Code =
    Code::new("WEFT-156", "two nodes of one name", "Two intents ask for a node of the same name.");
/// Management address used twice.
pub const DUPLICATE_MANAGEMENT: Code = Code::new(
    "WEFT-157",
    "management address used twice",
    "Two nodes have the same management address: a push would reach the wrong one.",
);
/// Unknown node.
pub const UNKNOWN_NODE: Code = Code::new("WEFT-158", "unknown node", "There is no node of this name.");
/// Network in pieces.
pub const DISCONNECTED: Code =
    Code::new("WEFT-159", "network in pieces", "Some nodes have no path to the others over the links of the intents.");
/// Node name too long.
pub const LONG_NODE_NAME: Code = Code::new(
    "WEFT-160",
    "node name too long",
    "The names of a fabric's nodes begin with its name, and a node's name has at most 63 characters.",
);
/// Two overrides for one node.
pub const OVERRIDE_TWICE: Code =
    Code::new("WEFT-161", "two overrides for one node", "A node's difference from its tier is told twice.");
/// Pods that nothing joins.
pub const PODS_ALONE: Code = Code::new(
    "WEFT-162",
    "pods that nothing joins",
    "A fabric has pods and no super-spines: no link would lead from one pod to another.",
);
/// Ends of different speed.
pub const SPEED_MISMATCH: Code = Code::new(
    "WEFT-163",
    "ends of different speed",
    "The two ports of a link have different speeds: it would not come up.",
);
/// Capacity above the speed of the ports.
pub const CAPACITY_ABOVE_SPEED: Code =
    Code::new("WEFT-164", "capacity above the speed of the ports", "A link is said to carry more than its ports do.");
/// Selector names something unknown.
pub const SELECTOR_UNKNOWN: Code = Code::new(
    "WEFT-165",
    "selector names something unknown",
    "A selector names a fabric, role, site or label that no node has.",
);
/// Selector that matches nothing.
pub const SELECTS_NOTHING: Code = Code::new(
    "WEFT-166",
    "selector that matches nothing",
    "Each part of the selector matches some node, but no node matches all parts; or an OSPF area selects no node of its underlay.",
);
/// MTU above that of the port.
pub const MTU_ABOVE_PORT: Code = Code::new(
    "WEFT-167",
    "MTU above that of the port",
    "The MTU is larger than the largest that the port carries, as the platform of its node has it.",
);
/// Risk group of one link.
pub const LONELY_RISK: Code = Code::new(
    "WEFT-168",
    "risk group of one link",
    "A risk group says which links fail together. One that a single link names says nothing: its name is a slip, or the other links are missing.",
);
/// Segment larger than its tunnel.
pub const TUNNEL_MTU: Code = Code::new(
    "WEFT-169",
    "segment larger than its tunnel",
    "The packets of a segment of a tenant travel over the links of the underlay in VXLAN, which adds 50 octets (RFC 7348 5), and their MTU has no room for that: large packets would be lost.",
);
/// Pools that overlap.
pub const POOLS_OVERLAP: Code = Code::new(
    "WEFT-170",
    "pools that overlap",
    "Two pools hold the same address, VLAN or VNI, or two AS pools for the same nodes hold the same number: it could be given twice.",
);
/// Pool too small.
pub const POOL_EXHAUSTED: Code = Code::new(
    "WEFT-171",
    "pool too small",
    "The network needs more addresses, subnets or numbers than the pools have.",
);
/// No pool fits.
pub const NO_POOL: Code = Code::new(
    "WEFT-172",
    "no pool fits",
    "A node needs an address or a number, a link a subnet, or a tenant a VLAN or VNI, that no pool gives.",
);
/// Internal BGP and another underlay on one node.
pub const IBGP_NOT_ALONE: Code = Code::new(
    "WEFT-173",
    "internal BGP and another underlay on one node",
    "The nodes of an underlay with `ibgp` are of one AS, and tell each other what their neighbors outside announce. A node that is in another underlay, too, would be of two ASes, or would have to carry routes from one to the other.",
);
/// Link in two underlays.
pub const TWO_UNDERLAYS: Code = Code::new(
    "WEFT-180",
    "link in two underlays",
    "Both ends of a link are selected by two underlays: which one decides about its session is not guessed.",
);
/// Hold time not above the keepalive interval.
pub const TIMERS: Code = Code::new(
    "WEFT-181",
    "hold time not above the keepalive interval",
    "A session would be lost before the first keepalive is due (RFC 4271 4.4 suggests a third of the hold time); so with the dead interval of OSPF and its hellos.",
);
/// Feature that the pack does not have.
pub const MISSING_FEATURE: Code = Code::new(
    "WEFT-182",
    "feature that the pack does not have",
    "The intent needs something that the operating system of a selected node cannot do.",
);
/// Session that neither end opens.
pub const BOTH_PASSIVE: Code = Code::new(
    "WEFT-183",
    "session that neither end opens",
    "Both ends of an unnumbered link run a pack with the feature `bgp.unnumbered.passive`: each waits for the other, and the session never comes up. Number the links, or run another pack on one end.",
);
/// Setting of the other protocol.
pub const OTHER_PROTOCOL: Code = Code::new(
    "WEFT-184",
    "setting of the other protocol",
    "An underlay has a setting that belongs to a routing protocol it does not use: it would be without effect.",
);
/// Area given twice.
pub const AREA_TWICE: Code = Code::new(
    "WEFT-185",
    "area given twice",
    "An OSPF area stands twice in the list: a link is in the first that selects both of its ends.",
);
/// Area without a way to the backbone.
pub const AREA_CUT_OFF: Code = Code::new(
    "WEFT-186",
    "area without a way to the backbone",
    "No node of the OSPF area has a link in the backbone: its routes reach no other area (RFC 2328 3.1).",
);
/// Backbone as a stub.
pub const STUB_BACKBONE: Code =
    Code::new("WEFT-187", "backbone as a stub", "The OSPF backbone cannot be a stub area (RFC 2328 3.6).");
/// Outside of every area.
pub const NO_AREA: Code = Code::new(
    "WEFT-188",
    "outside of every area",
    "A node or a link of an OSPF underlay is in none of its areas: nothing would be routed over it.",
);
/// Not exactly one kind of authentication.
pub const AUTHENTICATION_CHOICE: Code = Code::new(
    "WEFT-189",
    "not exactly one kind of authentication",
    "Sessions are authenticated by TCP-MD5 or by TCP-AO: one of the two is given.",
);
/// Prefix of a segment that overlaps.
pub const SEGMENT_OVERLAP: Code = Code::new(
    "WEFT-190",
    "prefix of a segment that overlaps",
    "The prefix of a segment overlaps that of another segment, or a pool: an address would be used twice. Segments of different tenants may overlap; those of one tenant may not, and neither one of a tenant and one outside of tenants.",
);
/// Subnet length that cannot be.
pub const SUBNET_LENGTH: Code = Code::new(
    "WEFT-191",
    "subnet length that cannot be",
    "The subnets of the ports are cut from the prefix of the segment, so they must be longer than it, and they must have room for a gateway and a host.",
);
/// Two prefixes of one address family.
pub const FAMILY_TWICE: Code = Code::new(
    "WEFT-192",
    "two prefixes of one address family",
    "A segment has at most one IPv4 and one IPv6 prefix; `ipv6` stands beside an IPv4 prefix and is IPv6.",
);
/// VNI used twice.
pub const VNI_TWICE: Code = Code::new(
    "WEFT-193",
    "VNI used twice",
    "Two segments or tenants have the same VNI, or one has a VNI that a pool may give to another: their packets would be mixed.",
);
/// VLAN used twice on a node.
pub const VLAN_TWICE: Code = Code::new(
    "WEFT-194",
    "VLAN used twice on a node",
    "Two segments have the same VLAN on one node, or one has a VLAN that a pool may give to another: their hosts would be in one broadcast domain.",
);
/// Two segments of one name.
pub const SEGMENT_TWICE: Code = Code::new(
    "WEFT-195",
    "two segments of one name",
    "Two segments of a tenant have the same name, or a trunk names one segment twice.",
);
/// Trunk with an undefined segment.
pub const UNKNOWN_SEGMENT: Code = Code::new(
    "WEFT-196",
    "trunk with an undefined segment",
    "A trunk carries a segment that the tenant does not have.",
);
/// Port outside of the tenant.
pub const OUTSIDE_TENANT: Code =
    Code::new("WEFT-197", "port outside of the tenant", "A port is on a node that the tenant does not select.");
/// Leak that cannot be.
pub const LEAK: Code = Code::new(
    "WEFT-198",
    "leak that cannot be",
    "A tenant takes a prefix from itself, one that the other tenant does not have, or one that overlaps its own.",
);
/// Tenant without an underlay.
pub const NO_UNDERLAY: Code = Code::new(
    "WEFT-199",
    "tenant without an underlay",
    "A node of a tenant is in no underlay with eBGP, which carries its routes (EVPN).",
);
/// Address that cannot be on the link.
pub const NEIGHBOR_ADDRESS: Code = Code::new(
    "WEFT-200",
    "address that cannot be on the link",
    "The neighbor of a peering is not in the subnet of our address, or is our own address, or either is the subnet's network or broadcast address.",
);
/// Subnet of a peering that overlaps.
pub const SUBNET_USED_TWICE: Code = Code::new(
    "WEFT-201",
    "subnet of a peering that overlaps",
    "The subnet of an external session overlaps another one, a segment, or a pool.",
);
/// Announced prefix without a segment.
pub const NOTHING_ANNOUNCED: Code = Code::new(
    "WEFT-202",
    "announced prefix without a segment",
    "No segment has an address of a prefix that is announced to a neighbor: its traffic would come and be thrown away.",
);
/// Neighbor with an AS number of ours.
pub const OWN_ASN: Code = Code::new(
    "WEFT-203",
    "neighbor with an AS number of ours",
    "The AS number of an external neighbor lies in one of our pools, or is that of an underlay with internal BGP.",
);
/// Reference to what does not exist.
pub const UNKNOWN_REFERENCE: Code =
    Code::new("WEFT-210", "reference to what does not exist", "There is no intent of this kind and name.");
/// Reference to the wrong kind.
pub const WRONG_END: Code = Code::new(
    "WEFT-211",
    "reference to the wrong kind",
    "A reference is to an intent of a kind that cannot be meant: a flow cannot start or end there, or a tenant, a segment or a peering is wanted and this is none.",
);
/// Intents that contradict each other.
pub const CONTRADICTION: Code = Code::new(
    "WEFT-212",
    "intents that contradict each other",
    "One intent wants what another one forbids: a flow that is to arrive and not to arrive, a preference for two orders at once, or for a way that is drained.",
);
/// Address family that is not routed.
pub const FAMILY_NOT_ROUTED: Code = Code::new(
    "WEFT-213",
    "address family that is not routed",
    "A prefix or an address is of a family that no underlay routes where it is: it would be configured and then neither announced nor filtered, so it is refused. Underlays route IPv4 unless `families` says otherwise.",
);
/// Account given twice.
pub const DUPLICATE_USER: Code =
    Code::new("WEFT-220", "account given twice", "A node would get two accounts of one name.");

/// Every code of this crate, in order.
pub const ALL: &[Code] = &[
    UNKNOWN_KEY,
    MISSING_KEY,
    WRONG_TYPE,
    UNKNOWN_WORD,
    OUT_OF_RANGE,
    INVALID_NAME,
    INVALID_ADDRESS,
    INVALID_PREFIX,
    HOST_BITS,
    INVALID_ENDPOINT,
    INVALID_ASN,
    INVALID_SECRET,
    INVALID_FLOW_END,
    INVALID_SSH_KEY,
    TOO_FEW,
    INVALID_VALUE,
    YAML_SYNTAX,
    DUPLICATE_KEY,
    TAB,
    NOT_UTF8,
    CONTROL_CHARACTER,
    TOO_DEEP,
    TOO_LARGE,
    BAD_ALIAS,
    YAML_TAG,
    KEY_NOT_TEXT,
    UNKNOWN_KIND,
    UNKNOWN_VERSION,
    DUPLICATE_INTENT,
    INVALID_RANGE,
    INVALID_BANDWIDTH,
    INVALID_COMMUNITY,
    INVALID_AREA,
    INVALID_TIME,
    INVALID_REFERENCE,
    UNKNOWN_PACK,
    UNKNOWN_PLATFORM,
    UNKNOWN_PORT,
    TOO_FEW_PORTS,
    PORT_USED_TWICE,
    SELF_LINK,
    DUPLICATE_NODE,
    DUPLICATE_MANAGEMENT,
    UNKNOWN_NODE,
    DISCONNECTED,
    LONG_NODE_NAME,
    OVERRIDE_TWICE,
    PODS_ALONE,
    SPEED_MISMATCH,
    CAPACITY_ABOVE_SPEED,
    SELECTOR_UNKNOWN,
    SELECTS_NOTHING,
    MTU_ABOVE_PORT,
    LONELY_RISK,
    TUNNEL_MTU,
    POOLS_OVERLAP,
    POOL_EXHAUSTED,
    NO_POOL,
    IBGP_NOT_ALONE,
    TWO_UNDERLAYS,
    TIMERS,
    MISSING_FEATURE,
    BOTH_PASSIVE,
    OTHER_PROTOCOL,
    AREA_TWICE,
    AREA_CUT_OFF,
    STUB_BACKBONE,
    NO_AREA,
    AUTHENTICATION_CHOICE,
    SEGMENT_OVERLAP,
    SUBNET_LENGTH,
    FAMILY_TWICE,
    VNI_TWICE,
    VLAN_TWICE,
    SEGMENT_TWICE,
    UNKNOWN_SEGMENT,
    OUTSIDE_TENANT,
    LEAK,
    NO_UNDERLAY,
    NEIGHBOR_ADDRESS,
    SUBNET_USED_TWICE,
    NOTHING_ANNOUNCED,
    OWN_ASN,
    UNKNOWN_REFERENCE,
    WRONG_END,
    CONTRADICTION,
    FAMILY_NOT_ROUTED,
    DUPLICATE_USER,
    NOTHING_ACCEPTED,
    ACCEPTS_TWICE,
    CUSTOMER_UNLISTED,
    MORE_SPECIFIC,
    ANNOUNCES_NOTHING,
    DEFAULT_ROUTE,
    OWN_PREFIX_ACCEPTED,
    MARTIAN,
    UNKNOWN_OS_VERSION,
    MAXIMUM_PREFIXES,
    NO_SESSION_OF_FAMILY,
    UNCLEAR_WAY,
    NO_LINK,
    NO_SESSION_THERE,
    UNREACHABLE_WAY,
    STEERING_DIRECTION,
    STEERING_METHOD,
    STEERS_NOTHING,
    PROTECTED_TWICE,
    DUPLICATE_RULE,
    PORTS_OF_NO_PROTOCOL,
    SHADOWED_RULE,
    CONTRADICTING_RULES,
    OUTSIDE_OF_PROTECTED,
    RULE_OF_NO_FAMILY,
    NOTHING_DRAINED,
    DRAINED_TWICE,
    WINDOW,
    DRAIN_CUTS,
    VIA_AVOIDED,
    DUPLICATE_DEMAND,
    NO_CAPACITY,
    NOT_PLAIN_TEXT,
    DUPLICATE_COMMUNITY,
    BASELINE_CONFLICT,
];
