//! Ranges of values, and the lowest free one of them.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;
use weft_intent::spec::Families;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Both families, IPv4 first.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// Returns the family of a prefix.
    pub fn of(prefix: &IpNet) -> Self {
        if prefix.addr().is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// Tells whether `families` have it.
    pub fn is_in(self, families: Families) -> bool {
        match self {
            Self::Ipv4 => families.ipv4(),
            Self::Ipv6 => families.ipv6(),
        }
    }
}

/// Every `step`-th value from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    first: u128,
    last: u128,
    step: u128,
}

impl Range {
    /// Returns the numbers from `first` to `last`.
    pub(crate) fn numbers(first: u32, last: u32) -> Self {
        Self { first: first.into(), last: last.into(), step: 1 }
    }

    /// Returns the usable host addresses of `prefix`: without the subnet and broadcast address where it has them.
    pub(crate) fn hosts(prefix: &IpNet) -> Self {
        let (first, last) = (number(prefix.network()), number(prefix.broadcast()));
        match last - first {
            0 | 1 => Self { first, last, step: 1 },
            _ if prefix.addr().is_ipv6() => Self { first: first + 1, last, step: 1 },
            _ => Self { first: first + 1, last: last - 1, step: 1 },
        }
    }

    /// Returns the first addresses of the subnets of `length` in `prefix`; none where they do not fit.
    pub(crate) fn subnets(prefix: &IpNet, length: u8) -> Self {
        let (first, last) = (number(prefix.network()), number(prefix.broadcast()));
        match prefix.max_prefix_len().checked_sub(length) {
            Some(bits) if length >= prefix.prefix_len() && bits < 128 => Self { first, last, step: 1 << bits },
            _ => Self { first: 1, last: 0, step: 1 },
        }
    }

    /// Returns the least value.
    pub(crate) fn first(&self) -> u128 {
        self.first
    }

    /// Returns the greatest value.
    pub(crate) fn last(&self) -> u128 {
        self.last
    }

    /// Tells whether `value` is one of the range's.
    pub(crate) fn contains(&self, value: u128) -> bool {
        (self.first..=self.last).contains(&value) && (value - self.first).is_multiple_of(self.step)
    }
}

/// A range with the place up to which it is known to be taken. Taking all of `n` values costs `O(n log n)`.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) range: Range,
    next: Option<u128>,
}

impl Pool {
    pub(crate) fn new(range: Range) -> Self {
        Self { range, next: (range.first <= range.last).then_some(range.first) }
    }

    /// Takes the lowest value that is not in `used`, and adds it there. Nothing may leave `used` between two calls.
    pub(crate) fn take(&mut self, used: &mut BTreeSet<u128>) -> Option<u128> {
        loop {
            let value = self.next?;
            self.next = value.checked_add(self.range.step).filter(|next| *next <= self.range.last);
            if used.insert(value) {
                return Some(value);
            }
        }
    }
}

/// Returns an address as a number; IPv4 addresses lie where RFC 4291 2.5.5.2 maps them.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Returns the address that [`number`] made a number of.
pub(crate) fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(number)).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(range: Range) -> Vec<String> {
        let (mut pool, mut used) = (Pool::new(range), BTreeSet::new());
        std::iter::from_fn(|| pool.take(&mut used)).map(|value| address(value).to_string()).collect()
    }

    #[test]
    fn a_range_has_what_fits_in_its_prefix() {
        let prefix: IpNet = "10.0.0.0/30".parse().unwrap();
        assert_eq!(all(Range::hosts(&prefix)), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(all(Range::subnets(&prefix, 31)), ["10.0.0.0", "10.0.0.2"]);
        assert_eq!(all(Range::subnets(&prefix, 30)), ["10.0.0.0"]);
        assert!(all(Range::subnets(&prefix, 29)).is_empty());
        assert_eq!(all(Range::hosts(&"10.0.0.9/32".parse().unwrap())), ["10.0.0.9"]);
        assert_eq!(all(Range::hosts(&"255.255.255.254/31".parse().unwrap())), ["255.255.255.254", "255.255.255.255"]);
        assert_eq!(all(Range::hosts(&"2001:db8::/127".parse().unwrap())).len(), 2);
    }

    #[test]
    fn a_pool_gives_the_lowest_free_value() {
        let mut used: BTreeSet<u128> = [1, 2, 4].into();
        let mut pool = Pool::new(Range::numbers(1, 5));
        assert_eq!([pool.take(&mut used), pool.take(&mut used), pool.take(&mut used)], [Some(3), Some(5), None]);
    }
}
