//! Runs of zeros. They are left as holes in files, so that a sparse file stays sparse wherever it goes. Pure: where the
//! holes of a file are on the disk is `host::sparse`.

use std::ops::Range;

/// The length in bytes from which a run of zeros becomes a hole. Shorter runs are written: each hole costs a file system
/// an entry in its list of blocks, and disks like long writes. 64 KiB is the largest block of common file systems.
pub const RUN_BYTES_MIN: usize = 64 << 10;

/// The number of bytes that are compared with zero in one step.
const STEP_BYTES: usize = 64;

/// Zeros to read from.
pub static ZEROS: [u8; RUN_BYTES_MIN] = [0; RUN_BYTES_MIN];

/// A part of some bytes, by its place in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes without a run of zeros that is long enough for a hole.
    Data(Range<usize>),
    /// A run of at least [`RUN_BYTES_MIN`] zeros.
    Zeros(Range<usize>),
}

/// Divides bytes into data and runs of zeros, in order and without gaps. A run is as long as it can be.
///
/// This is fast for ordinary data: one byte in each 64 KiB is looked at, and its neighbors only if it is zero.
///
/// ```
/// use shared::zeros::{Part, RUN_BYTES_MIN, parts};
///
/// let mut bytes = vec![0; RUN_BYTES_MIN + 2];
/// bytes[0] = 7;
/// let runs: Vec<Part> = parts(&bytes).collect();
/// assert_eq!(runs, [Part::Data(0..1), Part::Zeros(1..RUN_BYTES_MIN + 2)]);
/// ```
pub fn parts(bytes: &[u8]) -> impl Iterator<Item = Part> + '_ {
    let (mut at, mut run) = (0, next_run(bytes, 0));
    std::iter::from_fn(move || match run.clone() {
        Some(zeros) if zeros.start == at => {
            (at, run) = (zeros.end, next_run(bytes, zeros.end));
            Some(Part::Zeros(zeros))
        }
        _ if at == bytes.len() => None,
        _ => {
            let data = at..run.as_ref().map_or(bytes.len(), |zeros| zeros.start);
            at = data.end;
            Some(Part::Data(data))
        }
    })
}

/// Whether all bytes are zero; true for no bytes.
pub fn is_all_zeros(bytes: &[u8]) -> bool {
    zeros_at_begin(bytes) == bytes.len()
}

/// The first run that begins at `from` or later.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    // A run that begins at `from` or later is long enough only if it contains this byte, or one of those that follow it
    // in steps of the shortest run.
    let (mut from, mut probe) = (from, from + RUN_BYTES_MIN - 1);
    while probe < bytes.len() {
        if bytes[probe] != 0 {
            (from, probe) = (probe + 1, probe + RUN_BYTES_MIN);
            continue;
        }
        let start = probe - zeros_at_end(&bytes[from..probe]);
        let end = probe + zeros_at_begin(&bytes[probe..]);
        if end - start >= RUN_BYTES_MIN {
            return Some(start..end);
        }
        (from, probe) = (end, end + RUN_BYTES_MIN);
    }
    None
}

fn zeros_at_begin(bytes: &[u8]) -> usize {
    let whole = bytes.chunks_exact(STEP_BYTES).take_while(|step| are_zero(step)).count() * STEP_BYTES;
    whole + bytes[whole..].iter().take_while(|byte| **byte == 0).count()
}

fn zeros_at_end(bytes: &[u8]) -> usize {
    let whole = bytes.rchunks_exact(STEP_BYTES).take_while(|step| are_zero(step)).count() * STEP_BYTES;
    whole + bytes[..bytes.len() - whole].iter().rev().take_while(|byte| **byte == 0).count()
}

/// Without a branch for each byte, so that the compiler uses vectors.
fn are_zero(step: &[u8]) -> bool {
    step.iter().fold(0, |any, byte| any | byte) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lengths of runs, many of them close to the shortest that counts.
    fn lengths() -> impl Strategy<Value = Vec<(usize, usize)>> {
        let zeros = prop_oneof![0usize..300, RUN_BYTES_MIN - 2..RUN_BYTES_MIN + 3, 0usize..3 * RUN_BYTES_MIN];
        let data = prop_oneof![0usize..3, 0usize..200, 0usize..2 * RUN_BYTES_MIN];
        prop::collection::vec((zeros, data), 0..8)
    }

    fn bytes_of(lengths: &[(usize, usize)]) -> Vec<u8> {
        let runs = lengths.iter().flat_map(|&(zeros, data)| [(0, zeros), (9, data)]);
        runs.flat_map(|(byte, count)| std::iter::repeat_n(byte, count)).collect()
    }

    /// The same as [`parts`], by looking at every byte.
    fn plainly(bytes: &[u8]) -> Vec<Part> {
        let (mut parts, mut at): (Vec<Part>, usize) = (Vec::new(), 0);
        while at < bytes.len() {
            let zeros = bytes[at..].iter().take_while(|byte| **byte == 0).count();
            match parts.last_mut() {
                _ if zeros >= RUN_BYTES_MIN => parts.push(Part::Zeros(at..at + zeros)),
                Some(Part::Data(range)) => range.end = at + zeros.max(1),
                _ => parts.push(Part::Data(at..at + zeros.max(1))),
            }
            at += zeros.max(1);
        }
        parts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn they_are_what_a_look_at_every_byte_finds(lengths in lengths()) {
            let bytes = bytes_of(&lengths);
            prop_assert_eq!(parts(&bytes).collect::<Vec<_>>(), plainly(&bytes));
        }

        #[test]
        fn together_they_are_the_bytes(bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..2000), zeros in 0usize..2 * RUN_BYTES_MIN, at in 0usize..2000) {
            let mut bytes = bytes;
            let at = at.min(bytes.len());
            bytes.splice(at..at, std::iter::repeat_n(0, zeros));
            let mut again = Vec::new();
            for part in parts(&bytes) {
                match part {
                    Part::Data(range) => again.extend_from_slice(&bytes[range]),
                    Part::Zeros(range) => again.resize(again.len() + range.len(), 0),
                }
            }
            prop_assert!(again == bytes);
            prop_assert_eq!(is_all_zeros(&bytes), bytes.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn nothing_has_no_parts_and_little_is_data() {
        assert_eq!(parts(&[]).count(), 0);
        for bytes in [1, RUN_BYTES_MIN - 1] {
            assert_eq!(parts(&vec![0; bytes]).collect::<Vec<_>>(), [Part::Data(0..bytes)]);
        }
        assert_eq!(parts(&ZEROS).collect::<Vec<_>>(), [Part::Zeros(0..RUN_BYTES_MIN)]);
    }

    /// `cargo test -p shared --release --lib zeros -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn measure_zeros() {
        let mut seed = 1u64;
        let mut random = || {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (seed >> 56) as u8
        };
        let mib = 1 << 20;
        let ordinary: Vec<u8> = (0..mib).map(|_| random()).collect();
        let zeros = vec![0; mib];
        let worst: Vec<u8> = (0..mib).map(|at| u8::from(at % RUN_BYTES_MIN == 0)).collect();
        for (what, bytes) in [("random bytes", ordinary), ("zeros", zeros), ("runs too short by 1", worst)] {
            let begin = std::time::Instant::now();
            let rounds = 2000;
            let found: usize = (0..rounds).map(|_| parts(std::hint::black_box(&bytes)).count()).sum();
            let ns = begin.elapsed().as_nanos() / rounds;
            eprintln!("{what}: {ns} ns for each chunk of 1 MiB ({} parts)", found as u128 / rounds);
        }
    }
}
