//! The loader: any octets as a file of intents.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weft_intent::{SourceFile, load};

fuzz_target!(|data: &[u8]| {
    match SourceFile::from_bytes("fuzz.yaml", data.to_vec()) {
        Ok(file) => {
            let (_, findings) = load(&[file.clone()]);
            weft_fuzz::look(&file, &findings);
        }
        Err(finding) => assert!(finding.span.is_some()),
    }
});
