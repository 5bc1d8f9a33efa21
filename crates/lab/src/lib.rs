//! Emulated switches and real labs in network namespaces.

pub mod emulated;
pub mod netns;
