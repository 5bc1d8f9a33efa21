//! What each port carries.

use std::collections::{HashMap, HashSet};

use weft_diagnostics::Diagnostic;
use weft_model::{Catalogue, InterfaceName, Node, PackName, PlatformName, TerminationPoint};

use super::Spot;
use crate::{codes, suggest::Suggester};

/// The ports of the platforms, and what is on each port of the nodes.
pub(super) struct Ports<'a> {
    platforms: HashMap<(&'a PackName, &'a PlatformName), HashSet<&'a InterfaceName>>,
    taken: HashMap<TerminationPoint, Spot<'a>>,
}

impl<'a> Ports<'a> {
    pub(super) fn of(catalogue: &'a Catalogue) -> Self {
        let mut platforms = HashMap::new();
        for (pack, description) in catalogue {
            for (name, platform) in &description.platforms {
                platforms.insert((pack, name), platform.ports.iter().collect());
            }
        }
        Self { platforms, taken: HashMap::new() }
    }

    /// Returns the finding that `node` has no such port, and `None` when it has or when its platform is not known.
    pub(super) fn unknown(&self, node: &Node, interface: &InterfaceName, suggester: &Suggester) -> Option<Diagnostic> {
        let ports = self.platforms.get(&(&node.pack, &node.platform))?;
        if ports.contains(interface) {
            return None;
        }
        let message = format!("`{}`, a `{}`, has no port `{interface}`", node.name, node.platform);
        let mut sorted: Vec<&InterfaceName> = ports.iter().copied().collect();
        sorted.sort();
        let help =
            match (suggester.nearest(interface.as_str(), sorted.iter().map(|port| port.as_str())), sorted.as_slice()) {
                (_, []) => "the platform has no ports".to_owned(),
                (Some(near), [first, .., last]) => {
                    format!("did you mean `{near}`? The ports are `{first}` to `{last}`")
                }
                (None, [first, .., last]) => format!("the ports are `{first}` to `{last}`"),
                (_, [only]) => format!("the only port is `{only}`"),
            };
        Some(Diagnostic::error(codes::UNKNOWN_PORT, message).help(help))
    }

    /// Puts something on a port.
    ///
    /// # Errors
    /// Returns the finding that the port is taken, without its place, and what was to be put there.
    pub(super) fn take(&mut self, port: &TerminationPoint, by: Spot<'a>) -> Result<(), Box<(Diagnostic, Spot<'a>)>> {
        if let Some(first) = self.taken.get(port) {
            let finding = Diagnostic::error(codes::PORT_USED_TWICE, format!("the port `{port}` is used twice"))
                .label(first.span(), "first used here")
                .help("take a free port");
            return Err(Box::new((finding, by)));
        }
        self.taken.insert(port.clone(), by);
        Ok(())
    }
}
