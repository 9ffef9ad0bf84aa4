//! What daemons exchange: files of any size, the same on every run, and their hashes.

use sha2::{Digest, Sha256};
use std::fs::{File, FileTimes};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// One MiB, the size of a chunk.
pub const MIB: usize = 1 << 20;

/// `bytes` bytes, the same for the same seed. No two chunks are equal, within a seed or between two seeds.
pub fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(bytes.next_multiple_of(MIB));
    let mut chunk = noise(seed, bytes.clamp(8, MIB)); // a small file needs no more
    while content.len() < bytes {
        let index = content.len() as u64;
        chunk[..8].copy_from_slice(&index.to_le_bytes());
        content.extend_from_slice(&chunk);
    }
    content.truncate(bytes);
    content
}

/// At least this many bytes that look random, by SplitMix64.
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut noise = vec![0; bytes.next_multiple_of(8)];
    for eight in noise.chunks_exact_mut(8) {
        eight.copy_from_slice(&splitmix(&mut state).to_le_bytes());
    }
    noise
}

/// The next number of SplitMix64. The helpers of the real binaries do without the crate `shared`, which has it, too.
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Writes these bytes into the middle of a file so that its size, inode and time of change stay as they were:
/// what a failing disk does.
pub fn corrupt(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    let metadata = file.metadata()?;
    file.write_all_at(bytes, offset)?;
    file.set_times(FileTimes::new().set_modified(metadata.modified()?).set_accessed(metadata.accessed()?))
}

/// Writes a file of this size with data in these places, and holes everywhere else. Returns its size.
#[track_caller]
pub fn write_sparse(path: &Path, bytes: usize, pieces: &[(usize, &[u8])]) -> u64 {
    let file = File::create(path).expect("the file can be made");
    file.set_len(bytes as u64).expect("a sparse file");
    for (offset, piece) in pieces {
        file.write_all_at(piece, *offset as u64).expect("the file is written");
    }
    file.sync_all().expect("the file is written");
    bytes as u64
}

/// The number of bytes that a file takes up on its disk.
#[track_caller]
pub fn allocated(path: &Path) -> u64 {
    path.metadata().expect("the file is there").blocks() * 512
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
