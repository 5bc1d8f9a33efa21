//! What is wrong with a template that would only show when the branch that holds it is taken.

use std::{collections::BTreeSet, sync::LazyLock};

use minijinja::Environment;
use regex::Regex;

/// What stands in `{{ }}` and `{% %}`.
#[allow(clippy::expect_used, reason = "a constant pattern")]
static TAGS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)\{#.*?#\}|\{\{(.*?)\}\}|\{%(.*?)%\}").expect("a constant pattern"));
/// Texts within a tag.
#[allow(clippy::expect_used, reason = "a constant pattern")]
static TEXTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"#).expect("a constant pattern"));
/// Uses of filters and tests.
#[allow(clippy::expect_used, reason = "a constant pattern")]
static USES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\|\s*(?P<filter>[A-Za-z_]\w*)|\bis\s+(?:not\s+)?(?P<test>[A-Za-z_]\w*)").expect("a constant pattern")
});

/// Functions that every engine has.
const FUNCTIONS: &[&str] = &["matches", "fail", "range", "dict", "namespace", "debug"];

/// One thing that is wrong, and its line from 1.
pub(crate) struct Flaw {
    pub(crate) line: u32,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Looks for filters and tests that do not exist, for variables other than `variables`, and for characters that marks are
/// made of. The template is named `name` in `environment`.
pub(crate) fn flaws(environment: &Environment<'_>, name: &str, source: &str, variables: &[&str]) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let at = |offset: usize| 1 + source[..offset].matches('\n').count() as u32;
    if let Some(offset) = source.find(|c: char| c.is_control() && c != '\n' && c != '\t') {
        flaws.push(Flaw {
            line: at(offset),
            message: "the template holds a control character".to_owned(),
            help: "remove it: marks of sources are made of such characters".to_owned(),
        });
    }
    for tag in TAGS.captures_iter(source) {
        let Some(inner) = tag.get(1).or_else(|| tag.get(2)) else { continue };
        let blank = TEXTS.replace_all(inner.as_str(), |text: &regex::Captures<'_>| " ".repeat(text[0].len()));
        for found in USES.captures_iter(&blank) {
            let (kind, group) = match (found.name("filter"), found.name("test")) {
                (Some(group), _) => ("filter", group),
                (None, Some(group)) => ("test", group),
                (None, None) => continue,
            };
            let question = format!("{{{{ '{}' is {kind} }}}}", group.as_str());
            if environment.render_str(&question, ()).is_ok_and(|answer| answer.eq_ignore_ascii_case("false")) {
                let line = at(inner.start() + group.start());
                let message = format!("there is no {kind} `{}`", group.as_str());
                let help = "there are those of minijinja and the ones that `docs/packs.md` lists".to_owned();
                flaws.push(Flaw { line, message, help });
            }
        }
    }
    if let Ok(template) = environment.get_template(name) {
        let unknown: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
        for variable in unknown.iter().filter(|v| !variables.contains(&v.as_str()) && !FUNCTIONS.contains(&v.as_str()))
        {
            let line = Regex::new(&format!(r"\b{}\b", regex::escape(variable)))
                .ok()
                .and_then(|pattern| {
                    TAGS.find_iter(source).find_map(|tag| Some(tag.start() + pattern.find(tag.as_str())?.start()))
                })
                .map_or(1, at);
            let message = format!("there is no variable `{variable}`");
            let names: Vec<String> = variables.iter().map(|name| format!("`{name}`")).collect();
            flaws.push(Flaw { line, message, help: format!("the variables here are {}", names.join(", ")) });
        }
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(source: &str) -> Vec<(u32, String)> {
        let mut environment = Environment::new();
        environment.add_template_owned("t", source.to_owned()).unwrap();
        flaws(&environment, "t", source, &["bgp"]).into_iter().map(|flaw| (flaw.line, flaw.message)).collect()
    }

    #[test]
    fn what_a_dead_branch_hides_is_found() {
        assert_eq!(
            messages("{% if bgp %}\n{{ bgp | banana }}\n{% endif %}"),
            [(2, "there is no filter `banana`".to_owned())]
        );
        assert_eq!(messages("{% if bgp is not wise %}{% endif %}"), [(1, "there is no test `wise`".to_owned())]);
        assert_eq!(messages("x\n{{ bpg }}"), [(2, "there is no variable `bpg`".to_owned())]);
        assert_eq!(messages("{{ bgp | length }}{% for x in bgp %}{{ x ~ '| banana' }}{% endfor %}{# bpg | no #}"), []);
    }
}
