//! What BGP routes say beside their prefix: AS paths and sets of communities, each once, as small numbers.
//!
//! Of a path only that is kept which can make a difference to some device: its length, the ASes that a device could look for, and
//! the first AS where MEDs are compared. So the many paths of a regular network are one.

use std::{borrow::Borrow, collections::BTreeSet, hash::Hash, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};
use weft_model::Community;

/// An AS path of [`Attributes`].
pub(crate) type PathId = u32;

/// A set of communities of [`Attributes`].
pub(crate) type CommunitiesId = u32;

/// RFC 4271 leaves it to the implementation; all take this.
pub(crate) const DEFAULT_LOCAL_PREFERENCE: u32 = 100;

/// A route as a device holds it or announces it. Its origin is always IGP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// The AS path.
    pub(crate) path: PathId,
    /// The communities.
    pub(crate) communities: CommunitiesId,
    /// How much the device that holds it likes it; it does not leave the AS.
    pub(crate) local_preference: u32,
    /// The multi-exit discriminator, 0 where there is none.
    pub(crate) med: u32,
}

/// What of a path devices look at, beside its length.
#[derive(Debug, Clone)]
pub(crate) struct Looks {
    /// Whether routes are compared with others of the same first AS.
    pub(crate) at_first: bool,
    /// The ASes that devices look for; `None` is any.
    pub(crate) at_passed: Option<Arc<FxHashSet<u32>>>,
}

/// As much of an AS path as devices look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Path {
    /// The first AS, 0 where nobody looks at it.
    first: u32,
    length: u32,
    /// The set of ASes that it passes.
    passed: u32,
    /// A bit for each of them, which several may have.
    bits: u64,
}

/// The AS paths and the sets of communities of a class, each once.
#[derive(Debug)]
pub(crate) struct Attributes<'b> {
    looks: Looks,
    paths: Numbered<'b, Path>,
    /// In order.
    passed: Numbered<'b, Box<[u32]>>,
    /// In order.
    communities: Numbered<'b, Box<[Community]>>,
    /// Paths by what they were before an AS was put in front.
    longer: FxHashMap<(u32, PathId), PathId>,
}

impl<'b> Attributes<'b> {
    /// The path of a route that did not leave its device.
    pub(crate) const NO_PATH: PathId = 0;
    /// No communities.
    const NO_COMMUNITIES: CommunitiesId = 0;

    /// Returns no paths and no communities.
    pub(crate) fn new(looks: Looks) -> Self {
        let (paths, passed, communities) = (Numbered::new(None), Numbered::new(None), Numbered::new(None));
        let mut attributes = Attributes { looks, paths, passed, communities, longer: FxHashMap::default() };
        attributes.passed.number(&[][..], Box::default);
        let path = Path { first: 0, length: 0, passed: 0, bits: 0 };
        attributes.paths.number(&path, || path);
        attributes.communities.number(&[][..], Box::default);
        attributes
    }

    /// Returns more of them, while those that are known already keep their numbers.
    pub(crate) fn on(base: &'b Attributes<'b>) -> Self {
        Attributes {
            looks: base.looks.clone(),
            paths: Numbered::new(Some(&base.paths)),
            passed: Numbered::new(Some(&base.passed)),
            communities: Numbered::new(Some(&base.communities)),
            longer: FxHashMap::default(),
        }
    }

    /// Returns the path with an AS before it.
    pub(crate) fn prepend(&mut self, asn: u32, rest: PathId) -> PathId {
        if let Some(&known) = self.longer.get(&(asn, rest)) {
            return known;
        }
        let mut path = *self.paths.get(rest);
        path.length += 1;
        path.first = if self.looks.at_first { asn } else { 0 };
        if self.looks.at_passed.as_ref().is_none_or(|some| some.contains(&asn)) && !self.passes(rest, asn) {
            let mut passed: Vec<u32> = self.passed.get(path.passed).iter().copied().chain([asn]).collect();
            passed.sort_unstable();
            path.passed = self.passed.number(&passed[..], || passed[..].into());
            path.bits |= bit(asn);
        }
        let number = self.paths.number(&path, || path);
        self.longer.insert((asn, rest), number);
        number
    }

