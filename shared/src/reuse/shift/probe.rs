//! A chunk that is fetched in order to be searched.

use super::step::Side;
use crate::chunk::ChunkIndex;

/// A chunk that is fetched in order to be searched.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) index: ChunkIndex,
    pub(super) side: Side,
    pub(super) near: Vec<i64>,
    pub(super) state: ProbeState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeState {
    /// It has not arrived.
    Awaited,
    /// It is here and was not searched.
    Arrived,
    /// It is being searched, or its shifts are being tried.
    InUse,
}
