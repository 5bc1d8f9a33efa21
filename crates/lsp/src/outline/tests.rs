//! Where things are, in texts that are whole, being typed, and broken.

use super::*;

/// Returns what stands at `|`, as a path.
fn at(marked: &str) -> String {
    let offset = marked.find('|').unwrap();
    let text = marked.replacen('|', "", 1);
    let outline = Outline::of(&text);
    let path = |entry: Option<usize>| -> String {
        let steps = outline.path(&text, entry);
        steps.iter().map(|step| if let Step::Key(key) = step { format!("/{key}") } else { "/-".to_owned() }).collect()
    };
    match outline.place(&text, offset) {
        None => "nothing".to_owned(),
        Some(Place::Key { parent, written, .. }) => format!("key `{}` in {}", &text[written], path(parent)),
        Some(Place::Value { entry, written }) => format!("value `{}` of {}", &text[written], path(Some(entry))),
        Some(Place::Item { list, .. }) => format!("item of {}", path(Some(list))),
    }
}

#[test]
fn a_place_is_found_in_text_that_is_whole() {
    for (text, expected) in [
        ("kind: Fab|ric\n", "value `Fabric` of /kind"),
        ("ki|nd: Fabric\n", "key `kind` in "),
        ("spec:\n  spine: { count: 2, pa|ck: frr }\n", "key `pack` in /spec/spine"),
        ("spec:\n  spine: { count: 2, pack: f|rr }\n", "value `frr` of /spec/spine/pack"),
        ("spec:\n  links:\n    - { a: \"x:sw|p1\", b: y }\n", "value `x:swp1` of /spec/links/-/a"),
        ("spec:\n  links:\n    - a: x\n      b: y|\n", "value `y` of /spec/links/-/b"),
        ("spec:\n  links:\n  - a: x\n    b|: y\n", "key `b` in /spec/links/-"),
        ("spec:\n  names: [a, b|c]\n", "value `bc` of /spec/names/-"),
        ("spec:\n  keys:\n    - ssh-ed|25519 AAA me\n", "value `ssh-ed25519 AAA me` of /spec/keys/-"),
        ("a: b # commen|t\n", "nothing"),
        ("a: 1\n---\nkind: |X\n", "value `X` of /kind"),
        ("spec:\n  a: >-\n    folded\n    text\n  b|: 1\n", "key `b` in /spec"),
        ("spec: { a: [1,\n  2], b: { c|: 1 } }\n", "key `c` in /spec/b"),
    ] {
        assert_eq!(at(text), expected, "{text}");
    }
}

#[test]
fn a_place_is_found_in_text_that_is_being_typed() {
    for (text, expected) in [
        ("|", "key `` in "),
        ("ki|", "key `ki` in "),
        ("kind: |", "value `` of /kind"),
        ("kind: |\nmetadata:\n", "value `` of /kind"),
        ("spec:\n  sp|\n  leaf: { count: 2 }\n", "key `sp` in /spec"),
        ("spec:\n  |\n", "key `` in /spec"),
        ("spec:\n  spine: { count: 2, | }\n", "key `` in /spec/spine"),
        ("spec:\n  spine: { count: 2, pl|\n  leaf: { count: 2 }\n", "key `pl` in /spec/spine"),
        ("spec:\n  spine: { pack: | }\n", "value `` of /spec/spine/pack"),
        ("spec:\n  spine: { pack: |\n  leaf: {}\n", "value `` of /spec/spine/pack"),
        ("spec:\n  links:\n    - { a: \"b1-leaf-01:|, b: \"y\" }\n", "value `b1-leaf-01:` of /spec/links/-/a"),
        ("spec:\n  links:\n    - { a: \"b1-leaf-01:|\n    - { a: x }\n", "value `b1-leaf-01:` of /spec/links/-/a"),
        ("spec:\n  links:\n    - |\n", "value `` of /spec/links/-"),
        ("spec:\n  links:\n    - a: x\n      |\n  nodes: []\n", "key `` in /spec/links/-"),
        ("spec:\n  links:\n    - a: x\n  |\n", "key `` in /spec"),
        ("spec:\n  links:\n    - a: x\n|\n", "key `` in "),
        ("spec:\n  names: [a, |]\n", "item of /spec/names"),
        ("spec:\n  names: [|\n", "item of /spec/names"),
        ("spec:\n  deep:\n    x: 1\n    |\n  other: 2\n", "key `` in /spec/deep"),
        ("spec:\n  from: segment/|\n", "value `segment/` of /spec/from"),
        ("spec:\r\n  sp|\r\n  leaf: x\r\n", "key `sp` in /spec"),
    ] {
        assert_eq!(at(text), expected, "{text}");
    }
}

/// Returns the JSON pointer of an entry.
fn pointer(outline: &Outline, text: &str, entry: usize) -> String {
    let found = &outline.entries[entry];
    let around = found.parent.map_or_else(String::new, |parent| pointer(outline, text, parent));
    match &found.key {
        Some(key) => format!("{around}/{}", &text[key.clone()]),
        None => {
            let mut inside = outline.inside(found.document, found.parent);
            format!("{around}/{}", inside.position(|(at, _)| at == entry).unwrap())
        }
    }
}

#[test]
fn in_a_whole_text_everything_is_where_the_strict_reader_finds_it() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut checked = 0;
    for folder in ["intents", "policy", "pipeline"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let (documents, findings) =
                weft_intent::document::parse(&weft_intent::SourceFile::new("file", text.as_str()));
            assert!(findings.is_empty(), "{findings:?}");
            let (outline, lines) = (Outline::of(&text), crate::positions::Lines::of(&text));
            let mut numbers: Vec<usize> = outline.entries.iter().map(|entry| entry.document).collect();
            numbers.dedup();
            assert_eq!(numbers.len(), documents.len());
            for (at, entry) in outline.entries.iter().enumerate() {
                let number = numbers.iter().position(|number| *number == entry.document).unwrap();
                let pointer = pointer(&outline, &text, at);
                assert!(documents[number].0.has(&pointer), "{pointer}");
                let Some(value) = &entry.value else { continue };
                let strict = lines.span(&text, &documents[number].0.span(&pointer)).start;
                let loose = lines.position(&text, value.start - usize::from(entry.quoted));
                assert_eq!(strict, loose, "{pointer}");
                checked += 1;
            }
        }
    }
    assert!(checked > 400, "{checked}");
}

#[test]
fn no_text_is_too_broken() {
    let example = "# ü\né: {b: [ç, {d: \"é\"}], f: '☃', \"ü\": x}\n- x: |\n  ÿ\n---\n? k\n: - - z # ç\n-\tt\r\n";
    for start in (0..example.len()).filter(|at| example.is_char_boundary(*at)) {
        for end in (start..=example.len()).filter(|at| example.is_char_boundary(*at)) {
            let text = &example[start..end];
            let outline = Outline::of(text);
            for offset in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                outline.place(text, offset);
            }
        }
    }
    Outline::of(&"[".repeat(100_000));
    Outline::of(&"{a: ".repeat(20_000));
}
