//! Carries out a plan: device transactions, waves, journal, rollback.
