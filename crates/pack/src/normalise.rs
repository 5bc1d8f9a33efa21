//! What makes no difference between two texts of one file.

use std::cmp::Ordering;

use regex::Regex;

/// The compiled form of `manifest::Normalise`.
#[derive(Debug)]
pub(crate) struct Normaliser {
    pub(crate) ignore: Vec<Regex>,
    pub(crate) unordered: bool,
    pub(crate) secrets: Vec<Regex>,
}

/// What stands in the place of a secret that Weft does not know.
const UNKNOWN_SECRET: &str = "(a secret that is not the intended one)";

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

    pub(crate) fn without_unknown_secrets(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
            let secret = self.secrets.iter().find_map(|pattern| pattern.captures(words)?.name("secret"));
            match secret.filter(|secret| !secret.is_empty() && !secret.as_str().starts_with("${secret:")) {
                Some(secret) => {
                    out.push_str(&words[..secret.start()]);
                    out.push_str(UNKNOWN_SECRET);
                    out.push_str(&words[secret.end()..]);
                }
                None => out.push_str(words),
            }
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
    fn a_secret_that_nobody_knows_is_left_out() {
        let secrets = vec![Regex::new(r#"password "(?P<secret>[^"]*)""#).unwrap()];
        let normaliser = Normaliser { ignore: Vec::new(), unordered: false, secrets };
        let text = "a\n  password \"hunter2\";\n  password \"${secret:env/A}\";\nb";
        let left = "a\n  password \"(a secret that is not the intended one)\";\n  password \"${secret:env/A}\";\nb";
        assert_eq!(normaliser.without_unknown_secrets(text), left);
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
