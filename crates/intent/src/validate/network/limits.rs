//! What the ports of a link can do: speed and MTU.

use weft_diagnostics::Diagnostic;
use weft_model::{Bandwidth, Mtu, Platform, TerminationPoint};

use crate::codes;

/// Why two ports cannot be the ends of a link.
#[derive(Debug, Clone)]
pub(super) enum Wrong {
    /// The speeds of the two ends.
    Speed(Bandwidth, Bandwidth),
    /// The capacity of the link, and the speed of its ports.
    Capacity(Bandwidth, Bandwidth),
    /// The end, the MTU of the link, and the port's largest.
    Mtu(usize, Mtu, Mtu),
}

/// Returns the speeds of both ends, where they are known.
pub(super) fn speeds(ends: &[TerminationPoint; 2], platforms: [Option<&Platform>; 2]) -> [Option<Bandwidth>; 2] {
    [0, 1].map(|end| platforms[end]?.speeds.get(&ends[end].interface).copied())
}

/// Returns the first reason why a link cannot be.
pub(super) fn wrong(
    ends: &[TerminationPoint; 2],
    platforms: [Option<&Platform>; 2],
    mtu: Mtu,
    capacity: Option<Bandwidth>,
) -> Option<Wrong> {
    let speeds = speeds(ends, platforms);
    if let [Some(a), Some(b)] = speeds
        && a != b
    {
        return Some(Wrong::Speed(a, b));
    }
    if let (Some(capacity), Some(speed)) = (capacity, speeds.into_iter().flatten().min())
        && capacity > speed
    {
        return Some(Wrong::Capacity(capacity, speed));
    }
    // Of two ends that carry less, the one that carries the least.
    let largest = |end: usize| Some((*platforms[end]?.mtus.get(&ends[end].interface)?, end));
    let (least, end) = [largest(0), largest(1)].into_iter().flatten().min()?;
    (mtu > least).then_some(Wrong::Mtu(end, mtu, least))
}

impl Wrong {
    /// Returns the finding about `link`, a text, without its place.
    pub(super) fn finding(&self, link: &str) -> Diagnostic {
        match self {
            Self::Speed(a, b) => {
                let message = format!("the ends of {link} differ in speed: {a} and {b}");
                Diagnostic::error(codes::SPEED_MISMATCH, message).help("take two ports of one speed")
            }
            Self::Capacity(capacity, speed) => {
                let message = format!("{link} is to carry {capacity}, and its ports carry {speed}");
                Diagnostic::error(codes::CAPACITY_ABOVE_SPEED, message)
                    .help(format!("write a capacity of at most {speed}, or take faster ports"))
            }
            Self::Mtu(_, mtu, most) => {
                let message = format!("the MTU {mtu} does not fit {link}: a port carries {most} at most");
                Diagnostic::error(codes::MTU_ABOVE_PORT, message)
                    .help(format!("write an MTU of at most {most}, or take another platform"))
            }
        }
    }
}
