//! Segment intents: their ports and how many subnets they need.

use weft_diagnostics::Diagnostic;
use weft_model::{Node, TerminationPoint};

use super::{Spot, Validation, selector};
use crate::{Intent, codes, spec::SegmentSpec, suggest::first_of};

pub(super) fn check(validation: &mut Validation<'_>) {
    for intent in validation.set.segments.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        let mut ports = 0_u128;
        for (index, selection) in spec.ports.iter().enumerate() {
            let at = format!("/spec/ports/{index}");
            let nodes = selector::select(validation, &selection.select, document, &format!("{at}/select"));
            for number in 0..selection.interfaces.len() {
                ports += u128::from(host_port(validation, intent, &nodes, (index, number)));
            }
        }
        lengths(validation, intent, ports);
    }
}

/// Puts the segment on one port of each node. Returns how many ports it is on, and reports those that it can't be on,
/// all nodes in one finding.
fn host_port<'a>(
    validation: &mut Validation<'a>,
    intent: &'a Intent<SegmentSpec>,
    nodes: &[&'a Node],
    (index, number): (usize, usize),
) -> u64 {
    let document = &*intent.document;
    let interface = &intent.spec.ports[index].interfaces[number];
    let pointer = format!("/spec/ports/{index}/interfaces/{number}");
    let mut free = 0;
    let mut unknown: Option<(Diagnostic, Vec<&str>)> = None;
    let mut taken: Option<(Diagnostic, Vec<String>)> = None;
    for node in nodes {
        if let Some(finding) = validation.ports.unknown(node, interface, validation.suggester) {
            unknown.get_or_insert_with(|| (finding, Vec::new())).1.push(node.name.as_str());
            continue;
        }
        let port = TerminationPoint { node: node.name.clone(), interface: interface.clone() };
        match validation.ports.take(&port, Spot::new(document, &*pointer)) {
            Ok(()) => free += 1,
            Err(refused) => taken.get_or_insert_with(|| (refused.0, Vec::new())).1.push(port.to_string()),
        }
    }
    if let Some((mut finding, nodes)) = unknown {
        if nodes.len() > 1 {
            finding.message = format!("{}; the same on {} more", finding.message, nodes.len() - 1);
        }
        validation.report(finding.at(document.span(&pointer)));
    }
    if let Some((mut finding, ports)) = taken {
        if let [first, _, ..] = ports.as_slice() {
            finding.message = format!("the ports {} are used twice", first_of(first, ports.len()));
        }
        validation.report(finding.at(document.span(&pointer)));
    }
    free
}

fn lengths(validation: &mut Validation<'_>, intent: &Intent<SegmentSpec>, ports: u128) {
    let (spec, document) = (&intent.spec, &*intent.document);
    let (prefix, length) = (spec.prefix, spec.subnet_length);
    if length <= prefix.prefix_len() {
        let message = format!("subnets of length {length} are not smaller than the prefix {prefix}");
        validation.report(
            Diagnostic::error(codes::SUBNET_LENGTH, message)
                .at(document.span("/spec/subnet_length"))
                .label(document.span("/spec/prefix"), "the prefix")
                .help(match prefix.prefix_len() {
                    short @ ..30 => format!("write a length from {} to 30", short + 1),
                    _ => "take a prefix that is shorter than 30 bits".to_owned(),
                }),
        );
        return;
    }
    let subnets = 1_u128.checked_shl(u32::from(length - prefix.prefix_len())).unwrap_or(u128::MAX);
    if subnets < ports {
        let message = format!("{prefix} has {subnets} subnets of length {length}, and the segment has {ports} ports");
        validation.report(
            Diagnostic::error(codes::POOL_EXHAUSTED, message)
                .at(document.span("/spec/prefix"))
                .label(document.span("/spec/subnet_length"), "the length of each port's subnet")
                .help("widen the prefix, make the subnets smaller, or split the segment"),
        );
    }
}
