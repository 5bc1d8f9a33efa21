//! Renders a device's configuration.

use std::{collections::BTreeMap, sync::Arc};

use minijinja::{
    Error,
    value::{Serde, Value},
};
use weft_device::config::DeviceConfig;
use weft_diagnostics::{Diagnostic, SourceSpan};

use crate::{Pack, Rendered, RenderedFile, codes, environment, provenance::From};

/// The variables of configuration templates: the fields of a `DeviceConfig`, and `from`.
pub(crate) const VARIABLES: &[&str] = &[
    "device",
    "pack",
    "profile",
    "system",
    "interfaces",
    "routing_policy",
    "static_routes",
    "bgp",
    "ospf",
    "acl_sets",
    "from",
];

impl Pack {
    /// Renders the configuration of `device`: its files, each line with what caused it.
    ///
    /// The result is `None` when a template fails; each template that does is one finding, which names its line and the
    /// device.
    pub fn render(&self, device: &DeviceConfig) -> (Option<Rendered>, Vec<Diagnostic>) {
        let from = Arc::new(From::default());
        let mut variables: BTreeMap<&str, Value> = BTreeMap::new();
        let config = Value::from(Serde(device));
        for name in VARIABLES.iter().filter(|name| **name != "from") {
            variables.insert(name, config.get_attr(name).unwrap_or_default());
        }
        variables.insert("from", Value::from_dyn_object(from.clone()));
        let variables = Value::from_pairs(variables);

        let mut files = BTreeMap::new();
        let mut diagnostics = Vec::new();
        for file in &self.manifest().files {
            let mut marked = String::new();
            for template in &file.templates {
                match self.configuration.get_template(template).and_then(|found| found.render(variables.clone())) {
                    Ok(text) => marked.push_str(&text),
                    Err(error) => diagnostics.push(self.failure(device, template, &error)),
                }
            }
            let (text, lines) = from.lines(&marked);
            files.insert(file.name.clone(), RenderedFile { text, lines });
        }
        let rendered = Rendered { device: device.device.clone(), pack: self.name().clone(), files };
        (diagnostics.is_empty().then_some(rendered), diagnostics)
    }

    fn failure(&self, device: &DeviceConfig, template: &str, error: &Error) -> Diagnostic {
        let template = error.name().unwrap_or(template);
        let code = if environment::is_unsafe_value(error) { codes::UNSAFE_VALUE } else { codes::RENDER };
        let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
        let message = format!("device `{}`: {}", device.device, environment::reason(error));
        let help = if environment::is_unsafe_value(error) {
            "look for the value in the intents of this device"
        } else {
            "a value that may be missing needs `{% if %}`"
        };
        let place = SourceSpan::point(self.path(&format!("templates/{template}")), line, 1);
        Diagnostic::error(code, message).at(place).help(help)
    }
}
