//! Emulated switches, real labs in network namespaces, and a proxy that breaks connections to either.

pub mod emulated;
pub mod netns;
pub mod proxy;
