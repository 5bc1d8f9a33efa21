//! The codes of findings about allocations and compilation, `WEFT-300` to `WEFT-349`.

use weft_diagnostics::Code;

/// A pool has nothing left.
pub const POOL_EXHAUSTED: Code = Code::new(
    "WEFT-301",
    "pool exhausted",
    "Every value of the pools that fit is taken. Add a pool behind them or widen the last one; what is allocated keeps its \
     numbers as long as a fitting pool covers it.",
);
/// No pool fits.
pub const NO_POOL: Code = Code::new(
    "WEFT-302",
    "no pool fits",
    "Something needs a number or an address, and no pool of that purpose selects it. A link is selected by a pool when both \
     of its nodes are.",
);
/// Two things have the same value in the lock file.
pub const ALLOCATED_TWICE: Code = Code::new(
    "WEFT-303",
    "allocated twice in the lock file",
    "The lock file gives one value to two things, as happens when two branches are merged that each took the lowest free \
     value. The first by name keeps it, the other gets a new one: look at the change of the lock file before it is pushed.",
);
/// An explicit management address belongs to another node.
pub const MANAGEMENT_TAKEN: Code = Code::new(
    "WEFT-304",
    "management address taken",
    "An intent gives a node the management address that another node has, by another intent or by the lock file. Give it \
     another address, or remove the other node's line from the lock file to have it renumbered.",
);
/// The lock file cannot be read.
pub const INVALID_LOCK_FILE: Code = Code::new(
    "WEFT-305",
    "lock file not readable",
    "The lock file is not what Weft wrote: it was edited by hand, or holds the markers of a merge conflict. Take either side \
     of the conflict and let Weft complete it.",
);
/// The lock file lacks something that a device needs.
pub const NOT_ALLOCATED: Code = Code::new(
    "WEFT-306",
    "not allocated",
    "A device needs a value that the allocations do not hold. Update the lock file and commit it.",
);
/// A name that is made from an intent's name is too long.
pub const NAME_TOO_LONG: Code = Code::new(
    "WEFT-307",
    "name too long",
    "Policies and prefix sets are named after the intent that causes them, with a word behind it; the whole may have 63 \
     characters. Shorten the intent's name.",
);
/// A peering is named like a node.
pub const PEERING_NAMED_LIKE_NODE: Code = Code::new(
    "WEFT-308",
    "peering named like a node",
    "The router on the far side of a peering has the peering's name in labs and predictions, so no node of the network may \
     have it. Rename the peering.",
);
/// A router id is not an IPv4 address.
pub const ROUTER_ID_NOT_IPV4: Code = Code::new(
    "WEFT-309",
    "router id is not an IPv4 address",
    "A loopback is the BGP identifier of its device, which is an IPv4 address (RFC 4271 4.2). Put the device in a loopback \
     pool with an IPv4 prefix.",
);
/// An intent, or a part of one, that Weft cannot carry out yet.
pub const NOT_COMPILED: Code = Code::new(
    "WEFT-310",
    "not carried out yet",
    "The intent is right, and is checked in full, but this version of Weft does not make configuration of it or does not \
     prove it. It is refused rather than left out in silence: remove it, or the part that the finding names, to go on.",
);
/// A maintenance is outside of its window.
pub const OUTSIDE_WINDOW: Code = Code::new(
    "WEFT-320",
    "outside of the maintenance window",
    "The intent drains its nodes and links only within its window, and it is not that time: nothing is drained now. What is \
     configured changes when the pipeline runs within the window, and again when it runs after it.",
);
/// Both ends of a link would prefer it.
pub const PREFERRED_FROM_BOTH_ENDS: Code = Code::new(
    "WEFT-321",
    "link preferred from both ends",
    "Both ends of a link would prefer the routes that come over it. Each would wait for the other, and which one wins is a matter \
     of chance (RFC 4264). Name in `from` the nodes at one end.",
);
/// All codes of this crate.
pub const ALL: &[Code] = &[
    POOL_EXHAUSTED,
    NO_POOL,
    ALLOCATED_TWICE,
    MANAGEMENT_TAKEN,
    INVALID_LOCK_FILE,
    NOT_ALLOCATED,
    NAME_TOO_LONG,
    PEERING_NAMED_LIKE_NODE,
    ROUTER_ID_NOT_IPV4,
    NOT_COMPILED,
    OUTSIDE_WINDOW,
    PREFERRED_FROM_BOTH_ENDS,
];
