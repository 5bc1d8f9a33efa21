//! Intents, topology and allocations to vendor-neutral device configuration, with provenance.
