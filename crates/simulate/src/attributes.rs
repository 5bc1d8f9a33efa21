//! What BGP routes say beside their prefix: AS paths and sets of communities, each once, as small numbers.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

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

/// The AS paths and the sets of communities of a class, each once.
#[derive(Debug)]
pub(crate) struct Attributes<'b> {
    /// The first AS, the rest of the path, the length.
    paths: Numbered<'b, (u32, PathId, u32)>,
    /// In order.
    communities: Numbered<'b, Box<[Community]>>,
}

impl Attributes<'_> {
    /// The path of a route that did not leave its device.
    pub(crate) const NO_PATH: PathId = 0;
    /// No communities.
    const NO_COMMUNITIES: CommunitiesId = 0;

    /// Returns no paths and no communities.
    pub(crate) fn new() -> Attributes<'static> {
        let mut attributes = Attributes { paths: Numbered::new(None), communities: Numbered::new(None) };
        attributes.paths.number((0, Self::NO_PATH, 0));
        attributes.communities.number(Box::default());
        attributes
    }

    /// Returns more of them, while those that are known already keep their numbers.
    pub(crate) fn on<'b>(base: &'b Attributes<'b>) -> Attributes<'b> {
        Attributes { paths: Numbered::new(Some(&base.paths)), communities: Numbered::new(Some(&base.communities)) }
    }

    /// Returns the path with an AS before it.
    pub(crate) fn prepend(&mut self, asn: u32, rest: PathId) -> PathId {
        let length = self.length(rest) + 1;
        self.paths.number((asn, rest, length))
    }

    /// Returns the first AS of a path and what is behind it; the empty path has AS 0.
    pub(crate) fn split(&self, path: PathId) -> (u32, PathId) {
        let &(asn, rest, _) = self.paths.get(path);
        (asn, rest)
    }

    /// Returns the number of ASes on a path.
    pub(crate) fn length(&self, path: PathId) -> u32 {
        self.paths.get(path).2
    }

    /// Tells whether an AS is on a path.
    pub(crate) fn passes(&self, mut path: PathId, asn: u32) -> bool {
        while path != Self::NO_PATH {
            let (first, rest) = self.split(path);
            if first == asn {
                return true;
            }
            path = rest;
        }
        false
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
        self.communities.number(communities.into_iter().collect())
    }
}

/// Values, each once, by the order in which they came.
#[derive(Debug)]
struct Numbered<'b, T> {
    /// Those that come before.
    base: Option<&'b Numbered<'b, T>>,
    /// How many come before.
    before: usize,
    values: Vec<T>,
    known: HashMap<T, u32>,
}

impl<'b, T: Clone + Eq + Hash> Numbered<'b, T> {
    fn new(base: Option<&'b Numbered<'b, T>>) -> Self {
        let before = base.map_or(0, |base| base.before + base.values.len());
        Self { base, before, values: Vec::new(), known: HashMap::new() }
    }

    fn get(&self, number: u32) -> &T {
        match self.base {
            Some(base) if (number as usize) < self.before => base.get(number),
            Some(_) | None => &self.values[number as usize - self.before],
        }
    }

    fn known(&self, value: &T) -> Option<u32> {
        self.known.get(value).copied().or_else(|| self.base?.known(value))
    }

    fn number(&mut self, value: T) -> u32 {
        if let Some(known) = self.known(&value) {
            return known;
        }
        let number = (self.before + self.values.len()) as u32;
        self.values.push(value.clone());
        self.known.insert(value, number);
        number
    }
}
