//! Where a file has data, and copies that keep its holes. A hole is a range that was never written: it reads as zeros
//! and takes no room on the disk.

use crate::zeros::{self, Part};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Mutex, PoisonError};

/// The number of bytes that the kernel copies in one call: few enough to show progress and to be stopped.
const STEP_BYTES: u64 = 32 << 20;

/// The number of bytes that are read at once where the kernel cannot copy.
const BUFFER_BYTES: u64 = 1 << 20;

/// A file's holes, found as its ranges are asked for. Where the file system does not tell, everything is data.
#[derive(Debug)]
pub struct Holes {
    /// The size of the file in bytes.
    end: u64,
    /// Data that was found last.
    known: Mutex<Range<u64>>,
}

impl Holes {
    /// The holes in the first `end` bytes of a file.
    pub fn of(file: &File, end: u64) -> Holes {
        let is_sparse = file.metadata().is_ok_and(|metadata| metadata.blocks().saturating_mul(512) < end);
        let known = if is_sparse { 0..0 } else { 0..end };
        Holes { end, known: Mutex::new(known) }
    }

    /// The number of bytes from `offset` to the next data, or to the end; 0 where data is. `file` is the file that the
    /// value was made of.
    pub fn bytes_from(&self, file: &File, offset: u64) -> u64 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&offset) {
            return 0;
        }
        match next_data(file, offset, self.end) {
            Ok(Some(data)) => {
                *known = data;
                known.start - offset
            }
            Ok(None) => self.end.saturating_sub(offset),
            Err(_) => 0, // whoever reads it gets the error
        }
    }
}

/// The first range of data from `offset` to `end`; `None` if there is only a hole. If the file system does not tell, it
/// is all of it.
///
/// # Errors
/// When the file is shorter than `end` (kind [`io::ErrorKind::UnexpectedEof`]), or the disk fails.
pub fn next_data(file: &File, offset: u64, end: u64) -> io::Result<Option<Range<u64>>> {
    if offset >= end {
        return Ok(None);
    }
    let begin = match seek(file, SeekFrom::Data(offset)) {
        Err(Errno::NXIO) if file.metadata()?.len() < end => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Some(offset..end)),
        begin => begin?,
    };
    let stop = match seek(file, SeekFrom::Hole(begin)) {
        Ok(stop) if stop > begin => stop.min(end),
        _ => end,
    };
    Ok((begin < end).then_some(begin..stop))
}

/// The number of bytes in those pieces of `piece_bytes` bytes that are not holes as a whole, of a file of `bytes` bytes.
///
/// # Errors
/// As for [`next_data`].
pub fn bytes_with_data(file: &File, bytes: u64, piece_bytes: u64) -> io::Result<u64> {
    if file.metadata()?.blocks().saturating_mul(512) >= bytes {
        return Ok(bytes);
    }
    let (mut at, mut found) = (0, 0);
    while let Some(data) = next_data(file, at, bytes)? {
        let begin = data.start / piece_bytes * piece_bytes;
        at = data.end.div_ceil(piece_bytes).saturating_mul(piece_bytes).min(bytes);
        found += at - begin;
    }
    Ok(found)
}

/// Copies the first `bytes` bytes of a file to an empty one. Holes stay holes, and blocks are shared if the file system
/// can. `progress` is told the number of bytes done; if it returns `Break`, copying stops with an error of kind
/// [`io::ErrorKind::Interrupted`].
///
/// # Errors
/// When the file is shorter, or one of the disks fails.
pub fn copy(
    from: &File,
    to: &File,
    bytes: u64,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut at = if rustix::fs::ioctl_ficlone(to, from).is_ok() { bytes } else { 0 };
    // Some file systems have sparse files and do not tell where the holes are.
    let is_sparse = from.metadata()?.blocks().saturating_mul(512) < bytes;
    let are_holes_hidden = is_sparse && next_data(from, 0, bytes)? == Some(0..bytes);
    while let Some(data) = next_data(from, at, bytes)? {
        let end = data.end.min(data.start + STEP_BYTES);
        match are_holes_hidden {
            true => copy_without_zeros(from, to, data.start..end)?,
            false => copy_range(from, data.start, to, data.start, end - data.start)?,
        }
        at = end;
        if progress(at).is_break() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "copying was stopped"));
        }
    }
    to.set_len(bytes)?;
    let _ = progress(bytes);
    Ok(())
}