    /// Returns a path with the first AS of another.
    pub(crate) fn led_by(&mut self, other: PathId, path: PathId) -> PathId {
        let path = Path { first: self.first(other), ..*self.paths.get(path) };
        self.paths.number(&path, || path)
    }

    /// Returns the first AS of a path; 0 where there is none, or nobody looks at it.
    pub(crate) fn first(&self, path: PathId) -> u32 {
        self.paths.get(path).first
    }

    /// Returns the number of ASes on a path.
    pub(crate) fn length(&self, path: PathId) -> u32 {
        self.paths.get(path).length
    }

    /// Tells whether an AS, one that devices look for, is on a path.
    pub(crate) fn passes(&self, path: PathId, asn: u32) -> bool {
        let path = self.paths.get(path);
        path.bits & bit(asn) != 0 && self.passed.get(path.passed).contains(&asn)
    }

    /// Returns the route that an AS announces when it holds one: its own AS goes before the path, and what is only for
    /// itself or for the AS that said it (RFC 4271 5.1.4 and 5.1.5) is gone.
    pub(crate) fn announced(&mut self, asn: u32, route: Route) -> Route {
        let path = self.prepend(asn, route.path);
        Route { path, local_preference: DEFAULT_LOCAL_PREFERENCE, med: 0, communities: route.communities }
    }

    /// Returns the route that a device holds of a network of its own.
    pub(crate) fn originated() -> Route {
        Route {
            path: Self::NO_PATH,
            communities: Self::NO_COMMUNITIES,
            local_preference: DEFAULT_LOCAL_PREFERENCE,
            med: 0,
        }
    }

    /// Tells whether a set has one of some communities.
    pub(crate) fn has_any(&self, set: CommunitiesId, some: &[Community]) -> bool {
        set != Self::NO_COMMUNITIES && self.communities.get(set).iter().any(|community| some.contains(community))
    }

    /// Returns a set without some communities and with others.
    pub(crate) fn changed(&mut self, set: CommunitiesId, remove: &[Community], add: &[Community]) -> CommunitiesId {
        if add.is_empty() && !self.has_any(set, remove) {
            return set;
        }
        let kept = self.communities.get(set).iter().filter(|community| !remove.contains(community));
        let communities: BTreeSet<Community> = kept.chain(add).copied().collect();
        let communities: Vec<Community> = communities.into_iter().collect();
        self.communities.number(&communities[..], || communities[..].into())
    }
}

/// Returns the bit of an AS.
fn bit(asn: u32) -> u64 {
    1 << (asn.wrapping_mul(0x9e37_79b1) >> 26)
}

/// Values, each once, by the order in which they came.
#[derive(Debug)]
pub(crate) struct Numbered<'b, T> {
    /// Those that come before.
    base: Option<&'b Numbered<'b, T>>,
    /// How many come before.
    before: usize,
    values: Vec<T>,
    known: FxHashMap<T, u32>,
}

impl<'b, T: Clone + Eq + Hash> Numbered<'b, T> {
    /// Returns those of another, if any, to which more may come.
    pub(crate) fn new(base: Option<&'b Numbered<'b, T>>) -> Self {
        let before = base.map_or(0, |base| base.before + base.values.len());
        Self { base, before, values: Vec::new(), known: FxHashMap::default() }
    }

    /// Returns the value with a number.
    pub(crate) fn get(&self, number: u32) -> &T {
        match self.base {
            Some(base) if (number as usize) < self.before => base.get(number),
            Some(_) | None => &self.values[number as usize - self.before],
        }
    }

    /// Returns the values that came after those of the base, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    fn known<Q: Eq + Hash + ?Sized>(&self, value: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        self.known.get(value).copied().or_else(|| self.base?.known(value))
    }

    /// Returns the number of a value, which is made where it is new.
    pub(crate) fn number<Q: Eq + Hash + ?Sized>(&mut self, value: &Q, make: impl FnOnce() -> T) -> u32
    where
        T: Borrow<Q>,
    {
        if let Some(known) = self.known(value) {
            return known;
        }
        let number = (self.before + self.values.len()) as u32;
        let value = make();
        self.values.push(value.clone());
        self.known.insert(value, number);
        number
    }
}
