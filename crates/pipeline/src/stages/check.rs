//! Check: the configurations against each other, and the intents against the predicted network.

use std::collections::BTreeMap;

use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, has_errors};
use weft_model::NodeName;
use weft_simulate::{Cable, Failed, Prediction, simulate};

use super::{Compiled, Project};
use crate::definition::Silenced;

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

/// Takes away what a pipeline silences, and tells that it does.
pub fn silence(mut findings: Vec<Diagnostic>, silenced: &[Silenced]) -> Vec<Diagnostic> {
    for what in silenced {
        let (code, name) = match what {
            Silenced::Loops => (weft_check::codes::LOOP, "loops"),
            Silenced::Blackholes => (weft_check::codes::BLACKHOLE, "blackholes"),
        };
        let before = findings.len();
        findings.retain(|finding| finding.code != code);
        let told = before - findings.len();
        let message = format!("`{name}` are silenced by the pipeline: {told} of them are not told");
        findings.push(Diagnostic::note(weft_check::codes::SILENCED, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use weft_check::codes;

    use super::*;

    #[test]
    fn what_is_silenced_is_counted() {
        let loops = || Diagnostic::error(codes::LOOP, "round");
        let found = silence(vec![loops(), loops(), Diagnostic::error(codes::BLACKHOLE, "lost")], &[Silenced::Loops]);
        let codes: Vec<_> = found.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [codes::BLACKHOLE, codes::SILENCED]);
        assert!(found[1].message.ends_with(": 2 of them are not told"), "{}", found[1].message);
    }
}
