//! The whole loop against the emulated lab.

mod weft;
