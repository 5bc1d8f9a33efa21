//! The cost of predicting a whole fat-tree, with BGP and with OSPF, and of tracing one flow through it.
//!
//! `cargo bench -p weft-simulate`
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

#[path = "../tests/fabric/mod.rs"]
mod fabric;

use divan::Bencher;
use weft_simulate::Forwarding;

fn main() {
    divan::main();
}

#[divan::bench(args = [8, 16, 24], sample_count = 5, sample_size = 1)]
fn predict(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::fat_tree(k);
    bencher.bench_local(|| fabric.simulate());
}

#[divan::bench(args = [4, 8, 16], sample_count = 5, sample_size = 1)]
fn predict_ospf(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::ospf_fat_tree(k);
    bencher.bench_local(|| fabric.simulate());
}

#[divan::bench(args = [8, 16])]
fn trace(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::fat_tree(k);
    let states = fabric.simulate().states;
    let forwarding = Forwarding::new(&states, &fabric.cables);
    let (from, source) = (fabric::node("e-0-0"), "172.16.0.10".parse().unwrap());
    bencher.bench_local(|| forwarding.trace(&from, source, "172.17.0.10".parse().unwrap()));
}
