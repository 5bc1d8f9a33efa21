//! Every kind of intent with its spec, once: what is the same for all kinds is written from this list.

/// Calls a macro with each kind: its variant of `IntentKind`, its spec, its field of [`crate::IntentSet`].
macro_rules! each_kind {
    ($with:ident) => {
        $with! {
            Fabric, FabricSpec, fabrics;
            Topology, TopologySpec, topologies;
            Pools, PoolsSpec, pools;
            Underlay, UnderlaySpec, underlays;
            Segment, SegmentSpec, segments;
            Tenant, TenantSpec, tenants;
            Peering, PeeringSpec, peerings;
            Steering, SteeringSpec, steerings;
            Reachability, ReachabilitySpec, reachabilities;
            Access, AccessSpec, accesses;
            Maintenance, MaintenanceSpec, maintenances;
            Baseline, BaselineSpec, baselines;
            Capacity, CapacitySpec, capacities;
        }
    };
}

pub(crate) use each_kind;
