//! The only crate that opens a connection to a device.

mod inventory;

pub use inventory::{Inventory, Target};
