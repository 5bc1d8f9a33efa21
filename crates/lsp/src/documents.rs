//! The texts that are open in the editor, and the names of files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use lsp_types::{TextDocumentContentChangeEvent, Uri};

use crate::positions::Lines;

/// A text that is open in the editor.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// Its name as the editor writes it.
    pub(crate) uri: Uri,
    /// Its version, as the editor counts.
    pub(crate) version: i32,
    /// What it holds.
    pub(crate) text: Arc<str>,
}

/// The open texts by their paths relative to the project.
pub(crate) type OpenFiles = BTreeMap<String, Open>;

/// The folder of the project.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    folder: PathBuf,
    /// The same without symbolic links.
    real: PathBuf,
}

impl Root {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        Self { folder, real }
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of a file relative to the project; `None` for what is elsewhere.
    pub(crate) fn relative(&self, uri: &Uri) -> Option<String> {
        let path = path_of(uri)?;
        let relative = [&self.folder, &self.real].into_iter().find_map(|root| path.strip_prefix(root).ok())?;
        let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        Some(parts?.join("/"))
    }

    /// Returns the name of a file of the project.
    pub(crate) fn uri(&self, relative: &str) -> Uri {
        let mut uri = "file://".to_owned();
        for octet in self.real.join(relative).to_string_lossy().bytes() {
            // RFC 3986 2.3, and the slash between folders.
            if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'/') {
                uri.push(char::from(octet));
            } else {
                uri.push_str(&format!("%{octet:02X}"));
            }
        }
        Uri(uri)
    }
}

/// Returns the path that a `file:` name means.
pub(crate) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let encoded = uri.0.strip_prefix("file://")?;
    let encoded = encoded.strip_prefix("localhost").unwrap_or(encoded);
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let digits = [rest.next()?, rest.next()?];
            octets.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).ok().map(PathBuf::from)
}

/// Makes an editor's changes in a text.
pub(crate) fn change(text: &str, changes: Vec<TextDocumentContentChangeEvent>) -> Arc<str> {
    let mut text = text.to_owned();
    for change in changes {
        match change {
            TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
                let lines = Lines::of(&text);
                let start = lines.offset(&text, part.range.start);
                let end = lines.offset(&text, part.range.end).max(start);
                text.replace_range(start..end, &part.text);
            }
            TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => text = whole.text,
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_names_both_ways() {
        let root = Root::new(PathBuf::from("/no such/prö ject"));
        let uri = root.uri("intents/a b.yaml");
        assert_eq!(uri.0, "file:///no%20such/pr%C3%B6%20ject/intents/a%20b.yaml");
        assert_eq!(root.relative(&uri).as_deref(), Some("intents/a b.yaml"));
        assert_eq!(root.relative(&Uri("file:///elsewhere/a.yaml".to_owned())), None);
        assert_eq!(root.relative(&Uri("untitled:Untitled-1".to_owned())), None);
        assert_eq!(root.relative(&Uri("file:///no%2".to_owned())), None);
    }
}
