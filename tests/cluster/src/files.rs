//! What daemons exchange: files of any size, the same on every run, and their hashes.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// One MiB, the size of a chunk.
pub const MIB: usize = 1 << 20;

/// So many bytes that look random and are the same for the same seed. No two chunks of them are equal.
pub fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        content.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    content.truncate(bytes);
    content
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of a file, read piece by piece, in hexadecimal digits.
pub fn sha256_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; MIB];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
