//! Faults in the middle of a push, at every step of a device's transaction and behind every octet of its connections.
//!
//! Whatever happens: the device runs what it ran before or what is intended, nothing waits on it for a confirmation, the next
//! push takes it, and the report says what became of it. docs/push-faults.md says what that is for each step and fault; its
//! tables are what these tests compare with. `UPDATE_EXPECT=1` writes them anew.
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a test says what it counted, and a failure ends it")]

mod cell;
mod loom;
mod octets;
mod routers;
mod table;

use std::{collections::BTreeMap, fs, path::Path};

use weft_pack::Pack;

/// The top folder of the repository.
const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Loads a pack of the repository.
fn pack(name: &str) -> Pack {
    fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(PROJECT).join("device-templates").join(name);
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files);
    let (pack, findings) = Pack::load(name.parse().unwrap(), &files);
    assert!(findings.is_empty(), "{findings:?}");
    pack.unwrap()
}
