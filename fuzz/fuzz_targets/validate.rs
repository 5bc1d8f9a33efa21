//! The whole way of a text: loaded, its selectors and references resolved against the topology, its findings printed.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use weft_intent::{SourceFile, load, validate};
use weft_model::Catalogue;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(weft_fuzz::catalogue);

fuzz_target!(|text: &str| {
    let file = SourceFile::new("fuzz.yaml", text);
    let (set, mut findings) = load(&[file.clone()]);
    findings.extend(validate(&set, &CATALOGUE).1);
    weft_fuzz::look(&file, &findings);
});
