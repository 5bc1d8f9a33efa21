//! Where a link or a flow ends, in the user's spelling.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{InterfaceName, NodeName};

/// One end of a link as a user writes it: `NODE:INTERFACE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    /// The node.
    pub node: NodeName,
    /// The interface on the node.
    pub interface: InterfaceName,
}

/// Why a text is not the end of a link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the end of a link: write `NODE:INTERFACE`, such as `leaf-01:swp1`", .0.escape_debug())]
pub struct InvalidEndpoint(String);

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let fail = || InvalidEndpoint(text.chars().take(120).collect());
        let (node, interface) = text.split_once(':').ok_or_else(fail)?;
        Ok(Self { node: node.parse().map_err(|_| fail())?, interface: interface.parse().map_err(|_| fail())? })
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_it_was_written() {
        let endpoint: Endpoint = "b1-leaf-01:Ethernet1/1:2".parse().unwrap();
        assert_eq!(endpoint.interface.as_str(), "Ethernet1/1:2");
        assert_eq!(endpoint.to_string(), "b1-leaf-01:Ethernet1/1:2");
        assert!("b1-leaf-01".parse::<Endpoint>().is_err());
    }
}
