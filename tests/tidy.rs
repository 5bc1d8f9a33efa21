//! Keeps the map true: crate rows, module headers, file sizes, documented codes, and words that do not belong here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A file longer than this has more than one subject.
const MOST_LINES: usize = 650;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/cli is two folders down").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// Returns the files below `dir` with one of the extensions, without what is built or hidden.
fn files(dir: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if path.is_dir() {
            if name != "target" && (!name.starts_with('.') || name == ".ci") {
                found.extend(files(&path, extensions));
            }
        } else if extensions.is_empty() || path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the row of each crate as ARCHITECTURE.md has it.
fn rows() -> BTreeMap<String, u8> {
    read(&root().join("ARCHITECTURE.md"))
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let row = cells.next()?.trim().parse().ok()?;
            let name = cells.next()?.trim().strip_prefix('`')?.strip_suffix('`')?;
            Some((name.to_owned(), row))
        })
        .collect()
}

#[test]
fn every_crate_is_on_the_map_and_depends_only_on_lower_rows() {
    let rows = rows();
    let mut crates: Vec<String> = fs::read_dir(root().join("crates"))
        .expect("crates/ is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    crates.sort();
    let mut mapped: Vec<&String> = rows.keys().collect();
    mapped.sort();
    assert_eq!(crates.iter().collect::<Vec<_>>(), mapped, "crates/ and the table in ARCHITECTURE.md");

    let mut wrong = Vec::new();
    for name in &crates {
        let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
        let mut in_dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                in_dependencies = line == "[dependencies]";
            } else if let Some(used) = line.strip_prefix("weft-").and_then(|rest| rest.split('.').next())
                && in_dependencies
                && rows.get(used) >= rows.get(name)
            {
                wrong.push(format!("`{name}` (row {}) depends on `{used}` (row {})", rows[name], rows[used]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_crates_do_no_io() {
    let mut wrong = Vec::new();
    for (name, row) in rows() {
        if row > 3 {
            continue;
        }
        for file in files(&root().join("crates").join(&name).join("src"), &["rs"]) {
            let text = read(&file);
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in ["std::fs", "std::net::Tcp", "std::process", "SystemTime", "Instant::now", "env::var"] {
                if code.contains(word) {
                    wrong.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "rows 0 to 3 take values and return values:\n{}", wrong.join("\n"));
}

#[test]
fn no_operating_system_is_named_where_behavior_is_decided() {
    let packs = fs::read_dir(root().join("device-templates")).expect("device-templates/ is there").flatten();
    let packs: Vec<String> = packs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(packs.len() > 1);
    let mut wrong = Vec::new();
    let names = rows().into_iter().filter(|(_, row)| *row <= 5).map(|(name, _)| name);
    for file in names.flat_map(|name| files(&root().join("crates").join(name).join("src"), &["rs"])) {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for (line, pack) in lines.flat_map(|line| packs.iter().map(move |pack| (line.to_lowercase(), pack))) {
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
            if words.any(|word| word == pack) {
                wrong.push(format!("{}: {pack}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "what an OS does differently is in the manifest of its pack:\n{}", wrong.join("\n"));
}

#[test]
fn every_rust_file_says_its_role_and_has_one_subject() {
    let mut wrong = Vec::new();
    for file in files(&root(), &["rs"]) {
        let text = read(&file);
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: does not begin with `//! ` and its role", file.display()));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{}: {lines} lines, over {MOST_LINES}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_diagnostic_code_is_unique_and_documented() {
    let documented = read(&root().join("docs/codes.md"));
    let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut wrong = Vec::new();
    for file in files(&root().join("crates"), &["rs"]) {
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, _) in code.match_indices("Code::new(") {
            let Some(id) = code[at..].split('"').nth(1).filter(|id| id.starts_with("WEFT-")) else { continue };
            if let Some(other) = seen.insert(id.to_owned(), file.clone()) {
                wrong.push(format!("{id} is declared in {} and in {}", other.display(), file.display()));
            }
            if !documented.contains(&format!("## {id}:")) {
                wrong.push(format!("{id} is not in docs/codes.md: UPDATE_EXPECT=1 cargo test -p weft-cli"));
            }
        }
    }
    assert!(!seen.is_empty());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_project_stands_alone() {
    // Spelled in two parts, so that this file does not hold the words it looks for.
    let foreign =
        [["../", "shared"], ["/work/", "main"], ["/tmp/", "t/"], ["crates", ".io/api"], ["deb.", "debian.org"]];
    let mut wrong = Vec::new();
    for file in files(&root(), &[]) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for parts in foreign {
            if text.contains(&parts.concat()) {
                wrong.push(format!("{}: {}", file.display(), parts.concat()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
