//! Verify: observes the network and compares it with the intents.

use std::{collections::BTreeMap, time::Duration};

use weft_device::state::OperStatus;
use weft_model::{NodeName, TerminationPoint};
use weft_verify::{ConvergePolicy, Converged, Intended, Observed, Round};

use super::{Compiled, Predicted, Project};
use crate::{definition::VerifyStage, reach::Reach, run::LinkState};

/// Returns what observation is compared with.
pub fn intended<'a>(
    project: &'a Project,
    compiled: &'a Compiled,
    predicted: &'a Predicted,
    reach: &'a Reach,
) -> Intended<'a> {
    Intended {
        intents: &project.intents,
        network: &project.network,
        allocations: &compiled.allocations,
        configs: &compiled.configs,
        rendered: &compiled.rendered,
        external: &compiled.external,
        cables: &predicted.cables,
        predicted: &predicted.prediction,
        packs: &project.packs,
        secrets: &reach.digests,
    }
}

/// Observes and compares again and again until the network is as the stage asks for, or its time is over.
pub async fn verify(
    project: &Project,
    compiled: &Compiled,
    predicted: &Predicted,
    reach: &Reach,
    parameters: &VerifyStage,
    on_round: impl FnMut(&Round),
) -> Converged {
    let policy = ConvergePolicy {
        limit: Duration::from_secs(parameters.converge_seconds.into()),
        probes_per_intent: parameters.probes.pairs_limit.into(),
        ..ConvergePolicy::default()
    };
    let reading = reach.reading(parameters.concurrency.into());
    weft_verify::converge(
        &intended(project, compiled, predicted, reach),
        &reach.targets(compiled),
        &reading,
        &policy,
        on_round,
    )
    .await
}

/// Returns the state of each cable by its smaller end: up when both ends were seen up, down when one was seen down. The end
/// at an external router is never seen and counts as the other one.
pub fn link_states(
    predicted: &Predicted,
    compiled: &Compiled,
    observed: &BTreeMap<NodeName, Observed>,
) -> BTreeMap<TerminationPoint, LinkState> {
    let end = |point: &TerminationPoint| {
        let interfaces = observed.get(&point.node)?.state.interfaces.as_ref()?;
        Some(interfaces.get(&point.interface).map_or(OperStatus::Down, |interface| interface.oper_status))
    };
    let state = |cable: &[TerminationPoint; 2]| {
        let ends: Vec<Option<OperStatus>> =
            cable.iter().filter(|point| compiled.configs.contains_key(&point.node)).map(end).collect();
        if ends.contains(&Some(OperStatus::Down)) {
            LinkState::Down
        } else if ends.is_empty() || ends.contains(&None) {
            LinkState::Unknown
        } else {
            LinkState::Up
        }
    };
    predicted.cables.iter().map(|cable| (cable[0].clone(), state(cable))).collect()
}
