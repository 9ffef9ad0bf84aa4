//! Flows against a daemon that only pretends.
