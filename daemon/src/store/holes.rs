//! Makes holes in files: ranges that read as zeros and take no room on the disk.

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use shared::zeros::is_all_zeros;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The number of bytes that are read and written at once where the file system cannot make holes.
const STEP_BYTES: usize = 1 << 20;

/// Makes a range of a file zeros, whatever was there. The range becomes a hole. Where the file system cannot do that, as
/// on NFS 4.1 and FAT, zeros are written over what is not zero. The length of the file does not change, so the range
/// must end within it.
pub(super) fn punch(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    loop {
        return match rustix::fs::fallocate(file, hole, offset, bytes) {
            Err(Errno::INTR) => continue,
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => fill(file, offset, bytes),
            punched => Ok(punched?),
        };
    }
}

/// Whether the file system of a file can make holes. Tries it behind the end of the file, where nothing lies.
pub(super) fn are_possible(file: &File) -> bool {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    file.metadata().is_ok_and(|metadata| {
        let behind = metadata.len().next_multiple_of(STEP_BYTES as u64);
        rustix::fs::fallocate(file, hole, behind, STEP_BYTES as u64).is_ok()
    })
}

/// Writes zeros where something else is. What is zero already stays as it is, which may be a hole.
fn fill(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let (mut at, end) = (offset, offset + bytes);
    let step = bytes.min(STEP_BYTES as u64) as usize;
    let (zeros, mut found) = (vec![0; step], vec![0; step]);
    while at < end {
        let now = (end - at).min(step as u64) as usize;
        // What cannot be read is written: that is how bad sectors are mended.
        let is_zero = file.read_exact_at(&mut found[..now], at).is_ok() && is_all_zeros(&found[..now]);
        if !is_zero {
            file.write_all_at(&zeros[..now], at)?;
        }
        at += now as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    type Way = fn(&File, u64, u64) -> io::Result<()>;

    #[test]
    fn what_was_there_is_zeros_then_however_the_file_system_does_it() {
        for make_zeros in [punch as Way, fill] {
            let file = tempfile::tempfile().unwrap();
            let mut bytes = vec![7; 3 << 20];
            file.write_all_at(&bytes, 0).unwrap();
            for (offset, len) in [(1000, 1), ((1 << 20) - 9, (1 << 20) + 77), (3 << 20, 0), (5, 0)] {
                if len > 0 {
                    make_zeros(&file, offset, len).unwrap();
                }
                bytes[offset as usize..(offset + len) as usize].fill(0);
                let mut found = vec![1; bytes.len()];
                file.read_exact_at(&mut found, 0).unwrap();
                assert!(found == bytes, "{offset} {len}");
                assert_eq!(file.metadata().unwrap().len(), 3 << 20);
            }
        }
    }

    #[test]
    fn whether_holes_are_possible_is_found_out_without_a_change() {
        let file = tempfile::tempfile().unwrap();
        for bytes in [0, 5, STEP_BYTES] {
            let content = vec![7; bytes];
            file.write_all_at(&content, 0).unwrap();
            let makes = are_possible(&file);
            file.set_len(3 << 20).unwrap();
            file.write_all_at(&[7; 1 << 20], 1 << 20).unwrap();
            punch(&file, 1 << 20, 1 << 20).unwrap();
            file.sync_all().unwrap();
            let allocated = file.metadata().unwrap().blocks() * 512;
            assert_eq!(
                allocated < bytes as u64 + (1 << 20),
                makes,
                "{allocated} bytes are left of 1 MiB more"
            );
            let mut found = vec![0; bytes];
            file.read_exact_at(&mut found, 0).unwrap();
            assert!(found == content);
            file.set_len(bytes as u64).unwrap();
        }
        let read_only = File::open("/proc/self/exe").unwrap();
        assert!(!are_possible(&read_only));
    }

    #[test]
    fn where_there_is_a_hole_nothing_is_written() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 << 20).unwrap();
        fill(&file, 0, 8 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().blocks(), 0);
    }
}
