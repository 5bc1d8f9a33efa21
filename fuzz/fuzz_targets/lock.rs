//! The lock file of allocations: any text; what is read is written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weft_compile::Allocations;
use weft_intent::SourceFile;

fuzz_target!(|text: &str| {
    match Allocations::from_yaml(text) {
        Ok(allocations) => {
            let again = Allocations::from_yaml(&allocations.to_yaml());
            assert_eq!(again.expect("what is written can be read"), allocations);
        }
        Err(error) => weft_fuzz::look(&SourceFile::new("fuzz.yaml", text), &[error.diagnostic("fuzz.yaml")]),
    }
});
