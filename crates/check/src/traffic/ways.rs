//! What follows from the steps of all devices for the packets to one address: their ends, their paths, and how they compare.

use std::collections::BTreeSet;

use super::{End, Step};

/// What becomes of packets from each device on.
#[derive(Debug, Clone, Default)]
pub(super) struct Way<'a> {
    /// How packets end, in order.
    pub(super) ends: Vec<End<'a>>,
    /// The equal-cost paths; those around a loop count once.
    pub(super) paths: u64,
    /// The links that packets cross, the fewest and the most.
    pub(super) hops: (usize, usize),
}

/// Returns the devices so that each stands behind all that it sends packets to, and those that send packets back to where
/// they were.
fn order(steps: &[Step<'_>]) -> (Vec<usize>, BTreeSet<usize>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        Open,
        Done,
    }
    let mut seen = vec![Seen::Not; steps.len()];
    let (mut order, mut back) = (Vec::with_capacity(steps.len()), BTreeSet::new());
    for start in 0..steps.len() {
        if seen[start] != Seen::Not {
            continue;
        }
        seen[start] = Seen::Open;
        // A stack of its own: a network may be long.
        let mut open = vec![(start, 0)];
        while let Some((device, next)) = open.last_mut() {
            let device = *device;
            let Some(&(_, far)) = steps[device].next.get(*next) else {
                seen[device] = Seen::Done;
                order.push(device);
                open.pop();
                continue;
            };
            *next += 1;
            match seen[far] {
                Seen::Not => {
                    seen[far] = Seen::Open;
                    open.push((far, 0));
                }
                Seen::Open => {
                    back.insert(device);
                }
                Seen::Done => {}
            }
        }
    }
    (order, back)
}

/// Returns what becomes of packets from each device on.
pub(super) fn ways<'a>(steps: &[Step<'a>]) -> Vec<Way<'a>> {
    let (order, back) = order(steps);
    let mut ways: Vec<Way<'a>> = vec![Way::default(); steps.len()];
    loop {
        let mut changed = false;
        for &device in &order {
            let step = &steps[device];
            let mut ends = step.ends.clone();
            ends.extend(back.contains(&device).then_some(End::Loop));
            let mut paths = step.ends.len() as u64;
            let mut hops = (!step.ends.is_empty()).then_some((0, 0));
            for &(_, far) in &step.next {
                let behind = &ways[far];
                ends.extend(&behind.ends);
                paths = paths.saturating_add(behind.paths.max(1));
                let (least, most) = (behind.hops.0 + 1, behind.hops.1 + 1);
                hops = Some(hops.map_or((least, most), |(a, b): (usize, usize)| (a.min(least), b.max(most))));
            }
            ends.sort_unstable();
            ends.dedup();
            changed |= ways[device].ends != ends;
            ways[device] = Way { ends, paths, hops: hops.unwrap_or_default() };
        }
        // Without a loop, the order has made it right at once.
        if back.is_empty() || !changed {
            return ways;
        }
    }
}

/// How the ways of packets from one device on compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    /// They are the same, step by step.
    pub(super) same: bool,
    /// The new ones are some of the old ones.
    pub(super) narrower: bool,
    /// The old ones are some of the new ones.
    pub(super) wider: bool,
}

/// Compares the ways of packets from each device on.
pub(super) fn compare(old: &[Step<'_>], new: &[Step<'_>]) -> Vec<Compared> {
    let within = |few: &Step<'_>, many: &Step<'_>| {
        few.ends == many.ends
            && few.next.iter().all(|next| many.next.contains(next))
            && (few.next.is_empty() == many.next.is_empty())
    };
    let here = |(old, new): (&Step<'_>, &Step<'_>)| Compared {
        same: old.same_ways(new),
        narrower: within(new, old),
        wider: within(old, new),
    };
    let mut compared: Vec<Compared> = old.iter().zip(new).map(here).collect();
    if compared.iter().all(|compared| compared.same) {
        return compared;
    }
    let ((old_order, old_back), (new_order, new_back)) = (order(old), order(new));
    // What is different behind a device is different from it on: of the same, there is the same behind in both.
    let spread =
        |compared: &mut Vec<Compared>, order: &[usize], of: fn(&mut Compared) -> &mut bool, steps: &[Step<'_>]| {
            let mut changed = false;
            for &device in order {
                let keeps = steps[device].next.iter().all(|&(_, far)| {
                    let mut behind = compared[far];
                    *of(&mut behind)
                });
                let here = of(&mut compared[device]);
                changed |= *here && !keeps;
                *here &= keeps;
            }
            changed
        };
    let mut changed = true;
    while changed {
        changed = spread(&mut compared, &old_order, |c| &mut c.same, old);
        changed |= spread(&mut compared, &new_order, |c| &mut c.narrower, new);
        changed |= spread(&mut compared, &old_order, |c| &mut c.wider, old);
        // Without a loop, the orders have made it right at once.
        if old_back.is_empty() && new_back.is_empty() {
            break;
        }
    }
    compared
}

/// Returns the devices that packets pass from some devices on.
pub(super) fn passed(steps: &[Step<'_>], from: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut passed = BTreeSet::new();
    let mut waiting: Vec<usize> = from.into_iter().collect();
    while let Some(device) = waiting.pop() {
        if passed.insert(device) {
            waiting.extend(steps[device].next.iter().map(|(_, far)| *far));
        }
    }
    passed
}
