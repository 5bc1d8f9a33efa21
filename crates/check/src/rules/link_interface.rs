//! Every link has its interface at both ends.
//!
//! # What it does
//! Looks for the interface of each end of each link of the topology in the configuration of its device.
//!
//! # Why
//! A link whose port is not configured at one end never comes up, and whatever counts on it is missing without a word.
//!
//! # Example
//! The topology has `b1-leaf-01:swp15 -- b1-spine-01:swp1`, but the configuration of `b1-spine-01` has no `swp1`.

use weft_diagnostics::Diagnostic;

use crate::{
    codes,
    fleet::{Fleet, error},
};

pub(super) fn find(fleet: &Fleet<'_>) -> Vec<Diagnostic> {
    let ends = fleet.links.iter().flat_map(|link| link.ends.iter().map(move |end| (link, end)));
    ends.filter(|(_, end)| end.interface.is_none())
        .map(|(link, end)| {
            let message =
                format!("the link {} has no interface `{}` on `{}`", link.link, end.point.interface, end.point.node);
            error(codes::LINK_WITHOUT_INTERFACE, message, &[link.link.source.clone()].into())
        })
        .collect()
}
