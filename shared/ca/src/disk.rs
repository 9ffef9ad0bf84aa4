//! The directory's files: written completely or not at all, with their owner and mode, under one lock.

use crate::error::CaError;
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Limits how long a process waits for the lock. Changes take milliseconds; beyond this the command fails and says so.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);

/// Between two attempts to get the lock.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// Limits each file that is read, in bytes; a larger one is an error. It has room for 1,000,000 certificates, far beyond
/// what one fleet has at a time.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// The lock of a directory, until it is dropped.
pub(crate) struct Lock(#[expect(dead_code, reason = "its lock ends when it is closed")] File);

/// An error on a file, from one of the system.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CaError {
    move |source| CaError::Io { doing, path: path.to_owned(), source }
}

/// Takes the lock of a directory.
///
/// # Errors
/// If it cannot be opened, or if another process has it for [`LOCK_WAIT_MAX`].
pub(crate) fn lock(dir: &Path) -> Result<Lock, CaError> {
    let path = dir.join("lock");
    // Read access is enough for a lock, and a lock file that is there need not be ours.
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => match create(dir, &path, 0o600) {
            // Another process was faster.
            Err(CaError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                File::open(&path).map_err(failed("open", &path))?
            }
            made => made?,
        },
        opened => opened.map_err(failed("open", &path))?,
    };
    let begin = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed("lock", &path)(error.into())),
        }
        if begin.elapsed() >= LOCK_WAIT_MAX {
            return Err(CaError::Busy { path: dir.to_owned(), waited_s: LOCK_WAIT_MAX.as_secs() });
        }
        std::thread::sleep(LOCK_AGAIN);
    }
}

/// The content of a file; `None` if it is not there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, CaError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed("read", path))?,
    };
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(failed("read", path)(ErrorKind::FileTooLarge.into()));
    }
    Ok(Some(content))
}

/// Replaces a file: readers see the old content or the new one. The new one is on the disk when this returns.
pub(crate) fn replace(path: &Path, mode: u32, content: &[u8]) -> Result<(), CaError> {
    let dir = path.parent().unwrap_or(path);
    let new = new_name(path);
    // Left by a process that was killed: this one has the lock.
    let _ = fs::remove_file(&new);
    let written = create(dir, &new, mode)
        .and_then(|mut file| {
            file.write_all(content).and_then(|()| file.sync_all()).map_err(failed("write", path))
        })
        .and_then(|()| fs::rename(&new, path).map_err(failed("replace", path)));
    if written.is_err() {
        let _ = fs::remove_file(&new); // it would use space on a full disk
    }
    written?;
    sync(dir)
}

/// Appends to a file after its first `keep` bytes, which are the part of it that is whole. The bytes are on the disk when
/// this returns; if they could not be written, the file has `keep` bytes.
pub(crate) fn append(path: &Path, keep: u64, content: &[u8]) -> Result<(), CaError> {
    // Root writes here for another user, who must not send it elsewhere with a symbolic link.
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).expect("the flag has a low bit");
    let mut file =
        OpenOptions::new().append(true).custom_flags(flags).open(path).map_err(failed("write", path))?;
    file.set_len(keep).map_err(failed("write", path))?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = file.set_len(keep);
    }
    written.map_err(failed("write", path))
}

/// Makes the names in a directory durable.
pub(crate) fn sync(dir: &Path) -> Result<(), CaError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> Result<u32, CaError> {
    Ok(fs::metadata(path).map_err(failed("read", path))?.mode() & 0o7777)
}

/// Makes a file. It belongs to whom the directory belongs to, also if root makes it: the tracker must be able to read
/// what `ttctl` wrote for it.
fn create(dir: &Path, path: &Path, mode: u32) -> Result<File, CaError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed("make", path))?;
    // The umask may have taken bits away, such as those with which everybody may read ca.pem.
    file.set_permissions(Permissions::from_mode(mode)).map_err(failed("make", path))?;
    let owner = fs::metadata(dir).map_err(failed("read", dir))?;
    if rustix::process::geteuid().is_root() && owner.uid() != 0 {
        fchown(&file, Some(owner.uid()), Some(owner.gid())).map_err(failed("make", path))?;
    }
    Ok(file)
}

fn new_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
