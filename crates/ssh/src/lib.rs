//! The only crate that opens a connection to a device.
