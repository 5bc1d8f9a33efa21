//! The schema check: any text as the `spec` of each kind of intent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weft_intent::{SourceFile, load};
use weft_model::IntentKind;

fuzz_target!(|data: &[u8]| {
    let [kind, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let kind = IntentKind::ALL[usize::from(*kind) % IntentKind::ALL.len()].title();
    let mut whole = format!("apiVersion: weft/v1\nkind: {kind}\nmetadata: {{ name: fuzz }}\nspec:\n");
    for line in text.split('\n') {
        whole.push_str("  ");
        whole.push_str(line);
        whole.push('\n');
    }
    let file = SourceFile::new("fuzz.yaml", whole);
    let (_, findings) = load(&[file.clone()]);
    weft_fuzz::look(&file, &findings);
});
