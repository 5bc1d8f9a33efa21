//! Baseline intents: whether the nodes can do it, and accounts given twice.

use std::collections::{BTreeMap, HashMap};

use weft_diagnostics::Diagnostic;
use weft_model::{Name, NodeName};

use super::{Spot, Validation, selector};
use crate::{codes, suggest::first_of};

pub(super) fn check(validation: &mut Validation<'_>) {
    let mut accounts: HashMap<&Name, HashMap<&NodeName, Spot<'_>>> = HashMap::new();
    for intent in validation.set.baselines.values() {
        let (spec, document) = (&intent.spec, &*intent.document);
        let nodes = selector::select(validation, &spec.select, document, "/spec/select");
        let needs = [
            (!spec.ntp.servers.is_empty(), "ntp"),
            (!spec.dns.servers.is_empty(), "dns"),
            (!spec.users.is_empty(), "users"),
        ];
        for (wanted, feature) in needs {
            if wanted {
                validation.feature(nodes.iter().copied(), feature, document, &format!("/spec/{feature}"));
            }
        }
        let mut here: BTreeMap<&Name, usize> = BTreeMap::new();
        for (index, user) in spec.users.iter().enumerate() {
            let spot = Spot::new(document, format!("/spec/users/{index}/name"));
            if let Some(first) = here.get(&user.name) {
                let first = document.span(&format!("/spec/users/{first}/name"));
                let message = format!("the account `{}` is given twice", user.name);
                let finding = Diagnostic::error(codes::DUPLICATE_USER, message).at(spot.span());
                validation.report(finding.label(first, "first given here").help("join the keys in one account"));
                continue;
            }
            here.insert(&user.name, index);
            let of_user = accounts.entry(&user.name).or_default();
            let mut twice: Option<(usize, &NodeName, Spot<'_>)> = None;
            for node in &nodes {
                if let Some(first) = of_user.get(&node.name) {
                    twice.get_or_insert_with(|| (0, &node.name, first.clone())).0 += 1;
                } else {
                    of_user.insert(&node.name, spot.clone());
                }
            }
            if let Some((count, node, first)) = twice {
                let message =
                    format!("the account `{}` is given twice to {}", user.name, first_of(node.as_str(), count));
                let finding = Diagnostic::error(codes::DUPLICATE_USER, message).at(spot.span());
                validation.report(finding.label(first.span(), "first given here").help("narrow one of the selections"));
            }
        }
    }
}
