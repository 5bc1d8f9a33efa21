//! Fat-trees of up to ten thousand devices, with an AS for each tier and policies: their prediction, every failure of a link, and the
//! change of one device; whole states of smaller ones, OSPF, and the trace of one flow. Beside it the same routes as `bgpsim` predicts
//! them, without policies and with one path for each device.
//!
//! `cargo bench --workspace --bench fat_tree`. All is done by one thread, so that the time is that of the processor, and `max alloc` is
//! the memory at its peak, without that of the configurations. The limits, in seconds of processor time: prediction of k = 24 0.3 and
//! 50 MB, of k = 48 8 and 200 MB, of k = 90 120 and 1 GiB; every failure of k = 24 1, of k = 48 30; a change of k = 24 0.1.
#![allow(clippy::unwrap_used, reason = "a failure ends the run")]

#[path = "../tests/fabric/mod.rs"]
mod fabric;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use bgpsim::prelude::{BasicEventQueue, GlobalOspf, InteractiveNetwork, Ipv4Prefix, RouterId};
use divan::{AllocProfiler, Bencher};
use ipnet::IpNet;
use weft_device::config::DeviceConfig;
use weft_model::NodeName;
use weft_simulate::{Failed, Forwarding, Routing, Scenarios};

type Network = bgpsim::network::Network<Ipv4Prefix, BasicEventQueue<Ipv4Prefix>, GlobalOspf>;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().unwrap();
    divan::main();
}

#[divan::bench(args = [8, 16, 24, 48, 90], sample_count = 3, sample_size = 1)]
fn predict(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::tiered_fat_tree(k);
    let failed = Failed::default();
    bencher.bench_local(|| Routing::new(&fabric.configs, &fabric.cables, &failed));
}

/// The subnets of edges alone, from the first announcement to the last message.
#[divan::bench(args = [8, 16, 24], sample_count = 1, sample_size = 1)]
fn predict_by_bgpsim(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::fat_tree(k);
    let mut network = Network::default();
    network.manual_simulation();
    network.set_msg_limit(None);
    let asn = |config: &DeviceConfig| config.bgp.as_ref().unwrap().asn.get();
    let add = |(name, config)| (name, network.add_router(NodeName::to_string(name), asn(config)));
    let ids: BTreeMap<&NodeName, RouterId> = fabric.configs.iter().map(add).collect();
    let links = || fabric.cables.iter().map(|[a, b]| (ids[&a.node], ids[&b.node]));
    network.add_links_from(links()).unwrap();
    network.set_bgp_session_from(links().map(|(a, b)| (a, b, Some(false)))).unwrap();
    bencher.bench_local(|| {
        for (name, config) in &fabric.configs {
            let subnets =
                config.bgp.iter().flat_map(|bgp| bgp.networks.keys()).filter(|subnet| subnet.prefix_len() == 24);
            for subnet in subnets {
                let IpNet::V4(subnet) = *subnet else { continue };
                network.advertise_route(ids[name], subnet, [0_u32; 0], None, []).unwrap();
            }
        }
        network.simulate().unwrap();
    });
}

#[divan::bench(args = [8, 16, 24], sample_count = 3, sample_size = 1)]
fn predict_states(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::tiered_fat_tree(k);
    bencher.bench_local(|| fabric.simulate());
}

/// Returns an address in each subnet of an edge.
fn subnets(k: u32) -> BTreeSet<IpAddr> {
    let half = k / 2;
    let address = |subnet: u32| IpAddr::from([172, (16 + subnet / half) as u8, (subnet % half) as u8, 1]);
    (0..k * half).map(address).collect()
}

/// Returns every single cut.
fn cuts(fabric: &fabric::Fabric) -> Vec<Failed> {
    let cut = |cable: &weft_simulate::Cable| Failed { links: [cable[0].clone()].into(), ..Failed::default() };
    fabric.cables.iter().map(cut).collect()
}

/// Every single cut, and which devices choose otherwise then for each subnet.
#[divan::bench(args = [8, 16, 24, 48], sample_count = 1, sample_size = 1)]
fn fail_every_link(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::tiered_fat_tree(k);
    let destinations = subnets(k);
    bencher.bench_local(|| {
        let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
        let failures = scenarios.failures(&cuts(&fabric));
        for destination in &destinations {
            failures.changed(*destination, |_, changed| {
                divan::black_box(changed);
            });
        }
    });
}

/// Every single cut, and from which edges packets may not arrive then, for each subnet.
#[divan::bench(args = [8, 16, 24, 48], sample_count = 1, sample_size = 1)]
fn exposed_to_every_link(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::tiered_fat_tree(k);
    let destinations = subnets(k);
    bencher.bench_local(|| {
        let scenarios = Scenarios::new(&fabric.configs, &fabric.cables, &destinations);
        let edges = fabric.configs.keys().filter(|node| node.as_str().starts_with('e'));
        let edges: BTreeSet<usize> = edges.filter_map(|node| scenarios.number(node)).collect();
        let failures = scenarios.failures(&cuts(&fabric));
        for destination in &destinations {
            divan::black_box(failures.exposed(*destination, &edges));
        }
    });
}

/// A new subnet on one edge.
#[divan::bench(args = [24], sample_count = 5, sample_size = 1)]
fn predict_after_a_change(bencher: Bencher<'_, '_>, k: u32) {
    let mut fabric = fabric::tiered_fat_tree(k);
    let failed = Failed::default();
    drop(Routing::new(&fabric.configs, &fabric.cables, &failed));
    fabric.segment("e-0-0", "172.200.0.1/24");
    bencher.bench_local(|| Routing::new(&fabric.configs, &fabric.cables, &failed));
}

#[divan::bench(args = [4, 8, 16], sample_count = 3, sample_size = 1)]
fn predict_ospf(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::ospf_fat_tree(k);
    bencher.bench_local(|| fabric.simulate());
}

#[divan::bench(args = [8, 16], sample_count = 20)]
fn trace(bencher: Bencher<'_, '_>, k: u32) {
    let fabric = fabric::tiered_fat_tree(k);
    let states = fabric.simulate().states;
    let forwarding = Forwarding::new(&states, &fabric.cables);
    let (from, source) = (fabric::node("e-0-0"), "172.16.0.10".parse().unwrap());
    bencher.bench_local(|| forwarding.trace(&from, source, "172.17.0.10".parse().unwrap()));
}
