//! Reachability between all pairs of edges of fat-trees: for each of the subnets one pass over all ways to it.
//!
//! `cargo bench --workspace --bench all_pairs`. The limit is 1 s of CPU time for k = 24, 82,656 pairs. Everything runs on one
//! thread, so that with nothing else at work the time shown is CPU time; under `max alloc` stands the memory at its peak.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

#[path = "../tests/fabric/mod.rs"]
mod fabric;

use std::{collections::BTreeSet, net::IpAddr};

use divan::{AllocProfiler, Bencher};
use weft_simulate::Scenarios;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Returns an address behind each edge.
fn destinations(k: u32) -> BTreeSet<IpAddr> {
    let edges = (0..k).flat_map(|pod| (0..k / 2).map(move |edge| (pod, edge)));
    edges.map(|(pod, edge)| format!("172.{}.{edge}.10", 16 + pod).parse().unwrap()).collect()
}

/// Asks for every pair whether all packets arrive, and over how many ways out and devices; returns how many pairs there are.
fn all_pairs(scenarios: &Scenarios<'_>, k: u32, destinations: &BTreeSet<IpAddr>) -> usize {
    let edges = (0..k).flat_map(|pod| (0..k / 2).map(move |edge| format!("e-{pod}-{edge}").parse().unwrap()));
    let edges: Vec<usize> = edges.map(|edge| scenarios.number(&edge).unwrap()).collect();
    let steady = scenarios.steady();
    let mut pairs = 0;
    for destination in destinations {
        let ways = steady.ways(*destination, None, edges.iter().copied()).unwrap();
        let (arrive, fail) = (ways.arrive(), ways.fail());
        for &from in &edges {
            assert!(arrive.has(from) && !fail.has(from));
            // One device for itself, three within the pod, five over a core.
            let hops = ways.longest(from).unwrap();
            assert!(hops <= 5 && (hops == 1 || ways.first_hops(from) == k as usize / 2));
            pairs += usize::from(hops > 1);
        }
    }
    pairs
}

fn on_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work)
}

/// The pairs alone, of a predicted network.
#[divan::bench(args = [8, 16, 24], sample_count = 5, sample_size = 1)]
fn pairs(bencher: Bencher<'_, '_>, k: u32) {
    let (fabric, destinations) = (fabric::fat_tree(k), destinations(k));
    let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
    let edges = (k * k / 2) as usize;
    bencher.bench_local(|| assert_eq!(all_pairs(&scenarios, k, &destinations), edges * (edges - 1)));
}

/// The prediction of the routes and the pairs.
#[divan::bench(args = [8, 16, 24], sample_count = 3, sample_size = 1)]
fn predict_and_pairs(bencher: Bencher<'_, '_>, k: u32) {
    let (fabric, destinations) = (fabric::fat_tree(k), destinations(k));
    bencher.bench_local(|| {
        on_one_thread(|| {
            let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
            all_pairs(&scenarios, k, &destinations)
        })
    });
}
