//! Segment intents: their ports, their prefixes, and how many subnets they need.

use ipnet::IpNet;
use weft_diagnostics::Diagnostic;
use weft_model::{InterfaceName, Mtu, Node, TerminationPoint};

use super::{Spot, Validation, selector};
use crate::{Document, Intent, codes, spec::SegmentSpec, suggest::first_of};

pub(super) fn check(validation: &mut Validation<'_>) {
    for intent in validation.set.segments.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        let mut ports = 0_u128;
        let mut small = SmallPorts::default();
        for (index, selection) in spec.ports.iter().enumerate() {
            let at = format!("/spec/ports/{index}");
            let nodes = selector::select(validation, &selection.select, document, &format!("{at}/select"));
            for (number, interface) in selection.interfaces.iter().enumerate() {
                let pointer = format!("{at}/interfaces/{number}");
                small.note(validation, &nodes, interface, spec.mtu, &pointer);
                ports += u128::from(host_port(validation, &nodes, interface, document, &pointer));
            }
        }
        small.report(validation, spec.mtu, document, "/spec/mtu");
        if families(validation, intent) {
            for (at, prefix, length) in spec.ranges() {
                lengths(validation, document, (at, prefix, length), ports);
            }
        }
    }
}

/// Puts a segment on one port of each node. Returns how many ports it is on, and reports those that it can't be on,
/// all nodes in one finding.
pub(super) fn host_port<'a>(
    validation: &mut Validation<'a>,
    nodes: &[&'a Node],
    interface: &InterfaceName,
    document: &'a Document,
    pointer: &str,
) -> u64 {
    let mut free = 0;
    let mut unknown: Option<(Diagnostic, Vec<&str>)> = None;
    let mut taken: Option<(Diagnostic, Vec<String>)> = None;
    for node in nodes {
        if let Some(finding) = validation.ports.unknown(node, interface, validation.suggester) {
            unknown.get_or_insert_with(|| (finding, Vec::new())).1.push(node.name.as_str());
            continue;
        }
        let port = TerminationPoint { node: node.name.clone(), interface: interface.clone() };
        match validation.ports.take(&port, Spot::new(document, pointer)) {
            Ok(()) => free += 1,
            Err(refused) => taken.get_or_insert_with(|| (refused.0, Vec::new())).1.push(port.to_string()),
        }
    }
    if let Some((mut finding, nodes)) = unknown {
        if nodes.len() > 1 {
            finding.message = format!("{}; the same on {} more", finding.message, nodes.len() - 1);
        }
        validation.report(finding.at(document.span(pointer)));
    }
    if let Some((mut finding, ports)) = taken {
        if let [first, _, ..] = ports.as_slice() {
            finding.message = format!("the ports {} are used twice", first_of(first, ports.len()));
        }
        validation.report(finding.at(document.span(pointer)));
    }
    free
}

/// Host ports that carry less than the MTU of their segment.
#[derive(Default)]
pub(super) struct SmallPorts {
    count: usize,
    /// The port that carries the least, where it is named, and what it carries.
    least: Option<(Mtu, TerminationPoint, String)>,
}

impl SmallPorts {
    pub(super) fn note(
        &mut self,
        validation: &Validation<'_>,
        nodes: &[&Node],
        interface: &InterfaceName,
        mtu: Mtu,
        pointer: &str,
    ) {
        for node in nodes {
            let platform = validation.catalogue.get(&node.pack).and_then(|pack| pack.platforms.get(&node.platform));
            let Some(most) = platform.and_then(|platform| platform.mtus.get(interface)) else { continue };
            if mtu <= *most {
                continue;
            }
            self.count += 1;
            if self.least.as_ref().is_none_or(|(least, ..)| most < least) {
                let port = TerminationPoint { node: node.name.clone(), interface: interface.clone() };
                self.least = Some((*most, port, pointer.to_owned()));
            }
        }
    }

    /// Reports them, all in one finding, at the MTU.
    pub(super) fn report(self, validation: &mut Validation<'_>, mtu: Mtu, document: &Document, pointer: &str) {
        let Some((most, port, port_at)) = self.least else { return };
        let ports = first_of(&port.to_string(), self.count);
        let message = format!("the MTU of the segment is {mtu}, and {ports} can carry {most} at most");
        validation.report(
            Diagnostic::error(codes::MTU_ABOVE_PORT, message)
                .at(document.span(pointer))
                .label(document.span(&port_at), "the port")
                .help(format!("write an MTU of at most {most}, or take other ports")),
        );
    }
}

/// Tells whether there is at most one prefix of each address family, each where it belongs, or reports why not.
fn families(validation: &mut Validation<'_>, intent: &Intent<SegmentSpec>) -> bool {
    let (spec, document) = (&intent.spec, &*intent.document);
    let Some(ipv6) = spec.ipv6 else { return true };
    let (message, help) = match (spec.prefix, ipv6.prefix) {
        (IpNet::V4(_), IpNet::V6(_)) => return true,
        (_, IpNet::V4(_)) => {
            (format!("the prefix {} under `ipv6` is IPv4", ipv6.prefix), "write an IPv6 prefix, or remove `ipv6`")
        }
        (IpNet::V6(_), IpNet::V6(_)) => (
            format!("the segment has two IPv6 prefixes, {} and {}", spec.prefix, ipv6.prefix),
            "write an IPv4 prefix in `prefix`, or remove `ipv6`",
        ),
    };
    validation.report(
        Diagnostic::error(codes::FAMILY_TWICE, message)
            .at(document.span("/spec/ipv6/prefix"))
            .label(document.span("/spec/prefix"), "the other prefix")
            .help(help),
    );
    false
}

/// Returns the greatest length of a subnet with a gateway and a host.
pub(super) fn longest(prefix: &IpNet) -> u8 {
    prefix.max_prefix_len() - 2
}

fn lengths(validation: &mut Validation<'_>, document: &Document, (at, prefix, length): (&str, IpNet, u8), ports: u128) {
    let longest = longest(&prefix);
    let length_at = format!("{at}/subnet_length");
    let prefix_at = format!("{at}/prefix");
    if length <= prefix.prefix_len() || length > longest {
        let message = if length > longest {
            format!("subnets of length {length} of {prefix} have no room for a gateway and a host")
        } else {
            format!("subnets of length {length} are not smaller than the prefix {prefix}")
        };
        validation.report(
            Diagnostic::error(codes::SUBNET_LENGTH, message)
                .at(document.span(&length_at))
                .label(document.span(&prefix_at), "the prefix")
                .help(if prefix.prefix_len() < longest {
                    format!(
                        "write a `subnet_length` from {} to {longest}, or a shorter prefix",
                        prefix.prefix_len() + 1
                    )
                } else {
                    format!("take a prefix that is shorter than {longest} bits")
                }),
        );
        return;
    }
    let subnets = 1_u128.checked_shl(u32::from(length - prefix.prefix_len())).unwrap_or(u128::MAX);
    if subnets < ports {
        let message = format!("{prefix} has {subnets} subnets of length {length}, and the segment has {ports} ports");
        validation.report(
            Diagnostic::error(codes::POOL_EXHAUSTED, message)
                .at(document.span(&prefix_at))
                .label(document.span(&length_at), "the length of each port's subnet")
                .help("widen the prefix, make the subnets smaller, or split the segment"),
        );
    }
}
