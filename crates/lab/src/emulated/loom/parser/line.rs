//! One statement of loom's configuration language.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use super::acl;
use ipnet::IpNet;
use weft_device::config::{
    AclAction, AclEntry, Action, AfiSafi, Bfd, NeighborTarget, Prepend, Seconds, SshKey, Timers,
};
use weft_model::{Asn, Community, InterfaceName, Mtu, Name, NodeName};

use super::ospf_line::{OspfLine, families};

/// Where a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Top,
    User,
    Interface,
    PrefixSet,
    CommunitySet,
    Policy,
    Statement,
    Bgp,
    Neighbor,
    Acl,
    Ospf,
    OspfInterface,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Hostname(NodeName),
    NtpServer(IpAddr),
    DnsServer(IpAddr),
    User(Name),
    SshKey(SshKey),
    Interface(InterfaceName),
    Description(String),
    Mtu(Mtu),
    Address(IpNet),
    Unnumbered,
    PrefixSet(Name),
    PrefixSetEntry { prefix: IpNet, least: u8, greatest: u8 },
    CommunitySet(Name),
    CommunitySetEntry(Community),
    Policy(Name),
    Statement { sequence: u16, action: Action },
    MatchPrefixSet(Name),
    MatchCommunitySet(Name),
    RemoveCommunities(Name),
    AddCommunity(Community),
    LocalPreference(u32),
    Med(u32),
    Prepend(Prepend),
    StaticRoute(IpNet),
    Bgp(Asn),
    RouterId(Ipv4Addr),
    ClusterId(Ipv4Addr),
    MaximumPaths(u16),
    Network(IpNet),
    Neighbor(NeighborTarget),
    OutgoingInterface(InterfaceName),
    LocalAddress(IpAddr),
    RouteReflectorClient,
    NextHopSelf,
    RemoteAs(Asn),
    External,
    Timers(Timers),
    Bfd(Bfd),
    Password(String),
    ImportPolicy(Name),
    ExportPolicy(Name),
    MaximumPrefixes(u32),
    Acl { name: Name, default_action: AclAction },
    AclEntry(AclEntry),
    EgressAcl(Name),
    Families(BTreeSet<AfiSafi>),
    Ospf,
    OfOspf(OspfLine),
}

/// The longest password, in octets.
const MOST_PASSWORD_OCTETS: usize = 80;

