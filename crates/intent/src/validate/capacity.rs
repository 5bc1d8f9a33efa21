//! Capacity intents: the ends of their demands, and whether there is anything to check.

use std::collections::BTreeMap;

use weft_diagnostics::Diagnostic;

use super::{Routing, Validation, flow};
use crate::{codes, spec::FlowEnd};

pub(super) fn check(validation: &mut Validation<'_>, routing: &Routing<'_>) {
    let mut without = validation.linked && validation.network.links().all(|link| link.capacity.is_none());
    for intent in validation.set.capacities.values() {
        let document = &*intent.document;
        let mut demands: BTreeMap<(&FlowEnd, &FlowEnd), usize> = BTreeMap::new();
        for (index, demand) in intent.spec.demands.iter().enumerate() {
            let at = format!("/spec/demands/{index}");
            flow::ends(validation, routing, (&demand.from, &demand.to), document, &at);
            if let Some(first) = demands.get(&(&demand.from, &demand.to)) {
                let message = format!("there are two demands from `{}` to `{}`", demand.from, demand.to);
                let first = document.span(&format!("/spec/demands/{first}/to"));
                validation.report(
                    Diagnostic::error(codes::DUPLICATE_DEMAND, message)
                        .at(document.span(&format!("{at}/to")))
                        .label(first, "the first one is here")
                        .help("join them: write one with the sum, or with the larger bandwidth"),
                );
            } else {
                demands.insert((&demand.from, &demand.to), index);
            }
        }
        if std::mem::take(&mut without) {
            validation.report(
                Diagnostic::error(codes::NO_CAPACITY, "no link of the network has a capacity")
                    .at(document.span("/spec/maximum_utilisation_percent"))
                    .help("give links of a Topology their `capacity`, such as `100G`"),
            );
        }
    }
}
