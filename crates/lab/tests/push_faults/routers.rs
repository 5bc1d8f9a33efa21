//! Faults at the steps of a push to real routers: FRR and BIRD with real sshd, each in network namespaces of its own.
