//! Device configurations and topology to predicted state.
