//! Compares the traffic of two networks, one destination after the other, for all sources at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use weft_device::config::IpProtocol;
use weft_model::{NodeName, Source, TrafficWhat};
use weft_simulate::{Packet, PacketEnd};

use crate::fleet::cause;

use super::{
    End, Move, Moves, Place, PlaceClass, Plane, Predicted, Step, numbers,
    packets::Sorts,
    ways::{Compared, Way, compare, passed, ways},
};

/// Tells whether somebody allowed a change of the traffic from one place to another.
type Allowed<'f> = dyn Fn(&Place, &Place, TrafficWhat) -> bool + Sync + 'f;

/// Returns what of the traffic between all places changes from one network to another. Packets that do not arrive in either of
/// them for the same reason are the same, wherever they are dropped.
pub fn moves(old: (Predicted<'_>, &[Place]), new: (Predicted<'_>, &[Place]), allowed: &Allowed<'_>) -> Moves {
    let numbers = numbers(&[old.0, new.0]);
    let mut known: BTreeMap<_, [Option<&Place>; 2]> = BTreeMap::new();
    for (side, places) in [old.1, new.1].into_iter().enumerate() {
        for place in places {
            known.entry(place.key()).or_default()[side] = Some(place);
        }
    }
    let sorts = Sorts::of([old.0.configs, new.0.configs]);
    let mut known: Vec<Both<'_>> = known.into_values().filter_map(Both::new).collect();
    let parts: Vec<[Place; 2]> = known.iter().flat_map(|place| place.parts(&sorts)).collect();
    known.extend(parts.iter().filter_map(|[old, new]| Both::new([Some(old), Some(new)])));
    let classes: BTreeSet<&PlaceClass> = known.iter().map(|place| &place.any.class).collect();
    let classes: Vec<&PlaceClass> = classes.into_iter().collect();
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut sources = Vec::new();
    for place in known.iter().filter(|place| place.any.starts) {
        let Some(device) = place.any.node.as_ref().and_then(|node| numbers.get(node)).copied() else { continue };
        let signature = place.sides.map(|side| side.map(|place| sorts.signature(place.address)));
        groups.entry((place.any.ipv6, signature)).or_default().push(sources.len());
        let class = classes.binary_search(&&place.any.class).unwrap_or_default();
        sources.push(Start { place, device, class });
    }
    let comparison = Comparison {
        planes: [Plane::new(old.0, &numbers), Plane::new(new.0, &numbers)],
        sources,
        classes,
        groups: groups.into_values().collect(),
        sorts,
        allowed,
    };
    let destinations: Vec<&Both<'_>> = known.iter().filter(|place| place.any.ends).collect();
    let found: Vec<Found> = destinations.into_par_iter().map(|destination| comparison.towards(destination)).collect();
    let mut all = Found::default();
    for found in found {
        all.add(found);
    }
    all.moves()
}

/// A place in one network or in both.
struct Both<'p> {
    /// The place as the second network has it, else as the first does.
    any: &'p Place,
    sides: [Option<&'p Place>; 2],
}

impl<'p> Both<'p> {
    fn new(sides: [Option<&'p Place>; 2]) -> Option<Self> {
        Some(Self { any: sides[1].or(sides[0])?, sides })
    }

    /// Returns the parts of a port that has the same subnet in both networks. Of another one there is nothing to compare.
    fn parts(&self, sorts: &Sorts) -> Vec<[Place; 2]> {
        let [Some(old), Some(new)] = self.sides else { return Vec::new() };
        if (old.subnet, old.address) != (new.subnet, new.address) {
            return Vec::new();
        }
        let parts = |end| old.parts(&sorts.filters, end).into_iter().zip(new.parts(&sorts.filters, end));
        [PacketEnd::Source, PacketEnd::Destination].into_iter().flat_map(parts).map(<[Place; 2]>::from).collect()
    }

    /// Tells whether two are at the same port, or the same in another way.
    fn is_at(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || self.any.subnet.is_some()
                && (self.any.subnet, &self.any.node, &self.any.interface)
                    == (other.any.subnet, &other.any.node, &other.any.interface)
    }
}

/// A place where packets start.
#[derive(Clone, Copy)]
struct Start<'c> {
    place: &'c Both<'c>,
    /// The number of its device.
    device: usize,
    /// The number of its class.
    class: usize,
}

