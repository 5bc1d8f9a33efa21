//! How sessions are authenticated: in exactly one way, which the nodes can do.

use weft_diagnostics::Diagnostic;
use weft_model::Node;

use super::Validation;
use crate::{Document, codes, spec::Authentication};

/// Checks the authentication that `/spec/authentication` of a document asks for on sessions of these nodes.
pub(super) fn check(
    validation: &mut Validation<'_>,
    authentication: Option<&Authentication>,
    nodes: &[&Node],
    document: &Document,
) {
    let Some(authentication) = authentication else { return };
    let (md5, ao) = ("/spec/authentication/tcp_md5", "/spec/authentication/tcp_ao");
    match (&authentication.tcp_md5, &authentication.tcp_ao) {
        (Some(_), None) => validation.feature(nodes.iter().copied(), "bgp.md5", document, md5),
        (None, Some(_)) => validation.feature(nodes.iter().copied(), "bgp.ao", document, ao),
        (Some(_), Some(_)) => validation.report(
            Diagnostic::error(codes::AUTHENTICATION_CHOICE, "both TCP-MD5 and TCP-AO are given")
                .at(document.key_span(ao))
                .label(document.key_span(md5), "the other one")
                .help("a session has one of them: remove the other"),
        ),
        (None, None) => validation.report(
            Diagnostic::error(codes::AUTHENTICATION_CHOICE, "`authentication` says neither TCP-MD5 nor TCP-AO")
                .at(document.key_span("/spec/authentication"))
                .help("write `tcp_md5: env/NAME` or `tcp_ao`, or remove it"),
        ),
    }
}
