//! "Did you mean": the known word nearest to the one that was written.

use std::cell::Cell;

/// Comparisons one run may spend on suggestions; after that it makes none. A finding is worth more than a fast guess,
/// but ten thousand findings with ten thousand candidates each are not worth a minute.
const COMPARISONS: usize = 1_000_000;

/// Finds the nearest known word, within a budget of comparisons.
#[derive(Debug)]
pub struct Suggester {
    left: Cell<usize>,
}

impl Default for Suggester {
    fn default() -> Self {
        Self { left: Cell::new(COMPARISONS) }
    }
}

impl Suggester {
    /// Returns the candidate nearest to `word`, if one is near enough to be a slip of the fingers.
    pub fn nearest<'c>(&self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        let length = word.chars().count();
        let allowed = (length / 3).clamp(1, 4);
        let lower = word.to_lowercase();
        let mut best: Option<(usize, &str)> = None;
        for candidate in candidates {
            let Some(left) = self.left.get().checked_sub(1) else { break };
            self.left.set(left);
            if candidate.len().abs_diff(lower.len()) > allowed {
                continue;
            }
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    /// Returns a help text: the nearest candidate, or else all of them when they are few.
    pub fn help<'c>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str> + Clone,
        what: &str,
    ) -> Option<String> {
        if let Some(near) = self.nearest(word, candidates.clone()) {
            return Some(format!("did you mean `{near}`?"));
        }
        let mut shown: Vec<&str> = candidates.into_iter().take(SHOWN + 1).collect();
        match shown.len() {
            0 => Some(format!("there are no {what}")),
            1..=SHOWN => Some(format!("the {what} are {}", list(&shown))),
            _ => {
                shown.truncate(SHOWN);
                Some(format!("the {what} are {} and others", list(&shown)))
            }
        }
    }
}

/// Most words listed in a help text.
const SHOWN: usize = 16;

/// Returns `` `a`, `b`, `c` ``.
pub(crate) fn list<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Returns `first`, or `first and 3 more`.
pub(crate) fn first_of(first: &str, count: usize) -> String {
    if count > 1 { format!("`{first}` and {} more", count - 1) } else { format!("`{first}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        let suggester = Suggester::default();
        assert_eq!(suggester.nearest("splne", ["spine", "leaf", "border"]), Some("spine"));
        assert_eq!(suggester.nearest("Leaf", ["spine", "leaf"]), Some("leaf"));
        assert_eq!(suggester.nearest("firewall", ["spine", "leaf"]), None);
        assert_eq!(suggester.help("x", [], "fabrics").as_deref(), Some("there are no fabrics"));
    }
}
