//! VLANs and VNIs: those that tenants write, and those that pools are to give them.

use std::collections::{BTreeMap, HashMap, btree_map::Entry, hash_map};

use weft_diagnostics::{Code, Diagnostic};
use weft_model::{IntentKind, Name, NodeName, NumberRange, VlanId, Vni};

use super::{Spot, Validation, tenant::TenantScope};
use crate::{codes, spec::VniPurpose, suggest::first_of};

/// A range of a pool.
struct Pool<'a, T> {
    range: NumberRange<T>,
    spot: Spot<'a>,
}

/// What has a number: a tenant, or a segment of it. Two segments of one name are told as such, and not for what they share.
type Owner<'a> = (&'a Name, Option<&'a Name>);

/// Those that want a number of one kind from a pool.
struct Wanted<'a> {
    what: &'static str,
    pool: &'static str,
    by: Vec<(String, Spot<'a>)>,
}

pub(super) fn check(validation: &mut Validation<'_>, tenants: &[TenantScope<'_>]) {
    let mut vlans: Vec<Pool<'_, VlanId>> = Vec::new();
    let mut vnis: Vec<(VniPurpose, Pool<'_, Vni>)> = Vec::new();
    for intent in validation.set.pools.values() {
        let spot = |list: &str, index: usize| Spot::new(&intent.document, format!("/spec/{list}/{index}/range"));
        for (index, pool) in intent.spec.vlans.iter().enumerate() {
            vlans.push(Pool { range: pool.range, spot: spot("vlans", index) });
        }
        for (index, pool) in intent.spec.vnis.iter().enumerate() {
            vnis.push((pool.purpose, Pool { range: pool.range, spot: spot("vnis", index) }));
        }
    }
    let all_vnis: Vec<&Pool<'_, Vni>> = vnis.iter().map(|(_, pool)| pool).collect();
    overlaps(validation, "VLANs", &vlans.iter().collect::<Vec<_>>());
    overlaps(validation, "VNIs", &all_vnis);
    written_vnis(validation, tenants, &all_vnis);
    written_vlans(validation, tenants, &vlans);
    if !validation.has_all(IntentKind::Pools) {
        return;
    }
    let mut of_segments = Wanted { what: "VNI", pool: "`vnis` with `purpose: segment`", by: Vec::new() };
    let mut of_tenants = Wanted { what: "VNI", pool: "`vnis` with `purpose: tenant`", by: Vec::new() };
    let mut of_vlans = Wanted { what: "VLAN", pool: "`vlans`", by: Vec::new() };
    for TenantScope { intent, .. } in tenants {
        let document = &*intent.document;
        if intent.spec.vni.is_none() {
            of_tenants.by.push((intent.reference.to_string(), Spot::new(document, "/metadata/name")));
        }
        for (index, segment) in intent.spec.segments.iter().enumerate() {
            let spot = Spot::new(document, format!("/spec/segments/{index}/name"));
            let name = format!("{}/{}", intent.reference, segment.name);
            if segment.vlan.is_none() {
                of_vlans.by.push((name.clone(), spot.clone()));
            }
            if segment.vni.is_none() {
                of_segments.by.push((name, spot));
            }
        }
    }
    let sizes = |purpose: VniPurpose| -> Vec<(Spot<'_>, String, u64)> {
        vnis.iter().filter(|(of, _)| *of == purpose).map(|(_, pool)| pool.size()).collect()
    };
    suffice(validation, of_vlans, &vlans.iter().map(Pool::size).collect::<Vec<_>>());
    suffice(validation, of_segments, &sizes(VniPurpose::Segment));
    suffice(validation, of_tenants, &sizes(VniPurpose::Tenant));
}

impl<'a, T: Copy + Ord + Into<u32>> Pool<'a, T>
where
    NumberRange<T>: ToString,
{
    /// Returns where the pool is, its text, and how many numbers it has.
    fn size(&self) -> (Spot<'a>, String, u64) {
        let (first, last): (u32, u32) = (self.range.first.into(), self.range.last.into());
        (self.spot.clone(), self.range.to_string(), u64::from(last - first) + 1)
    }
}

/// Reports each range that shares a number with one before it.
fn overlaps<T: Copy + Ord + std::fmt::Display>(validation: &mut Validation<'_>, what: &str, pools: &[&Pool<'_, T>]) {
    for (index, pool) in pools.iter().enumerate() {
        let Some(first) = pools[..index].iter().find(|other| other.range.overlaps(&pool.range)) else { continue };
        let message = format!("the {what} {} and {} overlap", first.range, pool.range);
        validation.report(
            Diagnostic::error(codes::POOLS_OVERLAP, message)
                .at(pool.spot.span())
                .label(first.spot.span(), "the other pool")
                .help("part the ranges"),
        );
    }
}