struct Comparison<'c, 'a> {
    planes: [Plane<'a>; 2],
    /// The places where packets start.
    sources: Vec<Start<'c>>,
    /// All classes, in order.
    classes: Vec<&'c PlaceClass>,
    /// The sources that access lists do not tell apart.
    groups: Vec<Vec<usize>>,
    sorts: Sorts,
    allowed: &'c Allowed<'c>,
}

/// A protocol and a port that access lists tell from others.
type Protocol = (Option<IpProtocol>, Option<u16>);

/// What is asked about one destination: the packets of one kind from sources that access lists do not tell apart.
struct Case<'a> {
    steps: [Option<Vec<Step<'a>>>; 2],
    compared: Vec<Compared>,
    ways: [Vec<Way<'a>>; 2],
}

/// How the traffic from a device changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    what: TrafficWhat,
    words: [Option<String>; 2],
    rule: Option<Source>,
}

/// The changes of the traffic from a device, each with the numbers of the kinds of packets that change so.
type Changes = Vec<(Change, BTreeSet<usize>)>;

/// What makes pairs one entry of the result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    allowed: bool,
    what: TrafficWhat,
    from: PlaceClass,
    to: PlaceClass,
    packets: Option<String>,
    words: [Option<String>; 2],
    rule: Option<Source>,
}

struct Part {
    pairs: usize,
    sources: BTreeSet<NodeName>,
    width: [Option<(usize, usize)>; 2],
    paths: [Option<(u64, u64)>; 2],
    hops: [Option<(usize, usize)>; 2],
    leaves: BTreeSet<NodeName>,
    joins: BTreeSet<NodeName>,
    example: (Place, Place),
}

#[derive(Default)]
struct Found {
    compared: usize,
    same: usize,
    of: BTreeMap<(PlaceClass, PlaceClass), usize>,
    parts: BTreeMap<Key, Part>,
}

