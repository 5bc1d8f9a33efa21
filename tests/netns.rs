//! The whole loop against real routers.

mod weft;
