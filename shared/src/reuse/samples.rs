//! Chooses short samples of a chunk that are worth searching in another file.

use super::shift::Side;
use std::ops::Range;

/// The length of a sample in bytes.
pub const SAMPLE_BYTES: usize = 64;

/// Limits the samples of one chunk. One sample may lie where the chunk was changed; more of them cost more searching.
pub const SAMPLES_MAX: usize = 3;

/// A sample has at least this many different bytes. Poorer ones, such as runs of zeros, occur everywhere and say
/// nothing about where the chunk comes from.
const DISTINCT_MIN: u32 = 8;

/// A sample with this many different bytes is good enough to look no further. Random data has about 56, text about 20.
const DISTINCT_ENOUGH: u32 = 48;

/// The distance in bytes between the samples that are considered.
const STRIDE: usize = 16;

/// The positions of samples in a chunk, in bytes, at most [`SAMPLES_MAX`]; the most useful one comes first.
///
/// If the content that continues to the right of the chunk is searched, the samples are taken from the chunk's end, since
/// what lies before them may have changed.
///
/// ```
/// use shared::reuse::samples::samples;
/// use shared::reuse::shift::Side;
///
/// assert!(samples(&[0; 1 << 20], Side::Right).is_empty());
/// let chunk: Vec<u8> = (0..1 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
/// assert!(samples(&chunk, Side::Right)[0] > chunk.len() * 15 / 16 - 64);
/// assert!(samples(&chunk, Side::Left)[0] < chunk.len() / 16);
/// ```
pub fn samples(chunk: &[u8], side: Side) -> Vec<usize> {
    zones(chunk.len(), side).into_iter().filter_map(|zone| best_within(chunk, zone)).collect()
}

/// The parts of a chunk of `bytes` bytes from which samples are taken.
fn zones(bytes: usize, side: Side) -> [Range<usize>; SAMPLES_MAX] {
    let part = |from: usize, to: usize| bytes * from / 16..bytes * to / 16;
    match side {
        Side::Right => [part(15, 16), part(12, 15), part(8, 12)],
        Side::Left => [part(0, 1), part(1, 4), part(4, 8)],
        Side::Both => [part(0, 1), part(15, 16), part(7, 9)],
    }
}

fn best_within(chunk: &[u8], zone: Range<usize>) -> Option<usize> {
    let mut best = None;
    let mut most = DISTINCT_MIN - 1;
    for at in zone.step_by(STRIDE) {
        let Some(sample) = chunk.get(at..at + SAMPLE_BYTES) else { break };
        let distinct = distinct(sample);
        if distinct > most {
            (best, most) = (Some(at), distinct);
        }
        if most >= DISTINCT_ENOUGH {
            break;
        }
    }
    best
}

/// The number of different bytes.
fn distinct(bytes: &[u8]) -> u32 {
    let mut seen = [0u64; 4];
    bytes.iter().for_each(|&byte| seen[usize::from(byte / 64)] |= 1 << (byte % 64));
    seen.iter().map(|word| word.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::splitmix;
    use proptest::prelude::*;

    fn random(bytes: usize) -> Vec<u8> {
        let mut state = 5;
        (0..bytes).map(|_| splitmix(&mut state) as u8).collect()
    }

    #[test]
    fn what_occurs_everywhere_is_no_sample() {
        for side in [Side::Left, Side::Right, Side::Both] {
            assert_eq!(samples(&[7; 1 << 20], side), [] as [usize; 0]);
            let pattern: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 7) as u8).collect();
            assert_eq!(samples(&pattern, side), [] as [usize; 0]);
            assert_eq!(samples(&random(1 << 20), side).len(), SAMPLES_MAX);
        }
    }

    #[test]
    fn a_sample_is_found_among_zeros() {
        let mut chunk = vec![0; 1 << 20];
        let rich = random(100);
        chunk[(1 << 20) - 5000..][..100].copy_from_slice(&rich);
        let [at] = samples(&chunk, Side::Right)[..] else { panic!("only one place has samples") };
        assert!(distinct(&chunk[at..at + SAMPLE_BYTES]) >= DISTINCT_ENOUGH);
    }

    proptest! {
        #[test]
        fn samples_lie_within_the_chunk(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            for side in [Side::Left, Side::Right, Side::Both] {
                let found = samples(&bytes, side);
                prop_assert!(found.len() <= SAMPLES_MAX);
                prop_assert!(found.iter().all(|at| at + SAMPLE_BYTES <= bytes.len()));
            }
        }
    }
}
