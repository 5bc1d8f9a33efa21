//! What is told about the key or value under the pointer.

use std::fmt::Write as _;

use lsp_types::{Contents, Hover, MarkupContent, MarkupKind};
use weft_intent::shape::{Shape, Step};

use crate::{outline::Place, reference::Reference, view::View};

/// Returns what is told about an octet.
pub(crate) fn hover(view: &View<'_>, offset: usize) -> Option<Hover> {
    let (entry, written, is_value) = match view.place(offset)? {
        Place::Key { entry: Some(entry), written, .. } => (entry, written, false),
        Place::Value { entry, written } => (entry, written, true),
        Place::Key { entry: None, .. } | Place::Item { .. } => return None,
    };
    if written.is_empty() {
        return None;
    }
    let value = is_value.then(|| of_value(view, entry)).flatten();
    let text = value.or_else(|| of_key(view, entry))?;
    let contents = Contents::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: text });
    Some(Hover { contents, range: Some(view.range(&written)) })
}

fn of_value(view: &View<'_>, entry: usize) -> Option<String> {
    let found = &view.outline.entries[entry];
    let written = &view.text[found.value.clone()?];
    if view.path_to(Some(entry)) == [Step::Key("kind")] {
        return view.schemas.about(written).map(|about| format!("**{written}**\n\n{about}"));
    }
    if let Some(text) = view.reference(entry).and_then(|reference| about(view, &reference)) {
        return Some(text);
    }
    let shape = view.shape(found.document, Some(entry))?;
    let word = shape.words().into_iter().find(|word| word.word == written)?;
    word.description.map(|description| format!("`{written}`: {description}"))
}

/// Returns what a name refers to.
pub(crate) fn about(view: &View<'_>, reference: &Reference) -> Option<String> {
    let index = view.index;
    match reference {
        Reference::Node(name) => node(view, name),
        Reference::Item(_) => None,
        Reference::Port(name, interface) => {
            let mut text = node(view, name)?;
            if !interface.is_empty() {
                let end = match index.nodes.get(name)?.links.get(interface) {
                    Some(far) => format!("linked to `{far}`"),
                    None if index.platform(name)?.ports.iter().any(|port| port.as_str() == interface) => {
                        "a port without a link".to_owned()
                    }
                    None => "not a port of its platform".to_owned(),
                };
                let _ = write!(text, "\n\n`{interface}`: {end}");
            }
            Some(text)
        }
        Reference::Intent(reference) => {
            let entry = index.intents.get(reference)?;
            let mut text = format!("**{reference}**");
            if let Some(description) = &entry.description {
                let _ = write!(text, "\n\n{description}");
            }
            if let Some(owner) = &entry.owner {
                let _ = write!(text, "\n\nowner: {owner}");
            }
            let _ = write!(text, "\n\n{}:{}", entry.place.file, entry.place.line);
            Some(text)
        }
        Reference::Role(role) => {
            nodes(&format!("role `{role}`"), index.words(|node| Some(node.role.as_str())).get(&**role)?)
        }
        Reference::Site(site) => nodes(
            &format!("site `{site}`"),
            index.words(|node| node.site.as_ref().map(|site| site.as_str())).get(&**site)?,
        ),
        Reference::Pack(pack) => {
            let description = index.catalogue.get(&**pack)?;
            let platforms: Vec<&str> = description.platforms.keys().map(|name| name.as_str()).collect();
            let features: Vec<&str> = description.features.iter().map(String::as_str).collect();
            Some(format!("pack **{pack}**\n\nplatforms: {}\n\nfeatures: {}", platforms.join(", "), features.join(", ")))
        }
        Reference::Platform(name) => {
            let all = index.catalogue.iter().flat_map(|(pack, description)| {
                description.platforms.iter().map(move |(platform, ports)| (pack, platform, ports))
            });
            let lines: Vec<String> = all
                .filter(|(_, platform, _)| platform.as_str() == name)
                .map(|(pack, platform, ports)| {
                    let range = match (ports.ports.first(), ports.ports.last()) {
                        (Some(first), Some(last)) => format!(" ({first} to {last})"),
                        _ => String::new(),
                    };
                    let (count, uplinks) = (ports.ports.len(), ports.uplinks.len());
                    format!("platform **{platform}** of `{pack}`: {count} ports{range}, {uplinks} uplinks")
                })
                .collect();
            (!lines.is_empty()).then(|| lines.join("\n\n"))
        }
    }
}

fn node(view: &View<'_>, name: &str) -> Option<String> {
    let entry = view.index.nodes.get(name)?;
    let node = &entry.node;
    let mut text = format!("node **{name}**: {}", node.role);
    if let Some(fabric) = &node.fabric {
        let _ = write!(text, " of fabric `{fabric}`");
    }
    if let Some(site) = &node.site {
        let _ = write!(text, " at `{site}`");
    }
    let _ = write!(text, ", pack `{}`, platform `{}`, {} links", node.pack, node.platform, entry.links.len());
    let _ = write!(text, "\n\n{} ({}:{})", node.source.intent, entry.place.file, entry.place.line);
    Some(text)
}

fn nodes(what: &str, count: &usize) -> Option<String> {
    Some(format!("{what}: {count} nodes"))
}

fn of_key(view: &View<'_>, entry: usize) -> Option<String> {
    let found = &view.outline.entries[entry];
    let steps = view.path_to(Some(entry));
    // An item is told about as what its list holds.
    let name = steps.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(*key),
        Step::Item => None,
    })?;
    let shape = view.shape(found.document, Some(entry))?;
    let required = view
        .shape(found.document, found.parent)
        .is_some_and(|around| around.keys().iter().any(|key| key.name == name && key.required));
    Some(of_shape(name, &shape, required))
}

/// Returns what a key is for and what it takes.
pub(crate) fn of_shape(name: &str, shape: &Shape<'_>, required: bool) -> String {
    let mut text = format!("**{name}**: {}", shape.takes());
    if required {
        text.push_str(", required");
    } else if let Some(default) = shape.default() {
        let _ = write!(text, ", default `{default}`");
    }
    if let Some(description) = shape.description() {
        let _ = write!(text, "\n\n{description}");
    }
    for word in shape.words() {
        if let Some(description) = word.description {
            let _ = write!(text, "\n- `{}`: {description}", word.word);
        }
    }
    text
}
