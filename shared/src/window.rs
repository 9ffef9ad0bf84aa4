//! The window of chunks that a leecher wants next. It is small enough to be sent with every `pick`.

use crate::chunk::ChunkIndex;
use serde::{Deserialize, Serialize};

/// Limits the span of a window in chunks. No chunk is requested further past the frontier (the first missing chunk), so
/// that the hash of the whole file follows closely behind, while its input is still in the page cache.
pub const WINDOW_CHUNKS_MAX: u32 = 1024;

/// A set of chunks within [`WINDOW_CHUNKS_MAX`] of its first one.
///
/// ```
/// use shared::chunk::ChunkIndex;
/// use shared::window::Window;
///
/// let window = Window::of(ChunkIndex(100), [101, 103].map(ChunkIndex));
/// assert!(window.contains(ChunkIndex(103)) && !window.contains(ChunkIndex(102)));
/// assert_eq!(window.iter().collect::<Vec<_>>(), [101, 103].map(ChunkIndex));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Window {
    first: ChunkIndex,
    bits: Vec<u8>,
}

/// A window in its serialized form.
#[derive(Clone, Serialize, Deserialize)]
struct Raw {
    first: u32,
    bits: Vec<u8>,
}

impl Window {
    /// A window of the chunks of `wanted` that are within [`WINDOW_CHUNKS_MAX`] from `first`.
    pub fn of(first: ChunkIndex, wanted: impl IntoIterator<Item = ChunkIndex>) -> Window {
        let mut bits = Vec::new();
        for index in wanted {
            let Some(at) = index.0.checked_sub(first.0).filter(|&at| at < WINDOW_CHUNKS_MAX) else {
                continue;
            };
            let byte = at as usize / 8;
            if byte >= bits.len() {
                bits.resize(byte + 1, 0u8);
            }
            bits[byte] |= 1 << (at % 8);
        }
        Window { first, bits }
    }

    /// The first index of the span. An empty window names a single chunk by it.
    pub fn first(&self) -> ChunkIndex {
        self.first
    }

    /// Whether the chunk is in the window.
    pub fn contains(&self, index: ChunkIndex) -> bool {
        index
            .0
            .checked_sub(self.first.0)
            .is_some_and(|at| self.bits.get(at as usize / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1))
    }

    /// Whether no chunk is in the window.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&byte| byte == 0)
    }

    /// The number of chunks in the window.
    pub fn len(&self) -> usize {
        self.bits.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// The chunks of the window, in order.
    pub fn iter(&self) -> impl Iterator<Item = ChunkIndex> + '_ {
        let end = self.first.0.saturating_add(self.bits.len() as u32 * 8);
        (self.first.0..end).map(ChunkIndex).filter(|&index| self.contains(index))
    }
}

impl TryFrom<Raw> for Window {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, &'static str> {
        if raw.bits.len() > WINDOW_CHUNKS_MAX as usize / 8 {
            return Err("the window is too wide");
        }
        Ok(Window { first: ChunkIndex(raw.first), bits: raw.bits })
    }
}

impl From<Window> for Raw {
    fn from(window: Window) -> Raw {
        Raw { first: window.first.0, bits: window.bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_left_out() {
        let window = Window::of(
            ChunkIndex(10),
            [9, 10, 10 + WINDOW_CHUNKS_MAX - 1, 10 + WINDOW_CHUNKS_MAX].map(ChunkIndex),
        );
        assert_eq!(window.iter().map(|i| i.0).collect::<Vec<_>>(), [10, 10 + WINDOW_CHUNKS_MAX - 1]);
        assert!(Window::of(ChunkIndex(5), [ChunkIndex(1)]).is_empty());
    }

    #[test]
    fn the_end_of_the_number_range_is_no_trap() {
        let window = Window::try_from(Raw { first: u32::MAX, bits: vec![0xff; 128] }).unwrap();
        assert_eq!(window.iter().count(), 0);
        assert!(Window::try_from(Raw { first: 0, bits: vec![0; 129] }).is_err());
    }
}
