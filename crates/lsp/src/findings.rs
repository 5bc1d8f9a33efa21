//! Findings as editors show them.

use std::collections::{BTreeMap, BTreeSet};

use lsp_types::{
    CodeDescription, Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity, Location,
    PublishDiagnosticsParams, Range, Uri,
};
use weft_diagnostics::{Code, Diagnostic, Severity, SourceMap, SourceSpan};

use crate::{
    documents::{OpenFiles, Root},
    positions::Lines,
};

/// Where the codes are explained.
const PAGE: &str = "https://example.org/weft/blob/main/docs/codes.md";

/// Says findings file by file, and takes back those that are gone.
#[derive(Default)]
pub(crate) struct Publisher {
    /// The files that have findings in the editor.
    said: BTreeSet<String>,
}

impl Publisher {
    /// Returns what is to be said so that the editor shows these findings and no others.
    pub(crate) fn publish(
        &mut self,
        root: &Root,
        findings: &[Diagnostic],
        sources: &SourceMap,
        open: &OpenFiles,
    ) -> Vec<PublishDiagnosticsParams> {
        let mut texts = Texts { root, sources, open, lines: BTreeMap::new() };
        let mut files: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
        for finding in findings {
            if let Some(span) = &finding.span {
                files.entry(span.file.to_string()).or_default().push(shown(finding, span, &mut texts));
            }
        }
        let now: BTreeSet<String> = files.keys().cloned().collect();
        for gone in self.said.difference(&now) {
            files.insert(gone.clone(), Vec::new());
        }
        self.said = now;
        let params = files.into_iter().map(|(file, diagnostics)| PublishDiagnosticsParams {
            uri: texts.uri(&file),
            version: open.get(&file).map(|open| open.version),
            diagnostics,
        });
        params.collect()
    }
}

fn shown(finding: &Diagnostic, span: &SourceSpan, texts: &mut Texts<'_>) -> Shown {
    let related: Vec<DiagnosticRelatedInformation> = finding
        .labels
        .iter()
        .map(|label| DiagnosticRelatedInformation {
            location: texts.location(&label.span),
            message: label.message.clone(),
        })
        .collect();
    let message = match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    };
    Shown {
        range: texts.range(span),
        severity: Some(match finding.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Note => DiagnosticSeverity::Information,
        }),
        code: Some(finding.code.id().to_owned().into()),
        code_description: Some(CodeDescription { href: Uri(page(finding.code)) }),
        source: Some("weft".to_owned()),
        message: message.into(),
        tags: None,
        related_information: (!related.is_empty()).then_some(related),
        data: None,
    }
}

/// Returns where a code is explained: its heading there, as renderers of Markdown name it.
fn page(code: Code) -> String {
    let words: Vec<String> = std::iter::once(code.id())
        .chain(code.title().split_whitespace())
        .map(|word| word.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect::<String>().to_lowercase())
        .collect();
    format!("{PAGE}#{}", words.join("-"))
}

/// The texts that findings point into, with the lines of each found once.
pub(crate) struct Texts<'a> {
    root: &'a Root,
    sources: &'a SourceMap,
    open: &'a OpenFiles,
    lines: BTreeMap<String, Lines>,
}

impl Texts<'_> {
    fn uri(&self, file: &str) -> Uri {
        self.open.get(file).map_or_else(|| self.root.uri(file), |open| open.uri.clone())
    }

    fn range(&mut self, span: &SourceSpan) -> Range {
        let text = self.sources.text(&span.file).unwrap_or_default();
        self.lines.entry(span.file.to_string()).or_insert_with(|| Lines::of(text)).span(text, span)
    }

    fn location(&mut self, span: &SourceSpan) -> Location {
        Location { uri: self.uri(&span.file), range: self.range(span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leads_to_its_heading() {
        let code = Code::new("WEFT-103", "value of the wrong type", "x");
        assert_eq!(page(code), format!("{PAGE}#weft-103-value-of-the-wrong-type"));
    }
}
