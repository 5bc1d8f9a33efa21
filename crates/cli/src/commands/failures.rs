//! What `--fail` names, and names of devices in few words: shared by the commands that predict.

use weft_intent::suggest::Suggester;
use weft_model::{NodeName, TerminationPoint};
use weft_pipeline::stages::{Compiled, Project};
use weft_simulate::Failed;

use crate::{args::Failures, failure::Failure};

/// The most names that are written out.
const MOST_NAMES: usize = 4;

/// Returns what is broken.
pub(crate) fn failed(failures: &Failures, project: &Project, compiled: &Compiled) -> Result<Failed, Failure> {
    let mut failed = Failed::default();
    for text in &failures.fail {
        add(text, &mut failed, project, compiled)?;
    }
    Ok(failed)
}

fn add(text: &str, failed: &mut Failed, project: &Project, compiled: &Compiled) -> Result<(), Failure> {
    let usage = || Failure::of_usage(format!("`--fail {text}`: write `link:NODE:PORT`, `node:NAME` or `group:NAME`"));
    let (kind, name) = text.split_once(':').ok_or_else(usage)?;
    match kind {
        "node" => {
            let nodes = project.network.nodes().map(|node| node.name.as_str());
            let known: Vec<&str> = nodes.chain(compiled.external.configs.keys().map(NodeName::as_str)).collect();
            let node = known.contains(&name).then(|| name.parse().ok()).flatten();
            failed.nodes.insert(node.ok_or_else(|| unknown("node", name, &known))?);
        }
        "link" => {
            let (node, port) = name.split_once(':').ok_or_else(usage)?;
            let links = project.network.links().map(|link| &link.ends).chain(&compiled.external.cables);
            let ends: Vec<&TerminationPoint> = links.flatten().collect();
            let end = ends.iter().find(|end| end.node.as_str() == node && end.interface.to_string() == port);
            let Some(end) = end else {
                let known: Vec<String> = ends.iter().map(ToString::to_string).collect();
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Err(unknown("link at", name, &known));
            };
            failed.links.insert((*end).clone());
        }
        "group" => {
            let links = || project.network.links();
            let sharing = links().filter(|link| link.shared_risks.contains(name));
            let sharing: Vec<TerminationPoint> = sharing.map(|link| link.ends[0].clone()).collect();
            if sharing.is_empty() {
                let known: Vec<&str> = links().flat_map(|link| &link.shared_risks).map(|name| name.as_str()).collect();
                return Err(unknown("group of shared risks", name, &known));
            }
            failed.links.extend(sharing);
        }
        _ => return Err(usage()),
    }
    Ok(())
}

/// Returns a failure that names what the user may have meant.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> Failure {
    let meant =
        Suggester::default().nearest(name, known.iter().copied()).map(|meant| format!("; did you mean `{meant}`?"));
    let meant = match (meant, known.is_empty()) {
        (Some(meant), _) => meant,
        (None, true) => "; there are none".to_owned(),
        (None, false) => String::new(),
    };
    Failure::of_input(anyhow::anyhow!("there is no {what} `{name}`{meant}"))
}

/// Returns what is broken in words, such as `b1-spine-01 is off, b1-leaf-01:swp15 -- b1-spine-02:swp1 is cut`.
pub(crate) fn broken(failed: &Failed, project: &Project, compiled: &Compiled) -> String {
    let off = failed.nodes.iter().map(|node| format!("{node} is off"));
    let links = project.network.links().map(|link| &link.ends).chain(&compiled.external.cables);
    let cut = links.filter(|ends| ends.iter().any(|end| failed.links.contains(end)));
    off.chain(cut.map(|[a, b]| format!("{a} -- {b} is cut"))).collect::<Vec<_>>().join(", ")
}

/// Names devices: all of a few; of a row with rising numbers the first and the last; else the first ones.
pub(crate) fn names<'n>(devices: impl IntoIterator<Item = &'n str>) -> String {
    let devices: Vec<&str> = devices.into_iter().collect();
    let number = |name: &str| {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (stem, number) = name.split_at(name.len() - digits);
        Some((stem.to_owned(), number.parse::<u64>().ok()?))
    };
    match devices.as_slice() {
        few if few.len() < MOST_NAMES => few.join(", "),
        [first, .., last] => {
            let numbers: Option<Vec<(String, u64)>> = devices.iter().map(|name| number(name)).collect();
            let in_a_row = numbers.is_some_and(|numbers| {
                numbers.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1)
            });
            match in_a_row {
                true => format!("{first} to {last} ({})", devices.len()),
                false => format!("{} and {} more", devices[..3].join(", "), devices.len() - 3),
            }
        }
        few => few.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_row_of_devices_has_a_short_name() {
        assert_eq!(names(["a-1"]), "a-1");
        assert_eq!(names(["a-1", "a-2", "a-3"]), "a-1, a-2, a-3");
        assert_eq!(names(["a-08", "a-09", "a-10", "a-11"]), "a-08 to a-11 (4)");
        assert_eq!(names(["a-1", "a-2", "a-4", "a-5"]), "a-1, a-2, a-4 and 1 more");
        assert_eq!(names(["a", "b", "c", "d"]), "a, b, c and 1 more");
    }
}