impl<'a> Comparison<'_, 'a> {
    /// Compares the traffic to one destination.
    fn towards(&self, destination: &Both<'_>) -> Found {
        let mut found = Found::default();
        let plain = self.case(destination, None);
        let filtered = |steps: &Option<Vec<Step<'_>>>| steps.iter().flatten().any(|step| step.filtered);
        if !plain.steps.iter().any(filtered) {
            let all: Vec<usize> = (0..self.sources.len()).collect();
            self.group(destination, &all, &[plain], &mut found);
            return found;
        }
        for group in &self.groups {
            let sides = self.sources[group[0]].place.sides;
            if sides.iter().flatten().any(|place| place.ipv6 != destination.any.ipv6) {
                continue;
            }
            let kinds = self.sorts.kinds.iter();
            let cases: Vec<Case<'_>> = kinds.map(|kind| self.case(destination, Some((sides, *kind)))).collect();
            self.group(destination, group, &cases, &mut found);
        }
        found
    }

    /// Follows the packets to a destination in both networks.
    fn case(&self, destination: &Both<'_>, packet: Option<([Option<&Place>; 2], Protocol)>) -> Case<'a> {
        let steps = [0, 1].map(|side: usize| {
            let address = destination.sides[side]?.address;
            let packet = packet.and_then(|(sources, (protocol, port))| {
                let source = sources[side]?.address;
                Some(Packet { source, destination: address, protocol, port })
            });
            Some(self.planes[side].column(address, packet.as_ref()))
        });
        let compared = match &steps {
            [Some(old), Some(new)] => compare(old, new),
            [Some(_), None] | [None, Some(_)] | [None, None] => Vec::new(),
        };
        // Where nothing differs, nobody asks for more.
        let asked = compared.is_empty() || compared.iter().any(|compared| !compared.same);
        let whole = self.sources.iter().all(|start| start.place.sides.iter().all(Option::is_some));
        let ways = steps.each_ref().map(|steps| match steps {
            Some(steps) if asked || !whole => ways(steps),
            Some(_) | None => Vec::new(),
        });
        Case { steps, compared, ways }
    }

    /// Compares the traffic of some sources, of which `cases` are all kinds of packets.
    fn group(&self, destination: &Both<'_>, group: &[usize], cases: &[Case<'a>], found: &mut Found) {
        let to = destination.any;
        // Sources at one device have the same ways.
        let mut known: HashMap<(usize, [bool; 2]), Changes> = HashMap::new();
        let mut devices: BTreeMap<(Key, usize), BTreeSet<usize>> = BTreeMap::new();
        let mut counts = vec![0; self.classes.len()];
        // Most destinations are reached as before from everywhere.
        let both = destination.sides.iter().all(Option::is_some);
        let quiet = both && cases.iter().all(|case| case.compared.iter().all(|compared| compared.same));
        for &index in group {
            let Start { place: source, device, class } = self.sources[index];
            let from = source.any;
            // Nor does anything stand between a device and its own hosts.
            let outside = to.subnet.is_none() && to.prefix.is_some() && from.class == to.class;
            let own = (outside || from.class == PlaceClass::Loopbacks && to.subnet.is_some()) && from.node == to.node;
            if from.ipv6 != to.ipv6 || source.is_at(destination) || own {
                continue;
            }
            found.compared += 1;
            counts[class] += 1;
            if quiet && source.sides.iter().all(Option::is_some) {
                found.same += 1;
                continue;
            }
            let there = [0, 1].map(|side: usize| source.sides[side].is_some() && destination.sides[side].is_some());
            let changes = known.entry((device, there)).or_insert_with(|| self.changes(to, cases, device, there));
            found.same += usize::from(changes.is_empty());
            for (change, kinds) in changes.iter() {
                let key = Key {
                    allowed: (self.allowed)(from, to, change.what),
                    what: change.what,
                    from: from.class.clone(),
                    to: to.class.clone(),
                    packets: if cases.len() > 1 { self.sorts.words(kinds) } else { None },
                    words: change.words.clone(),
                    rule: change.rule.clone(),
                };
                let part = found.parts.entry(key.clone()).or_insert_with(|| Part::new((from.clone(), to.clone())));
                part.pairs += 1;
                part.sources.extend(from.node.clone());
                for &kind in kinds {
                    part.measure(&cases[kind], device, there);
                    devices.entry((key.clone(), kind)).or_default().insert(device);
                }
            }
        }
        for (class, count) in self.classes.iter().zip(counts).filter(|(_, count)| *count > 0) {
            *found.of.entry(((*class).clone(), to.class.clone())).or_default() += count;
        }
        for ((key, kind), devices) in devices {
            let ([Some(old), Some(new)], Some(part)) = (&cases[kind].steps, found.parts.get_mut(&key)) else {
                continue;
            };
            if matches!(key.what, TrafficWhat::Comes | TrafficWhat::Goes) {
                continue;
            }
            let (old, new) = (passed(old, devices.iter().copied()), passed(new, devices));
            let names = |some: &BTreeSet<usize>, others: &BTreeSet<usize>, plane: &Plane<'_>| -> Vec<NodeName> {
                some.difference(others).filter_map(|&device| plane.name(device).cloned()).collect()
            };
            part.leaves.extend(names(&old, &new, &self.planes[0]));
            part.joins.extend(names(&new, &old, &self.planes[1]));
        }
    }

    /// Returns how the traffic from a device changes, each with the kinds of packets of which that is so.
    fn changes(&self, to: &Place, cases: &[Case<'a>], device: usize, there: [bool; 2]) -> Changes {
        let mut changes: BTreeMap<Change, BTreeSet<usize>> = BTreeMap::new();
        for (kind, case) in cases.iter().enumerate() {
            if let Some(change) = self.change(to, case, device, there) {
                changes.entry(change).or_default().insert(kind);
            }
        }
        changes.into_iter().collect()
    }

    fn change(&self, to: &Place, case: &Case<'a>, device: usize, there: [bool; 2]) -> Option<Change> {
        let words = |side: usize| self.words(side, &case.ways[side][device].ends, to);
        let what = match there {
            [false, false] => return None,
            [false, true] => TrafficWhat::Comes,
            [true, false] => TrafficWhat::Goes,
            [true, true] => {
                let compared = case.compared[device];
                if compared.same {
                    return None;
                }
                let [before, after] = [0, 1].map(|side: usize| self.arriving(side, &case.ways[side][device].ends, to));
                let same_words = words(0) == words(1);
                match before.cmp(&after) {
                    std::cmp::Ordering::Greater => TrafficWhat::Lost,
                    std::cmp::Ordering::Less => TrafficWhat::Gained,
                    std::cmp::Ordering::Equal if !same_words => TrafficWhat::Verdict,
                    std::cmp::Ordering::Equal if before == Arriving::None => return None,
                    std::cmp::Ordering::Equal if compared.narrower => TrafficWhat::Narrower,
                    std::cmp::Ordering::Equal if compared.wider => TrafficWhat::Wider,
                    std::cmp::Ordering::Equal => TrafficWhat::Path,
                }
            }
        };
        let rule = if there[1] { self.rule(&case.ways[1][device].ends) } else { None };
        let rule = rule.filter(|_| matches!(what, TrafficWhat::Lost | TrafficWhat::Verdict));
        Some(Change { what, words: [0, 1].map(|side| there[side].then(|| words(side))), rule })
    }

    fn arrives(&self, side: usize, end: &End<'_>, to: &Place) -> bool {
        match end {
            End::Delivered(device) => to.node.as_ref() == self.planes[side].name(*device),
            End::Outside(_) => matches!(to.class, PlaceClass::Peering(_) | PlaceClass::Internet),
            End::Left(_)
            | End::Discarded(_)
            | End::NoRoute(_)
            | End::Lost(..)
            | End::Denied(..)
            | End::Loop
            | End::Unknown(_) => false,
        }
    }

    fn arriving(&self, side: usize, ends: &[End<'_>], to: &Place) -> Arriving {
        let arriving = ends.iter().filter(|end| self.arrives(side, end, to)).count();
        match arriving {
            0 => Arriving::None,
            some if some < ends.len() => Arriving::Some,
            _ => Arriving::All,
        }
    }

    /// Returns how packets end, in words.
    fn words(&self, side: usize, ends: &[End<'_>], to: &Place) -> String {
        let name = |device: &usize| self.planes[side].name(*device).map(ToString::to_string).unwrap_or_default();
        let words = |end: &End<'_>| match end {
            End::Delivered(_) if self.arrives(side, end, to) => "delivered".to_owned(),
            End::Delivered(device) => format!("delivered at {}", name(device)),
            End::Outside(device) if self.arrives(side, end, to) => format!("out at {}", name(device)),
            End::Outside(_) => "dropped outside".to_owned(),
            End::Left(device) => format!("left at {}", name(device)),
            End::Discarded(_) => "discarded by a route".to_owned(),
            End::NoRoute(_) => "no route".to_owned(),
            End::Lost(..) => "lost at a dead end".to_owned(),
            End::Denied(_, _, _, Some(rule)) => format!("dropped by the rule `{rule}`"),
            End::Denied(_, _, acl, None) => format!("no rule of `{acl}` lets it pass"),
            End::Loop => "loops".to_owned(),
            End::Unknown(device) => match name(device) {
                name if name.is_empty() => "the device is off".to_owned(),
                name => format!("unknown beyond {name}"),
            },
        };
        let words: BTreeSet<String> = ends.iter().map(words).collect();
        let words: Vec<String> = words.into_iter().collect();
        match self.arriving(side, ends, to) {
            Arriving::Some => words.iter().map(|words| format!("in part {words}")).collect::<Vec<_>>().join(", "),
            Arriving::None | Arriving::All => words.join(" or "),
        }
    }

    /// Returns where the rule stands that drops packets.
    fn rule(&self, ends: &[End<'_>]) -> Option<Source> {
        ends.iter().find_map(|end| {
            let End::Denied(device, _, acl, entry) = end else { return None };
            let set = self.planes[1].config(*device)?.acl_sets.get(*acl)?;
            let entry = set.entries.iter().find(|known| Some(&known.name) == *entry);
            let sources = entry.map_or(set.provenance.of("default_action"), |entry| &entry.provenance.sources);
            cause(sources).cloned()
        })
    }
}

/// How many packets arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Arriving {
    None,
    Some,
    All,
}

impl Part {
    fn new(example: (Place, Place)) -> Self {
        Self {
            pairs: 0,
            sources: BTreeSet::new(),
            width: [None; 2],
            paths: [None; 2],
            hops: [None; 2],
            leaves: BTreeSet::new(),
            joins: BTreeSet::new(),
            example,
        }
    }

    fn measure(&mut self, case: &Case<'_>, device: usize, there: [bool; 2]) {
        for side in [0, 1] {
            let Some(steps) = case.steps[side].as_ref().filter(|_| there[side]) else { continue };
            let (width, way) = (steps[device].next.len(), &case.ways[side][device]);
            widen(&mut self.width[side], (width, width));
            widen(&mut self.paths[side], (way.paths, way.paths));
            widen(&mut self.hops[side], way.hops);
        }
    }

    fn add(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.sources.extend(other.sources);
        for side in [0, 1] {
            other.width[side].into_iter().for_each(|range| widen(&mut self.width[side], range));
            other.paths[side].into_iter().for_each(|range| widen(&mut self.paths[side], range));
            other.hops[side].into_iter().for_each(|range| widen(&mut self.hops[side], range));
        }
        self.leaves.extend(other.leaves);
        self.joins.extend(other.joins);
    }
}

fn widen<T: Ord + Copy>(range: &mut Option<(T, T)>, (least, most): (T, T)) {
    *range = Some(range.map_or((least, most), |(a, b)| (a.min(least), b.max(most))));
}

impl Found {
    fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.same += other.same;
        for (classes, count) in other.of {
            *self.of.entry(classes).or_default() += count;
        }
        for (key, part) in other.parts {
            match self.parts.entry(key) {
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().add(part),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(part);
                }
            }
        }
    }

    fn moves(self) -> Moves {
        let Self { compared, same, of, parts } = self;
        let change = |(key, part): (Key, Part)| {
            // What some traffic leaves and other traffic joins tells nothing of the whole.
            let both: BTreeSet<NodeName> = part.leaves.intersection(&part.joins).cloned().collect();
            let [before, after] = key.words;
            Move {
                allowed: key.allowed,
                what: key.what,
                of: of.get(&(key.from.clone(), key.to.clone())).copied().unwrap_or_default(),
                from: key.from,
                to: key.to,
                packets: key.packets,
                before,
                after,
                rule: key.rule,
                pairs: part.pairs,
                sources: part.sources,
                width: part.width,
                paths: part.paths,
                hops: part.hops,
                leaves: part.leaves.difference(&both).cloned().collect(),
                joins: part.joins.difference(&both).cloned().collect(),
                example: part.example,
            }
        };
        Moves { compared, same, changes: parts.into_iter().map(change).collect() }
    }
}
