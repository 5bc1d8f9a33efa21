//! Paths of values, written as in expressions: `spec.spine.count`.

use weft_intent::{document::escape, shape::Step};

/// A path of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Reads a path: keys with dots between them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let keys: Vec<String> = text.split('.').map(|key| key.trim().to_owned()).collect();
        let good = |key: &String| !key.is_empty() && !key.contains(['[', ']', '(', ')', ' ', '/']);
        keys.iter().all(good).then_some(Self(keys))
    }

    /// Returns the first key.
    pub(crate) fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Returns the path without its first key.
    pub(crate) fn below(&self) -> Self {
        Self(self.0.iter().skip(1).cloned().collect())
    }

    /// Returns the path as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        self.0.iter().map(|key| format!("/{}", escape(key))).collect()
    }

    /// Returns the keys as steps through a schema.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.0.iter().map(|key| Step::Key(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_keys_with_dots() {
        assert_eq!(Path::parse("spec.spine.count").unwrap().pointer(), "/spec/spine/count");
        assert_eq!(Path::parse("item.port").unwrap().below().pointer(), "/port");
        assert_eq!(Path::parse("item").unwrap().below().pointer(), "");
        for bad in ["", "spec.", ".spec", "spec.rules[0]", "size(spec)"] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
    }
}
