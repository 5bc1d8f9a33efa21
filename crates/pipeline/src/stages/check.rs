//! Check: the configurations against each other, and the intents against the predicted network.

use std::collections::BTreeMap;

use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, has_errors};
use weft_model::NodeName;
use weft_simulate::{Cable, Failed, Prediction, simulate};

use super::{Compiled, Project};

/// The network as the configurations make it.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Every cable, those to external routers among them, in order.
    pub cables: Vec<Cable>,
    /// The state of every device, external routers included.
    pub prediction: Prediction,
}

/// Predicts the network with nothing broken.
pub fn predict(project: &Project, compiled: &Compiled) -> Predicted {
    let links = project.network.links().map(|link| link.ends.clone());
    let mut cables: Vec<Cable> = links.chain(compiled.external.cables.iter().cloned()).collect();
    cables.sort();
    let mut configs: BTreeMap<NodeName, DeviceConfig> = compiled.external.configs.clone();
    configs.extend(compiled.configs.clone());
    let prediction = simulate(&configs, &cables, &Failed::default());
    Predicted { cables, prediction }
}

/// Returns what is wrong with the configurations; and where they agree with each other, which Reachability intents the
/// predicted network does not keep, also after the failures that they are to survive.
pub fn check(project: &Project, compiled: &Compiled) -> Vec<Diagnostic> {
    let mut findings = weft_check::check(&project.intents, &project.network, &compiled.configs);
    // What follows from a mistake would be told as another one.
    if !has_errors(&findings) {
        let (broken, _) = weft_check::check_predicted(
            &project.intents,
            &project.network,
            &compiled.allocations,
            &compiled.configs,
            &compiled.external,
        );
        findings.extend(broken);
    }
    findings.sort();
    findings.dedup();
    findings
}
