//! Places in source texts, and the texts they point into.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A place in a source file: from `line:column` up to, not including, `end_line:end_column`.
///
/// Lines and columns count from 1; columns count characters. A place that is only known by its start has its end equal
/// to its start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceSpan {
    /// The file's path as the user knows it, relative to the project.
    pub file: Arc<str>,
    /// First line, from 1.
    pub line: u32,
    /// First column, in characters from 1.
    pub column: u32,
    /// Last line, from 1.
    pub end_line: u32,
    /// Column behind the last character, from 1.
    pub end_column: u32,
}

impl SourceSpan {
    /// Returns the place that starts and ends at `line:column`.
    pub fn point(file: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self { file: file.into(), line, column, end_line: line, end_column: column }
    }

    /// Returns the place of `length` characters on one line.
    pub fn on_line(file: impl Into<Arc<str>>, line: u32, column: u32, length: u32) -> Self {
        Self { file: file.into(), line, column, end_line: line, end_column: column + length }
    }
}

impl fmt::Display for SourceSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The texts that spans point into, by file path.
#[derive(Debug, Clone, Default)]
pub struct SourceMap(BTreeMap<Arc<str>, Arc<str>>);

impl SourceMap {
    /// Adds or replaces the text of `file`.
    pub fn insert(&mut self, file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) {
        self.0.insert(file.into(), text.into());
    }

    /// Returns the text of `file`, if it is known.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.0.get(file).map(AsRef::as_ref)
    }
}

impl<F: Into<Arc<str>>, T: Into<Arc<str>>> FromIterator<(F, T)> for SourceMap {
    fn from_iter<I: IntoIterator<Item = (F, T)>>(files: I) -> Self {
        Self(files.into_iter().map(|(file, text)| (file.into(), text.into())).collect())
    }
}
