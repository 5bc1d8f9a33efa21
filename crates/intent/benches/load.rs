//! Ten thousand devices, each written out in about 10 MB of YAML: from the text to the topology graph.
//!
//! The limits are 2 s of CPU time and 500 MB for loading and validating together. `load_and_validate` shows the time of one thread,
//! which is all there is, and under `max alloc` the memory at its peak, the text included.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/fixture/mod.rs"]
mod fixture;
#[path = "../tests/fixture/large.rs"]
mod large;

use divan::{AllocProfiler, Bencher};
use weft_intent::{SourceFile, document, load, validate};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const DEVICES: usize = 10_000;

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn parse(bencher: Bencher<'_, '_>) {
    let file = SourceFile::new("all.yaml", large::network(DEVICES));
    bencher.bench(|| {
        let (documents, findings) = document::parse(&file);
        assert!(findings.is_empty() && documents.len() == 4);
        documents
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_only(bencher: Bencher<'_, '_>) {
    let files = [SourceFile::new("all.yaml", large::network(DEVICES))];
    bencher.bench(|| load(&files));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_and_validate(bencher: Bencher<'_, '_>) {
    bencher.bench(|| {
        let files = [SourceFile::new("all.yaml", large::network(DEVICES))];
        let (set, findings) = load(&files);
        assert!(findings.is_empty(), "{:?}", findings.first());
        let (network, findings) = validate(&set, &fixture::catalogue());
        assert!(findings.is_empty(), "{:?}", findings.first());
        assert_eq!((network.nodes().len(), network.links().count()), (DEVICES, 4 * DEVICES));
        (files, set, network)
    });
}
