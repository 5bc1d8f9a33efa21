//! Where the values of a document stand: a tree beside the tree of values.

use std::sync::Arc;

use weft_diagnostics::SourceSpan;

/// From `line:column` up to, not including, `end_line:end_column`; all from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) end_line: u32,
    pub(crate) end_column: u32,
}

impl Extent {
    /// Returns the extent as a place in `file`.
    pub(crate) fn span(self, file: &Arc<str>) -> SourceSpan {
        SourceSpan {
            file: file.clone(),
            line: self.line,
            column: self.column,
            end_line: self.end_line,
            end_column: self.end_column,
        }
    }
}

/// Where a value stands, and its key, and what it holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The value. Of a block mapping, its first key; of a block list, its first dash.
    pub(crate) extent: Extent,
    /// The key, where the value is in a mapping.
    pub(crate) key: Option<Extent>,
    /// What it holds.
    pub(crate) inner: Inner,
}

/// What a value holds.
#[derive(Debug, Clone, Default)]
pub(crate) enum Inner {
    /// Nothing with a place of its own: a scalar, or an alias.
    #[default]
    Nothing,
    /// The items of a list.
    Items(Vec<Place>),
    /// The values of a mapping, sorted by key.
    Values(Vec<(Box<str>, Place)>),
}

impl Place {
    /// Tells whether the value is neither a list nor a mapping.
    pub(crate) fn is_single(&self) -> bool {
        match self.inner {
            Inner::Nothing => true,
            Inner::Items(_) | Inner::Values(_) => false,
        }
    }

    /// Returns where the value and all that it holds stands.
    pub(crate) fn whole(&self) -> Extent {
        let mut whole = self.extent;
        let mut around = |inner: Extent| {
            let start = (whole.line, whole.column).min((inner.line, inner.column));
            let end = (whole.end_line, whole.end_column).max((inner.end_line, inner.end_column));
            whole = Extent { line: start.0, column: start.1, end_line: end.0, end_column: end.1 };
        };
        match &self.inner {
            Inner::Nothing => {}
            Inner::Items(items) => items.iter().for_each(|item| around(item.whole())),
            Inner::Values(values) => values.iter().for_each(|(_, value)| {
                around(value.whole());
                value.key.iter().for_each(|key| around(*key));
            }),
        }
        whole
    }

    /// Returns the place at a JSON pointer and `true`, or the nearest around it and `false`.
    pub(crate) fn find(&self, pointer: &str) -> (&Self, bool) {
        let mut place = self;
        for token in pointer.split('/').skip(1) {
            let next = match &place.inner {
                Inner::Nothing => None,
                Inner::Items(items) => token.parse().ok().and_then(|index: usize| items.get(index)),
                Inner::Values(values) => {
                    let unescaped;
                    let key = if token.contains('~') {
                        unescaped = token.replace("~1", "/").replace("~0", "~");
                        unescaped.as_str()
                    } else {
                        token
                    };
                    values.binary_search_by(|(name, _)| (**name).cmp(key)).ok().map(|at| &values[at].1)
                }
            };
            match next {
                Some(next) => place = next,
                None => return (place, false),
            }
        }
        (place, true)
    }
}

/// Returns `key` as one token of a JSON pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A step of a path into a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Token<'v> {
    Key(&'v str),
    Index(usize),
}

/// Returns a path as a JSON pointer.
pub(crate) fn pointer(path: &[Token<'_>]) -> String {
    let mut pointer = String::new();
    for token in path {
        pointer.push('/');
        match token {
            Token::Key(key) => pointer.push_str(&escape(key)),
            Token::Index(index) => pointer.push_str(&index.to_string()),
        }
    }
    pointer
}
