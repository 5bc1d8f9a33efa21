//! `weft explain-code`: what a code of a finding means, with an example.

use serde_json::{Value, json};
use weft_diagnostics::Code;
use weft_intent::suggest::Suggester;
use weft_pipeline::ExitCode as Exit;

use crate::{args::Format, failure::Failure, output::Output};

/// A finding of each code, as it is printed: taken from the cases in `tests/errors`, which a test keeps current.
const EXAMPLES: &str = include_str!("../examples.txt");

pub(crate) fn run(code: Option<&str>, output: &Output) -> Result<Exit, Failure> {
    let codes = codes();
    let Some(wanted) = code else {
        output.result(match output.format {
            Format::Json => serde_json::to_string_pretty(&codes.iter().map(as_json).collect::<Vec<_>>())?,
            _ => codes.iter().map(|code| format!("{}  {}\n", code.id(), code.title())).collect(),
        });
        return Ok(Exit::Success);
    };
    let Some(code) = codes.iter().find(|code| code.id() == spelled_out(wanted)) else {
        let wanted = spelled_out(wanted);
        let suggester = Suggester::default();
        let near = suggester.nearest(&wanted, codes.iter().map(Code::id)).map(str::to_owned).or_else(|| {
            let title = suggester.nearest(&wanted, codes.iter().map(Code::title))?;
            codes.iter().find(|code| code.title() == title).map(|code| code.id().to_owned())
        });
        let help = match near {
            Some(near) => format!("did you mean {near}?"),
            None => "`weft explain-code` lists all codes".to_owned(),
        };
        return Err(Failure::of_input(anyhow::anyhow!("there is no code {wanted}; {help}")));
    };
    output.result(match output.format {
        Format::Json => serde_json::to_string_pretty(&as_json(code))?,
        _ => {
            let example = example(code).map(|example| format!("\n\nFor example:\n\n{example}")).unwrap_or_default();
            format!("{}: {}\n\n{}{example}", code.id(), code.title(), code.explanation())
        }
    });
    Ok(Exit::Success)
}

/// Every code that a crate of Weft reports, in order.
pub(crate) fn codes() -> Vec<Code> {
    let mut codes: Vec<Code> = [
        weft_intent::codes::ALL,
        weft_guardrail::codes::ALL,
        weft_compile::codes::ALL,
        weft_pack::codes::ALL,
        weft_check::codes::ALL,
        weft_pipeline::codes::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect();
    codes.sort();
    codes
}

/// Returns a finding with the code, as it is printed, with the lines that it is about.
fn example(code: &Code) -> Option<&'static str> {
    findings(EXAMPLES).find(|finding| code_of(finding) == Some(code.id())).map(str::trim_end)
}

/// Returns the findings of a printed list, each with the lines below it.
pub(crate) fn findings(text: &str) -> impl Iterator<Item = &str> {
    let starts = |line: &str| ["error[", "warning[", "note["].iter().any(|level| line.starts_with(level));
    let mut begins: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if starts(line) {
            begins.push(at);
        }
        at += line.len();
    }
    begins.push(text.len());
    let ends: Vec<usize> = begins.iter().skip(1).copied().collect();
    begins.into_iter().zip(ends).map(|(begin, end)| &text[begin..end])
}

/// Returns the code that a printed finding has.
pub(crate) fn code_of(finding: &str) -> Option<&str> {
    finding.split_once('[')?.1.split_once(']').map(|(code, _)| code)
}

/// Returns what a user means by `101`, `weft-101` or `WEFT101`.
fn spelled_out(code: &str) -> String {
    let upper = code.trim().to_uppercase();
    let number = upper.trim_start_matches("WEFT").trim_start_matches('-');
    if !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit()) {
        format!("WEFT-{number}")
    } else {
        code.trim().to_owned()
    }
}

fn as_json(code: &Code) -> Value {
    json!({ "code": code.id(), "title": code.title(), "explanation": code.explanation(), "example": example(code) })
}
