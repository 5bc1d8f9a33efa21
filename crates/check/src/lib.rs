//! Consistency rules, and intents against the predicted network.