/// Reports those that want a number and have no pool, or too small ones.
fn suffice(validation: &mut Validation<'_>, wanted: Wanted<'_>, pools: &[(Spot<'_>, String, u64)]) {
    let Wanted { what, pool, by } = wanted;
    let Some((name, spot)) = by.first() else { return };
    let Some((last, text, _)) = pools.last() else {
        let message = format!("no pool gives a {what} to {}", first_of(name, by.len()));
        validation.report(
            Diagnostic::error(codes::NO_POOL, message)
                .at(spot.span())
                .help(format!("add a range to {pool} in a Pools intent, or write the {what} here")),
        );
        return;
    };
    let have: u64 = pools.iter().map(|(.., size)| size).sum();
    let need = u64::try_from(by.len()).unwrap_or(u64::MAX);
    if need > have {
        let range = if pools.len() == 1 { format!("the pool {text} gives") } else { "the pools give".to_owned() };
        let plural = if have == 1 { "" } else { "s" };
        let message = format!("{range} {have} {what}{plural}, and {} more than that are needed", need - have);
        validation.report(
            Diagnostic::error(codes::POOL_EXHAUSTED, message)
                .at(last.span())
                .help("widen the pool, or add another one behind it"),
        );
    }
}

/// Reports a number that a pool may give to something else.
fn in_pool<T: Copy + Ord + std::fmt::Display>(
    validation: &mut Validation<'_>,
    (code, what, number): (Code, &str, T),
    spot: &Spot<'_>,
    pools: &[&Pool<'_, T>],
) {
    if let Some(pool) = pools.iter().find(|pool| pool.range.contains(&number)) {
        let message = format!("the {what} {number} lies in a pool, {}, which may give it to another", pool.range);
        validation.report(
            Diagnostic::error(code, message)
                .at(spot.span())
                .label(pool.spot.span(), "the pool")
                .help(format!("take one outside of the pools, or leave it out: the pool gives a {what}")),
        );
    }
}

fn written_vnis(validation: &mut Validation<'_>, tenants: &[TenantScope<'_>], pools: &[&Pool<'_, Vni>]) {
    let mut first: BTreeMap<Vni, (Owner<'_>, Spot<'_>)> = BTreeMap::new();
    for TenantScope { intent, .. } in tenants {
        let document = &*intent.document;
        let of_segments = intent.spec.segments.iter().enumerate();
        let of_segments = of_segments
            .map(|(index, segment)| (segment.vni, Some(&segment.name), format!("/spec/segments/{index}/vni")));
        let all = std::iter::once((intent.spec.vni, None, "/spec/vni".to_owned())).chain(of_segments);
        for (vni, segment, pointer) in all.filter_map(|(vni, segment, pointer)| Some((vni?, segment, pointer))) {
            let owner = (&intent.reference.name, segment);
            let spot = Spot::new(document, pointer);
            match first.entry(vni) {
                Entry::Occupied(taken) if taken.get().0 == owner => {}
                Entry::Occupied(taken) => {
                    let finding = Diagnostic::error(codes::VNI_TWICE, format!("the VNI {vni} is used twice"))
                        .at(spot.span())
                        .label(taken.get().1.span(), "first used here");
                    validation.report(finding.help("take a free one: a VNI is unique in the whole network"));
                }
                Entry::Vacant(free) => {
                    in_pool(validation, (codes::VNI_TWICE, "VNI", vni), &spot, pools);
                    free.insert((owner, spot));
                }
            }
        }
    }
}

/// Reports VLANs that two segments have on one node, once for each segment, with the first other one.
fn written_vlans(validation: &mut Validation<'_>, tenants: &[TenantScope<'_>], pools: &[Pool<'_, VlanId>]) {
    let mut taken: HashMap<(&NodeName, VlanId), (Owner<'_>, Spot<'_>)> = HashMap::new();
    let pools: Vec<&Pool<'_, VlanId>> = pools.iter().collect();
    for TenantScope { intent, nodes, .. } in tenants {
        for (index, segment) in intent.spec.segments.iter().enumerate() {
            let Some(vlan) = segment.vlan else { continue };
            let spot = Spot::new(&intent.document, format!("/spec/segments/{index}/vlan"));
            let mut twice: Option<(usize, &NodeName, Spot<'_>)> = None;
            let owner = (&intent.reference.name, Some(&segment.name));
            for node in nodes {
                match taken.entry((&node.name, vlan)) {
                    hash_map::Entry::Occupied(first) if first.get().0 == owner => {}
                    hash_map::Entry::Occupied(first) => {
                        twice.get_or_insert_with(|| (0, &node.name, first.get().1.clone())).0 += 1;
                    }
                    hash_map::Entry::Vacant(free) => drop(free.insert((owner, spot.clone()))),
                }
            }
            if let Some((count, node, first)) = twice {
                let nodes = first_of(node.as_str(), count);
                let finding = Diagnostic::error(codes::VLAN_TWICE, format!("the VLAN {vlan} is used twice on {nodes}"))
                    .at(spot.span())
                    .label(first.span(), "first used here");
                validation.report(finding.help("take a free one, or let the tenants have different nodes"));
            } else {
                in_pool(validation, (codes::VLAN_TWICE, "VLAN", vlan), &spot, &pools);
            }
        }
    }
}
