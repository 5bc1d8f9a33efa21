//! What makes no difference between two texts of one file.

use std::cmp::Ordering;

use regex::Regex;
use weft_model::SecretDigest;

/// The compiled form of `manifest::Normalise`.
#[derive(Debug)]
pub(crate) struct Normaliser {
    pub(crate) ignore: Vec<Regex>,
    pub(crate) unordered: bool,
    pub(crate) secrets: Vec<Regex>,
}

/// A line and the lines that are indented below it.
struct Section<'a> {
    line: &'a str,
    below: Vec<Section<'a>>,
}

impl Normaliser {
    /// Returns `text` without what makes no difference: white space at the ends of lines, empty and ignored lines, and, where
    /// order makes none, with the lines of each section sorted and sections of the same name joined.
    pub(crate) fn apply(&self, text: &str) -> String {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !self.ignore.iter().any(|pattern| pattern.is_match(line)))
            .collect();
        let mut out = String::with_capacity(text.len());
        if self.unordered {
            let mut rest = lines.as_slice();
            let mut sections = read(&mut rest, 0);
            sort(&mut sections);
            write(&sections, &mut out);
        } else {
            for line in lines {
                out.push_str(line);
                out.push('\n');
            }
        }
        out
    }

    /// Puts the placeholder of its digest in the place of each secret.
    pub(crate) fn without_secrets(&self, text: &str, digest: &dyn Fn(&str) -> SecretDigest) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
            // A device may end its lines otherwise; a secret holds no such character.
            let (words, end) = words.strip_suffix('\r').map_or((words, end), |words| (words, &line[words.len()..]));
            let found = self.secrets.iter().flat_map(|pattern| pattern.captures_iter(words));
            let found = found.filter_map(|captures| captures.name("secret"));
            let mut secrets: Vec<_> = found.filter(|secret| !secret.is_empty()).collect();
            secrets.sort_by_key(|secret| (secret.start(), std::cmp::Reverse(secret.end())));
            let mut from = 0;
            for secret in secrets {
                // Two patterns may find the same.
                if secret.start() >= from {
                    out.push_str(&words[from..secret.start()]);
                    out.push_str(&digest(secret.as_str()).placeholder());
                    from = secret.end();
                }
            }
            out.push_str(&words[from..]);
            out.push_str(end);
        }
        out
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn read<'a>(lines: &mut &[&'a str], least: usize) -> Vec<Section<'a>> {
    let mut sections: Vec<Section<'a>> = Vec::new();
    while let Some((&line, rest)) = lines.split_first() {
        let depth = indentation(line);
        if depth < least {
            break;
        }
        *lines = rest;
        let below = read(lines, depth + 1);
        match sections.iter_mut().find(|section| section.line == line) {
            Some(section) => section.below.extend(below),
            None => sections.push(Section { line, below }),
        }
    }
    sections
}

fn sort(sections: &mut [Section<'_>]) {
    sections.sort_by(|a, b| natural_order(a.line, b.line).then_with(|| a.line.cmp(b.line)));
    for section in sections {
        sort(&mut section.below);
    }
}

fn write(sections: &[Section<'_>], out: &mut String) {
    for section in sections {
        out.push_str(section.line);
        out.push('\n');
        write(&section.below, out);
    }
}

/// Compares runs of digits as numbers and the rest by byte, so that `swp2` comes before `swp10`.
fn natural_order(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if left[i].is_ascii_digit() && right[j].is_ascii_digit() {
            let (a, b) = (digits(&left[i..]), digits(&right[j..]));
            match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
                Ordering::Equal => {
                    i += left[i..].iter().take_while(|c| c.is_ascii_digit()).count();
                    j += right[j..].iter().take_while(|c| c.is_ascii_digit()).count();
                }
                unequal => return unequal,
            }
        } else {
            match left[i].cmp(&right[j]) {
                Ordering::Equal => (i, j) = (i + 1, j + 1),
                unequal => return unequal,
            }
        }
    }
    (left.len() - i).cmp(&(right.len() - j))
}

/// Returns the digits that `text` begins with, without leading zeros.
fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let start = text[..end].iter().take_while(|c| **c == b'0').count();
    &text[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unordered(ignore: &[&str]) -> Normaliser {
        let ignore = ignore.iter().map(|p| Regex::new(p).unwrap()).collect();
        Normaliser { ignore, unordered: true, secrets: Vec::new() }
    }

    #[test]
    fn secrets_are_replaced_by_their_digests_whatever_they_look_like() {
        let secrets = [r#"password "(?P<secret>[^"]*)""#, "key (?P<secret>[^ ]+)", "^ *key (?P<secret>.+) mac"];
        let secrets = secrets.map(|pattern| Regex::new(pattern).unwrap()).into();
        let normaliser = Normaliser { ignore: Vec::new(), unordered: false, secrets };
        let digest = |value: &str| SecretDigest::of_hash(&[u8::try_from(value.len()).unwrap()]);
        let text =
            "a\n  password \"hunter2\";\n  password \"${secret:env/A}\";\r\n key x y mac\nkey 1 key 22\npassword \"\"";
        let left = "a\n  password \"${secret:?:07}\";\n  password \"${secret:?:0f}\";\r\n key ${secret:?:03} mac\n\
                    key ${secret:?:01} key ${secret:?:02}\npassword \"\"";
        assert_eq!(normaliser.without_secrets(text, &digest), left);
    }

    #[test]
    fn order_within_a_section_makes_no_difference() {
        let one = "router bgp 1\n neighbor swp10 x\n neighbor swp2 x\n !\n address-family a\n  network b\n  network a\n exit\n!\nip x\n";
        let other =
            "ip x\nrouter bgp 1\n address-family a\n  network a\n  network b\n neighbor swp2 x\n neighbor swp10 x\n";
        let normaliser = unordered(&["^ *(!|exit.*)$"]);
        assert_eq!(normaliser.apply(one), normaliser.apply(other));
        assert!(normaliser.apply(one).find("swp2").unwrap() < normaliser.apply(one).find("swp10").unwrap());
    }

    #[test]
    fn the_same_section_twice_is_one() {
        assert_eq!(unordered(&[]).apply("a\n 1\nb\na\n 2\n"), "a\n 1\n 2\nb\n");
    }

    #[test]
    fn a_line_in_another_section_is_a_difference() {
        let normaliser = unordered(&[]);
        assert_ne!(normaliser.apply("a\n 1\nb\n"), normaliser.apply("a\nb\n 1\n"));
    }
}