impl Line {
    /// Reads a statement, without its indentation.
    ///
    /// # Errors
    /// Returns what is wrong with it. A password is never repeated.
    pub(crate) fn parse(context: Context, text: &str) -> Result<Self, String> {
        if matches!(context, Context::Interface | Context::Neighbor)
            && let Some(quoted) = text.strip_prefix("description ")
        {
            return description(quoted);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        match (context, words.as_slice()) {
            (Context::Top, ["hostname", name]) => value(name).map(Self::Hostname),
            (Context::Top, ["ntp", "server", address]) => value(address).map(Self::NtpServer),
            (Context::Top, ["dns", "server", address]) => value(address).map(Self::DnsServer),
            (Context::Top, ["user", name]) => value(name).map(Self::User),
            (Context::Top, ["interface", name]) => value(name).map(Self::Interface),
            (Context::Top, ["prefix-set", name]) => value(name).map(Self::PrefixSet),
            (Context::Top, ["community-set", name]) => value(name).map(Self::CommunitySet),
            (Context::Top, ["policy", name]) => value(name).map(Self::Policy),
            (Context::Top, ["static-route", prefix, "discard"]) => network(prefix).map(Self::StaticRoute),
            (Context::Top, ["acl", name, "default", action]) => {
                Ok(Self::Acl { name: value(name)?, default_action: acl::action(action)? })
            }
            (Context::Top, ["ospf"]) => Ok(Self::Ospf),
            (Context::Top, ["bgp", asn]) => number(asn).map(Self::Bgp),

            (Context::User, ["ssh-key", algorithm, key, comment @ ..]) => ssh_key(algorithm, key, &comment.join(" ")),

            (Context::Interface, ["mtu", octets]) => {
                let octets: u16 = value(octets)?;
                Mtu::try_from(octets).map(Self::Mtu).map_err(|error| error.to_string())
            }
            (Context::Interface, ["address", prefix]) => value(prefix).map(Self::Address),
            (Context::Interface, ["egress-acl", name]) => value(name).map(Self::EgressAcl),
            (Context::Interface, ["unnumbered"]) => Ok(Self::Unnumbered),

            (Context::PrefixSet, [prefix, "least", least, "greatest", greatest]) => {
                let prefix = network(prefix)?;
                let (least, greatest) = (value(least)?, value(greatest)?);
                if prefix.prefix_len() <= least && least <= greatest && greatest <= prefix.max_prefix_len() {
                    Ok(Self::PrefixSetEntry { prefix, least, greatest })
                } else {
                    Err(format!("the lengths {least} to {greatest} do not fit {prefix}"))
                }
            }

            (Context::CommunitySet, [community]) => value(community).map(Self::CommunitySetEntry),

            (Context::Policy, ["statement", sequence, action]) => {
                let action = match *action {
                    "accept" => Action::Accept,
                    "reject" => Action::Reject,
                    "next" => Action::Next,
                    _ => return Err(format!("`{action}` is none of `accept`, `reject` and `next`")),
                };
                Ok(Self::Statement { sequence: value(sequence)?, action })
            }
            (Context::Statement, ["match", "prefix-set", name]) => value(name).map(Self::MatchPrefixSet),
            (Context::Statement, ["match", "community-set", name]) => value(name).map(Self::MatchCommunitySet),
            (Context::Statement, ["remove-communities", name]) => value(name).map(Self::RemoveCommunities),
            (Context::Statement, ["add-community", community]) => value(community).map(Self::AddCommunity),
            (Context::Statement, ["local-preference", number]) => value(number).map(Self::LocalPreference),
            (Context::Statement, ["med", number]) => value(number).map(Self::Med),
            (Context::Statement, ["prepend", asn, "times", times]) => prepend(asn, times),

            (Context::Acl, ["entry", sequence, action, "name", name, rest @ ..]) => {
                acl::entry(sequence, action, name, rest).map(Self::AclEntry)
            }

            (Context::Bgp | Context::Ospf, ["router-id", address]) => value(address).map(Self::RouterId),
            (Context::Bgp | Context::Ospf, ["maximum-paths", paths]) => positive(paths).map(Self::MaximumPaths),
            (Context::Bgp, ["cluster-id", address]) => value(address).map(Self::ClusterId),
            (Context::Bgp, ["network", prefix]) => network(prefix).map(Self::Network),
            (Context::Bgp, ["neighbor", "interface", name]) => {
                value(name).map(NeighborTarget::Interface).map(Self::Neighbor)
            }
            (Context::Bgp, ["neighbor", address]) => value(address).map(NeighborTarget::Address).map(Self::Neighbor),

            (Context::Neighbor, ["interface", name]) => value(name).map(Self::OutgoingInterface),
            (Context::Neighbor, ["local-address", address]) => value(address).map(Self::LocalAddress),
            (Context::Neighbor, ["route-reflector-client"]) => Ok(Self::RouteReflectorClient),
            (Context::Neighbor, ["next-hop-self"]) => Ok(Self::NextHopSelf),
            (Context::Neighbor, ["remote-as", asn]) => number(asn).map(Self::RemoteAs),
            (Context::Neighbor, ["external"]) => Ok(Self::External),
            (Context::Neighbor, ["timers", keepalive, hold, connect_retry]) => timers(keepalive, hold, connect_retry),
            (Context::Neighbor | Context::OspfInterface, ["bfd", "interval", interval, "multiplier", multiplier]) => {
                Ok(Self::Bfd(Bfd { interval_ms: positive(interval)?, multiplier: positive(multiplier)? }))
            }
            (Context::Neighbor, ["password", key]) if key.len() <= MOST_PASSWORD_OCTETS => {
                Ok(Self::Password((*key).to_owned()))
            }
            (Context::Neighbor, ["password", ..]) => {
                Err(format!("a password is one word of at most {MOST_PASSWORD_OCTETS} octets"))
            }
            (Context::Neighbor, ["import-policy", name]) => value(name).map(Self::ImportPolicy),
            (Context::Neighbor, ["export-policy", name]) => value(name).map(Self::ExportPolicy),
            (Context::Neighbor, ["maximum-prefixes", count]) => positive(count).map(Self::MaximumPrefixes),

            (Context::Neighbor | Context::Ospf, ["families", first, more @ ..]) => {
                families(&[&[*first], more].concat()).map(Self::Families)
            }
            (Context::Ospf, words) => OspfLine::of_process(words).map(Self::OfOspf),
            (Context::OspfInterface, words) => OspfLine::of_interface(words).map(Self::OfOspf),

            (Context::Neighbor | Context::Bgp | Context::Top, _) if text.contains("password") => {
                Err("not a statement of this section".to_owned())
            }
            _ => Err(format!("`{}` is not a statement of this section", text.escape_debug())),
        }
    }

    /// Returns the section that the statement opens, if it does.
    pub(crate) fn opens(&self) -> Option<Context> {
        match self {
            Self::User(_) => Some(Context::User),
            Self::Interface(_) => Some(Context::Interface),
            Self::PrefixSet(_) => Some(Context::PrefixSet),
            Self::CommunitySet(_) => Some(Context::CommunitySet),
            Self::Policy(_) => Some(Context::Policy),
            Self::Statement { .. } => Some(Context::Statement),
            Self::Bgp(_) => Some(Context::Bgp),
            Self::Neighbor(_) => Some(Context::Neighbor),
            Self::Acl { .. } => Some(Context::Acl),
            Self::Ospf => Some(Context::Ospf),
            Self::OfOspf(OspfLine::On(_)) => Some(Context::OspfInterface),
            Self::Hostname(_)
            | Self::NtpServer(_)
            | Self::DnsServer(_)
            | Self::SshKey(_)
            | Self::Description(_)
            | Self::Mtu(_)
            | Self::Address(_)
            | Self::Unnumbered
            | Self::PrefixSetEntry { .. }
            | Self::MatchPrefixSet(_)
            | Self::CommunitySetEntry(_)
            | Self::MatchCommunitySet(_)
            | Self::RemoveCommunities(_)
            | Self::AddCommunity(_)
            | Self::LocalPreference(_)
            | Self::Med(_)
            | Self::Prepend(_)
            | Self::StaticRoute(_)
            | Self::RouterId(_)
            | Self::ClusterId(_)
            | Self::MaximumPaths(_)
            | Self::Network(_)
            | Self::OutgoingInterface(_)
            | Self::LocalAddress(_)
            | Self::RouteReflectorClient
            | Self::NextHopSelf
            | Self::RemoteAs(_)
            | Self::External
            | Self::Timers(_)
            | Self::Bfd(_)
            | Self::Password(_)
            | Self::ImportPolicy(_)
            | Self::ExportPolicy(_)
            | Self::MaximumPrefixes(_)
            | Self::AclEntry(_)
            | Self::EgressAcl(_)
            | Self::Families(_)
            | Self::OfOspf(_) => None,
        }
    }

    /// Returns the place of the statement in its section: statements are shown in rising order of it, and those of one
    /// place as they came.
    pub(crate) fn place(&self) -> u8 {
        match self {
            Self::Hostname(_)
            | Self::SshKey(_)
            | Self::Description(_)
            | Self::PrefixSetEntry { .. }
            | Self::Statement { .. }
            | Self::MatchPrefixSet(_)
            | Self::MatchCommunitySet(_)
            | Self::CommunitySetEntry(_)
            | Self::RouterId(_)
            | Self::ClusterId(_)
            | Self::AclEntry(_) => 0,
            Self::NtpServer(_)
            | Self::Mtu(_)
            | Self::MaximumPaths(_)
            | Self::OutgoingInterface(_)
            | Self::LocalAddress(_)
            | Self::RemoveCommunities(_) => 1,
            Self::DnsServer(_) | Self::Address(_) | Self::Network(_) | Self::RemoteAs(_) | Self::AddCommunity(_) => 2,
            Self::User(_)
            | Self::Unnumbered
            | Self::Neighbor(_)
            | Self::External
            | Self::RouteReflectorClient
            | Self::NextHopSelf
            | Self::LocalPreference(_) => 3,
            Self::Interface(_) | Self::Timers(_) | Self::EgressAcl(_) | Self::Med(_) => 4,
            Self::PrefixSet(_) | Self::CommunitySet(_) | Self::Bfd(_) | Self::Prepend(_) => 5,
            Self::Policy(_) | Self::Password(_) => 6,
            Self::StaticRoute(_) | Self::ImportPolicy(_) => 7,
            Self::Bgp(_) | Self::ExportPolicy(_) => 8,
            Self::MaximumPrefixes(_) | Self::Ospf => 9,
            Self::Acl { .. } => 10,
            Self::Families(_) => 2,
            Self::OfOspf(line) => line.place(),
        }
    }

    /// Returns what the statement is about: of two in a section that are about the same, the later one replaces the
    /// other.
    pub(crate) fn subject(&self) -> String {
        match self {
            Self::Hostname(_) => "hostname".to_owned(),
            Self::NtpServer(address) => format!("ntp server {address}"),
            Self::DnsServer(address) => format!("dns server {address}"),
            Self::User(name) => format!("user {name}"),
            Self::SshKey(key) => format!("ssh-key {} {}", key.algorithm, key.key),
            Self::Interface(name) => format!("interface {name}"),
            Self::Description(_) => "description".to_owned(),
            Self::Mtu(_) => "mtu".to_owned(),
            Self::Address(prefix) => format!("address {prefix}"),
            Self::Unnumbered => "unnumbered".to_owned(),
            Self::PrefixSet(name) => format!("prefix-set {name}"),
            Self::PrefixSetEntry { prefix, least, greatest } => format!("{prefix} least {least} greatest {greatest}"),
            Self::CommunitySet(name) => format!("community-set {name}"),
            Self::CommunitySetEntry(community) => community.to_string(),
            Self::Policy(name) => format!("policy {name}"),
            Self::Statement { sequence, .. } => format!("statement {sequence}"),
            Self::MatchPrefixSet(_) => "match prefix-set".to_owned(),
            Self::MatchCommunitySet(_) => "match community-set".to_owned(),
            Self::RemoveCommunities(_) => "remove-communities".to_owned(),
            Self::AddCommunity(community) => format!("add-community {community}"),
            Self::LocalPreference(_) => "local-preference".to_owned(),
            Self::Med(_) => "med".to_owned(),
            Self::Prepend(_) => "prepend".to_owned(),
            Self::StaticRoute(prefix) => format!("static-route {prefix}"),
            Self::Bgp(_) => "bgp".to_owned(),
            Self::RouterId(_) => "router-id".to_owned(),
            Self::ClusterId(_) => "cluster-id".to_owned(),
            Self::MaximumPaths(_) => "maximum-paths".to_owned(),
            Self::Network(prefix) => format!("network {prefix}"),
            Self::Neighbor(target) => format!("neighbor {target}"),
            Self::OutgoingInterface(_) => "interface".to_owned(),
            Self::LocalAddress(_) => "local-address".to_owned(),
            Self::RouteReflectorClient => "route-reflector-client".to_owned(),
            Self::NextHopSelf => "next-hop-self".to_owned(),
            Self::RemoteAs(_) => "remote-as".to_owned(),
            Self::External => "external".to_owned(),
            Self::Timers(_) => "timers".to_owned(),
            Self::Bfd(_) => "bfd".to_owned(),
            Self::Password(_) => "password".to_owned(),
            Self::ImportPolicy(_) => "import-policy".to_owned(),
            Self::ExportPolicy(_) => "export-policy".to_owned(),
            Self::MaximumPrefixes(_) => "maximum-prefixes".to_owned(),
            Self::Acl { name, .. } => format!("acl {name}"),
            Self::AclEntry(entry) => format!("entry {}", entry.sequence),
            Self::EgressAcl(_) => "egress-acl".to_owned(),
            Self::Families(_) => "families".to_owned(),
            Self::Ospf => "ospf".to_owned(),
            Self::OfOspf(line) => line.subject(),
        }
    }
}

pub(super) fn value<T: std::str::FromStr>(word: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    word.parse().map_err(|error: T::Err| format!("`{}`: {error}", word.escape_debug()))
}

/// Reads a number of 1 or more.
pub(super) fn positive<T: std::str::FromStr + Default + PartialEq>(word: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    let number = value(word)?;
    if number == T::default() { Err(format!("`{word}` is not 1 or more")) } else { Ok(number) }
}

fn number(word: &str) -> Result<Asn, String> {
    let number: u32 = value(word)?;
    Asn::try_from(number).map_err(|error| error.to_string())
}

fn prepend(asn: &str, times: &str) -> Result<Line, String> {
    match value(times)? {
        times @ 1..=10 => Ok(Line::Prepend(Prepend { asn: number(asn)?, times })),
        times => Err(format!("{times} is not 1 to 10 times")),
    }
}

/// Reads a prefix without host bits.
fn network(word: &str) -> Result<IpNet, String> {
    let prefix: IpNet = value(word)?;
    if prefix == prefix.trunc() { Ok(prefix) } else { Err(format!("{prefix} has host bits: {}", prefix.trunc())) }
}

fn description(quoted: &str) -> Result<Line, String> {
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('"') => Ok(Line::Description(inner.to_owned())),
        Some(_) => Err("a description has no quotes within".to_owned()),
        None => Err("a description stands between double quotes".to_owned()),
    }
}

fn ssh_key(algorithm: &str, key: &str, comment: &str) -> Result<Line, String> {
    russh::keys::PublicKey::from_openssh(&format!("{algorithm} {key}"))
        .map_err(|error| format!("not a public key: {error}"))?;
    Ok(Line::SshKey(SshKey { algorithm: algorithm.to_owned(), key: key.to_owned(), comment: comment.to_owned() }))
}

/// RFC 4271 4.2: a hold time is zero or at least 3 s.
fn timers(keepalive: &str, hold: &str, connect_retry: &str) -> Result<Line, String> {
    let timers = Timers {
        keepalive: Seconds(value(keepalive)?),
        hold: Seconds(value(hold)?),
        connect_retry: Seconds(value(connect_retry)?),
    };
    if matches!(timers.hold.0, 1 | 2) {
        return Err("a hold time is 0 or at least 3 seconds".to_owned());
    }
    if timers.hold.0 > 0 && timers.keepalive > timers.hold {
        return Err("the keepalive time is longer than the hold time".to_owned());
    }
    Ok(Line::Timers(timers))
}
