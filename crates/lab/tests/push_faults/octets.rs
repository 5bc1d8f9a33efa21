//! A connection that is cut, corrupted or silenced behind any octet of a push to a switch of the emulated lab.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use weft_lab::proxy::{Direction, Disturbance};

use crate::{
    cell::Plant,
    loom::{Switches, files},
};

/// How many pushes go on at a time.
const WORKERS: usize = 6;
/// How many octets are between two cuts, at the finest.
const GRAIN: u64 = 64;

/// Returns 0 up to `count` in an order that begins coarse and becomes finer: whenever one stops, what was done lies evenly.
fn coarse_first(count: u64) -> impl Iterator<Item = u64> {
    let bits = u64::BITS - count.leading_zeros();
    (0..1_u64 << bits)
        .map(move |number| number.reverse_bits() >> (u64::BITS - bits))
        .filter(move |number| *number < count)
}

/// Tries disturbances behind octets of both directions, coarse first, for as long as there is time.
fn sweep(time: Duration) {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(Switches::start(WORKERS + 2));
    // One push that nothing happens to says how many octets there are.
    let [to_device, from_device] = runtime.block_on(async {
        let mut subject = world.subject(WORKERS).await;
        let found = subject.run(None, &files(WORKERS, 2)).await;
        assert_eq!((found.result.as_str(), &found.problems[..]), ("confirmed", &[][..]));
        subject.passed()
    });
    let at = |direction, octets: u64| {
        coarse_first(octets / GRAIN).map(move |place| (direction, place * GRAIN + place * 7 % GRAIN))
    };
    // In turn: both directions, and each disturbance behind every octet that is tried.
    let mut places = [Vec::new(), Vec::new()];
    places[0].extend(at(Direction::ToDevice, to_device));
    places[1].extend(at(Direction::FromDevice, from_device));
    let longest = places.iter().map(Vec::len).max().unwrap();
    let in_turn = (0..longest).flat_map(|index| places.iter().filter_map(move |places| places.get(index).copied()));
    let plants: Vec<Plant> = in_turn
        .enumerate()
        .flat_map(|(index, (direction, octet))| {
            // Silence takes its time to be noticed: a few of those.
            let silence = if index % 2 == 0 { Disturbance::Drop } else { Disturbance::Stall };
            let silence = (index % 8 == 0).then_some(silence);
            [Some(Disturbance::Cut), Some(Disturbance::Corrupt), silence]
                .into_iter()
                .flatten()
                .map(move |disturbance| Plant::Octet(direction, octet, disturbance))
        })
        .collect();
    let all = plants.len();
    let queue = Mutex::new(plants.into_iter());
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (runtime, world, queue, found) = (&runtime, &world, &queue, &found);
            scope.spawn(move || {
                runtime.block_on(async {
                    let mut subject = world.subject(worker).await;
                    let mut server = 1;
                    while begun.elapsed() < time {
                        let Some(plant) = queue.lock().unwrap().next() else { break };
                        // What was confirmed runs by now: the next one is another.
                        server = server % 5 + 1;
                        let mut wanted = files(worker, server);
                        if world.runs(worker, &wanted) {
                            wanted = files(worker, server + 1);
                        }
                        let cell = subject.run(Some(plant), &wanted).await;
                        found.lock().unwrap().push((plant, cell));
                    }
                });
            });
        }
    });
    let mut results: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let found = found.into_inner().unwrap();
    for (plant, cell) in &found {
        *results.entry(cell.result.clone()).or_default() += 1;
        wrong.extend(cell.problems.iter().map(|problem| format!("{plant:?}: {problem}")));
        if cell.result == "unknown" {
            wrong.push(format!("{plant:?}: what became of it could be known"));
        }
    }
    eprintln!(
        "loom: {} of {all} disturbances behind octets ({to_device} to the device, {from_device} from it) in {:.0} s: {results:?}",
        found.len(),
        begun.elapsed().as_secs_f64()
    );
    assert!(found.len() >= 40 || found.len() == all, "only {} disturbances", found.len());
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
    runtime.shutdown_timeout(Duration::from_secs(5));
}

#[test]
fn a_connection_is_disturbed_behind_any_octet_of_a_push() {
    sweep(Duration::from_secs(20));
}

#[test]
#[ignore = "takes minutes: behind every 64th octet"]
fn a_connection_is_disturbed_behind_every_octet_of_a_push() {
    sweep(Duration::from_secs(1200));
}
