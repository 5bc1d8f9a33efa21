//! Intended against running: an immutable, hashed plan of diffs and waves.
