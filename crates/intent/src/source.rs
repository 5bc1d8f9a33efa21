//! A text file that was read.

use std::sync::Arc;

use weft_diagnostics::{Diagnostic, SourceSpan};

use crate::codes;

/// A file's path, as the user knows it, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path, relative to the project.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// Returns the file of this path and text.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Returns the file of this path and content.
    ///
    /// # Errors
    /// Returns a finding at the first octet that is not UTF-8.
    pub fn from_bytes(path: impl Into<Arc<str>>, bytes: Vec<u8>) -> Result<Self, Box<Diagnostic>> {
        let path = path.into();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { path, text: text.into() }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let good = String::from_utf8_lossy(&error.as_bytes()[..at]);
                let line = good.matches('\n').count() + 1;
                let column = good.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
                let octet = error.as_bytes().get(at).copied().unwrap_or_default();
                let message = format!("the octet 0x{octet:02x} is not UTF-8 text");
                let span = SourceSpan::point(path, clamp(line), clamp(column));
                Err(Box::new(Diagnostic::error(codes::NOT_UTF8, message).at(span).help("save the file as UTF-8")))
            }
        }
    }
}

/// Converts a line, column or length; texts are far smaller than the limit.
pub(crate) fn clamp(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf8_is_told_with_its_place() {
        let finding = SourceFile::from_bytes("a.yaml", b"a: b\nc: \xc3\xa9\xff\n".to_vec()).unwrap_err();
        assert_eq!(finding.span, Some(SourceSpan::point("a.yaml", 2, 5)));
    }
}