/// Copies a range of a file to an offset in another, zeros included: in the kernel, which may share blocks, or
/// here if the kernel cannot.
///
/// # Errors
/// When the file is shorter, or one of the disks fails.
pub fn copy_range(from: &File, from_offset: u64, to: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let (mut read_at, mut write_at, end) = (from_offset, offset, from_offset + bytes);
    while read_at < end {
        let rest = usize::try_from(end - read_at).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), rest) {
            Ok(1..) | Err(Errno::INTR) => {}
            // With some file systems nothing is copied, and that is no error.
            Ok(0) | Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                return read_in_pieces(from, read_at..end, |piece, at| {
                    to.write_all_at(piece, at - from_offset + offset)
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Copies a range of a file to the same offset in an empty one, without its runs of zeros.
fn copy_without_zeros(from: &File, to: &File, range: Range<u64>) -> io::Result<()> {
    read_in_pieces(from, range, |piece, at| {
        for part in zeros::parts(piece) {
            if let Part::Data(data) = part {
                to.write_all_at(&piece[data.clone()], at + data.start as u64)?;
            }
        }
        Ok(())
    })
}

fn read_in_pieces(
    from: &File,
    range: Range<u64>,
    mut found: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES.min(range.end - range.start) as usize];
    let mut at = range.start;
    while at < range.end {
        let piece = (range.end - at).min(BUFFER_BYTES) as usize;
        from.read_exact_at(&mut buffer[..piece], at)?;
        found(&buffer[..piece], at)?;
        at += piece as u64;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]
mod tests {
    use super::*;
    use std::io::Read;

    const MIB: u64 = 1 << 20;

    /// A file of this size with data in these ranges.
    fn file_of(data: &[Range<u64>], bytes: u64) -> File {
        let file = tempfile::tempfile().unwrap();
        for range in data {
            let some = vec![7; (range.end - range.start) as usize];
            file.write_all_at(&some, range.start).unwrap();
        }
        file.set_len(bytes).unwrap();
        file
    }

    fn content(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    fn allocated(file: &File) -> u64 {
        file.metadata().unwrap().blocks() * 512
    }

    #[test]
    fn a_copy_has_the_bytes_and_the_holes() {
        let cases: [(&[Range<u64>], u64); 6] = [
            (&[], 0),
            (&[], 9 * MIB + 5),
            (&[0..3 * MIB + 7], 3 * MIB + 7),
            (&[0..MIB, 5 * MIB..6 * MIB], 9 * MIB),
            (&[4 * MIB..4 * MIB + 10], 4 * MIB + 10),
            (&[MIB / 2..MIB, 3 * MIB..3 * MIB + 1], 40 * MIB - 1),
        ];
        for (data, bytes) in cases {
            let from = file_of(data, bytes);
            for hidden in [false, true] {
                let to = tempfile::tempfile().unwrap();
                match hidden {
                    false => copy(&from, &to, bytes, &mut |_| ControlFlow::Continue(())).unwrap(),
                    true => {
                        copy_without_zeros(&from, &to, 0..bytes).unwrap();
                        to.set_len(bytes).unwrap();
                    }
                }
                assert!(content(&to) == content(&from), "{data:?} of {bytes}");
                let most = allocated(&from) + 2 * zeros::RUN_BYTES_MIN as u64;
                assert!(allocated(&to) <= most, "{data:?} of {bytes}: {} bytes", allocated(&to));
            }
        }
    }

    #[test]
    fn a_copy_can_be_stopped_and_tells_how_far_it_is() {
        let from = file_of(&[0..MIB, 50 * MIB..51 * MIB], 60 * MIB);
        let (to, mut told) = (tempfile::tempfile().unwrap(), Vec::new());
        let stopped = copy(&from, &to, 60 * MIB, &mut |done| {
            told.push(done);
            if done > 40 * MIB { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(told.is_sorted());
        // Where blocks are shared, the copy is complete at once.
        assert!(stopped.is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) || told == [60 * MIB]);
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error() {
        let from = file_of(&[0..MIB], 2 * MIB);
        let to = tempfile::tempfile().unwrap();
        let error = copy(&from, &to, 3 * MIB, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn ranges_are_copied_over_what_was_there() {
        let from = file_of(&[MIB..2 * MIB], 4 * MIB);
        let to = file_of(&[0..4 * MIB], 4 * MIB);
        copy_range(&from, 0, &to, 0, 3 * MIB).unwrap();
        assert!(content(&to)[..3 * MIB as usize] == content(&from)[..3 * MIB as usize]);
        assert!(content(&to)[3 * MIB as usize..].iter().all(|byte| *byte == 7));
    }

    #[test]
    fn the_pieces_with_data_are_counted() {
        let file = file_of(&[0..10, 2 * MIB - 4096..2 * MIB + 4096, 7 * MIB..7 * MIB + 5], 7 * MIB + 5);
        assert_eq!(bytes_with_data(&file, 7 * MIB + 5, MIB).unwrap(), 3 * MIB + 5);
        assert_eq!(bytes_with_data(&file_of(&[], 9 * MIB), 9 * MIB, MIB).unwrap(), 0);
        let mut empty = file_of(&[], 0);
        assert_eq!(bytes_with_data(&empty, 0, MIB).unwrap(), 0);
        assert_eq!(empty.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn holes_are_known_in_any_order() {
        let file = file_of(&[MIB..2 * MIB, 5 * MIB..6 * MIB], 8 * MIB);
        let holes = Holes::of(&file, 8 * MIB);
        let from = |mib: u64| holes.bytes_from(&file, mib * MIB) / MIB;
        assert_eq!([6, 0, 3, 1, 5, 2, 7, 4, 8].map(from), [2, 1, 2, 0, 0, 3, 1, 1, 0]);
        let dense = file_of(&[0..MIB], MIB);
        assert_eq!(Holes::of(&dense, MIB).bytes_from(&dense, 0), 0);
    }
}
