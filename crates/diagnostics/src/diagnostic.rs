//! The finding itself.

use serde::Serialize;

use crate::{Code, SourceSpan};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing may go on.
    Error,
    /// Most likely a mistake, but work can go on.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Returns `error`, `warning` or `note`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A related place and what it has to do with the finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Label {
    /// Where.
    pub span: SourceSpan,
    /// What is there, such as `first used here`.
    pub message: String,
}

/// One step of the path that shows a finding: what a device does with a packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PathStep {
    /// The device.
    pub node: String,
    /// The interface through which the packet leaves; `None` where it ends.
    pub interface: Option<String>,
    /// The protocol of the route that decides, such as `bgp`.
    pub protocol: Option<String>,
    /// The prefix of that route.
    pub prefix: Option<String>,
}

impl std::fmt::Display for PathStep {
    /// Writes it as `leaf-01 -> swp1 (bgp 10.0.1.0/24)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.node)?;
        if let Some(interface) = &self.interface {
            write!(f, " -> {interface}")?;
        }
        if let (Some(protocol), Some(prefix)) = (&self.protocol, &self.prefix) {
            write!(f, " ({protocol} {prefix})")?;
        }
        Ok(())
    }
}

/// One finding. Findings sort by place, then by code and message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, with the offending value, in one line.
    pub message: String,
    /// The place that causes it; `None` only where no text does.
    pub span: Option<SourceSpan>,
    /// Related places.
    pub labels: Vec<Label>,
    /// The path of a packet that shows it, hop by hop, where it is about one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathStep>,
    /// What the user can do.
    pub help: Option<String>,
    /// Places whose characters are never printed: a secret stands there. They are hidden from everything that is printed
    /// with this finding, also from the lines around other places.
    #[serde(skip)]
    pub concealed: Vec<SourceSpan>,
}

impl Diagnostic {
    /// Returns an error with `code` and `message`, without a place yet.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Returns a warning with `code` and `message`, without a place yet.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Returns a note with `code` and `message`, without a place yet.
    pub fn note(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            span: None,
            labels: Vec::new(),
            path: Vec::new(),
            help: None,
            concealed: Vec::new(),
        }
    }

    /// Sets the place that causes the finding.
    #[must_use]
    pub fn at(mut self, span: SourceSpan) -> Self {
        self.span = Some(span);
        self
    }

    /// Adds a related place.
    #[must_use]
    pub fn label(mut self, span: SourceSpan, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Sets the path that shows the finding.
    #[must_use]
    pub fn path(mut self, path: Vec<PathStep>) -> Self {
        self.path = path;
        self
    }

    /// Sets what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Hides the characters of a place wherever its line is printed.
    #[must_use]
    pub fn conceal(mut self, span: SourceSpan) -> Self {
        self.concealed.push(span);
        self
    }
}

impl PartialOrd for Diagnostic {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Diagnostic {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.span, self.code, &self.message)
            .cmp(&(&other.span, other.code, &other.message))
            .then_with(|| self.severity.cmp(&other.severity))
            .then_with(|| {
                let own = (&self.help, &self.labels, &self.path, &self.concealed);
                own.cmp(&(&other.help, &other.labels, &other.path, &other.concealed))
            })
    }
}

/// Tells whether any finding is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}
