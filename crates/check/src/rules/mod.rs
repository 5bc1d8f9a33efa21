//! The rules, one per file.

mod duplicate_address;
mod duplicate_router_id;
mod external_policy;
mod link_interface;
mod link_mtu;
mod link_subnet;
mod link_unnumbered;
mod maximum_prefixes;
mod network_without_route;
mod ospf_adjacency;
mod overlapping_subnets;
mod same_asn;
mod session_address;
mod session_asn;
mod session_authentication;
mod session_bfd;
mod session_family;
mod session_missing;
mod session_timers;
mod undefined_reference;
mod undefined_service;
mod unused_definition;

use weft_diagnostics::{Code, Diagnostic};

use crate::{codes, fleet::Fleet};

/// A rule that the configurations of a network keep.
#[derive(Debug)]
pub struct Rule {
    /// The code of its findings.
    pub code: Code,
    /// Its name, which is that of its file with `-` in place of `_`.
    pub name: &'static str,
    /// Returns every breach of the rule, each once.
    pub find: fn(&Fleet<'_>) -> Vec<Diagnostic>,
}

/// All rules, in the order of their codes.
pub const RULES: &[Rule] = &[
    Rule { code: codes::LINK_WITHOUT_INTERFACE, name: "link-interface", find: link_interface::find },
    Rule { code: codes::LINK_SUBNET_MISMATCH, name: "link-subnet", find: link_subnet::find },
    Rule { code: codes::LINK_MTU_MISMATCH, name: "link-mtu", find: link_mtu::find },
    Rule { code: codes::LINK_UNNUMBERED_MISMATCH, name: "link-unnumbered", find: link_unnumbered::find },
    Rule { code: codes::SESSION_MISSING, name: "session-missing", find: session_missing::find },
    Rule { code: codes::SESSION_ASN_MISMATCH, name: "session-asn", find: session_asn::find },
    Rule { code: codes::SESSION_ADDRESS_MISMATCH, name: "session-address", find: session_address::find },
    Rule { code: codes::SESSION_BFD_MISMATCH, name: "session-bfd", find: session_bfd::find },
    Rule { code: codes::SESSION_TIMERS_MISMATCH, name: "session-timers", find: session_timers::find },
    Rule {
        code: codes::SESSION_AUTHENTICATION_MISMATCH,
        name: "session-authentication",
        find: session_authentication::find,
    },
    Rule { code: codes::DUPLICATE_ADDRESS, name: "duplicate-address", find: duplicate_address::find },
    Rule { code: codes::DUPLICATE_ROUTER_ID, name: "duplicate-router-id", find: duplicate_router_id::find },
    Rule { code: codes::SAME_ASN, name: "same-asn", find: same_asn::find },
    Rule { code: codes::UNDEFINED_REFERENCE, name: "undefined-reference", find: undefined_reference::find },
    Rule { code: codes::UNUSED_DEFINITION, name: "unused-definition", find: unused_definition::find },
    Rule { code: codes::OVERLAPPING_SUBNETS, name: "overlapping-subnets", find: overlapping_subnets::find },
    Rule { code: codes::NETWORK_WITHOUT_ROUTE, name: "network-without-route", find: network_without_route::find },
    Rule { code: codes::NO_MAXIMUM_PREFIXES, name: "maximum-prefixes", find: maximum_prefixes::find },
    Rule { code: codes::NO_EXTERNAL_POLICY, name: "external-policy", find: external_policy::find },
    Rule { code: codes::OSPF_MISMATCH, name: "ospf-adjacency", find: ospf_adjacency::find },
    Rule { code: codes::SESSION_FAMILY_MISMATCH, name: "session-family", find: session_family::find },
    Rule { code: codes::UNDEFINED_SERVICE, name: "undefined-service", find: undefined_service::find },
];
