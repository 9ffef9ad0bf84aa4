//! The files with this machine's key and certificates: read, looked at again, and put together to a [`Setup`].
//!
//! The files change while the program runs: certificates are renewed, authorities are added. Whoever owns a
//! [`Certificates`] calls [`look`](Certificates::look) every few seconds, and gives what is usable to the connections
//! that begin from then on. Nothing here is fatal: a program whose certificate is broken runs on, and says so.

use crate::rpc::tls::{
    Authorities, FileFault, IDENTITY_BYTES_MAX, Identity, REVOKED_BYTES_MAX, Revoked, Setup, Utc, check_mode,
};
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DAY_S: u64 = 24 * 3600;

/// Limits the causes whose last report is remembered. Beyond it the oldest is forgotten, and may be reported once more.
const CAUSES_MAX: usize = 16;

/// Where the files are. `None` is not configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The private key, and the certificate for it.
    pub identity: Option<PathBuf>,
    /// The certificates of authorities.
    pub authorities: Option<PathBuf>,
    /// The list of revoked certificates. It may be missing: nothing is revoked then.
    pub revoked: Option<PathBuf>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The file; `None` if the configuration names none where one is needed.
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a file, or with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The configuration does not have this key.
    Unset(&'static str),
    /// The system cannot read it, in plain words.
    Unreadable(String),
    /// What is in it cannot be used.
    Fault(Arc<FileFault>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        match &self.why {
            Why::Unset(key) => write!(f, "{key} is not set in the configuration"),
            Why::Unreadable(why) => f.write_str(why),
            Why::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Unusable {}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    mode: u32,
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Stamp> {
        let found = fs::metadata(path).ok()?;
        Some(Stamp {
            inode: (found.dev(), found.ino()),
            mode: found.mode(),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// A setup that can be used, and until when.
#[derive(Debug, Clone)]
struct Usable {
    setup: Arc<Setup>,
    not_after: u64,
    /// The end of the last of the authorities.
    authority_end: Option<u64>,
}

/// The files of this machine, and what is usable of them.
#[derive(Debug, Default)]
pub struct Certificates {
    places: Places,
    /// The files as they were last read.
    stamps: Option<[Option<Stamp>; 3]>,
    usable: Option<Usable>,
    unusable: Option<Arc<Unusable>>,
}

impl Certificates {
    /// The files in these places. Nothing is read yet.
    pub fn new(places: Places) -> Certificates {
        Certificates { places, ..Certificates::default() }
    }

    /// Uses other places from the next look on. What is usable stays so until the files there were read.
    pub fn set_places(&mut self, places: Places) {
        if self.places != places {
            self.places = places;
            self.stamps = None;
        }
    }

    /// Reads the files if one of them has changed, or if the time may have changed what they are worth. `now` is in
    /// seconds since 1970. Returns whether the result is another one. It may block as long as the disk does.
    ///
    /// If what is there now cannot be used, the former setup stays until its certificate ends: a file that is
    /// being exchanged costs no connection.
    pub fn look(&mut self, now: u64) -> bool {
        let stamps = [&self.places.identity, &self.places.authorities, &self.places.revoked]
            .map(|path| path.as_deref().and_then(Stamp::of));
        let has_ended = self.usable.as_ref().is_some_and(|usable| usable.not_after < now);
        let depends_on_time = self.unusable.as_ref().is_some_and(|unusable| match &unusable.why {
            Why::Fault(fault) => matches!(**fault, FileFault::NotYet { .. }),
            Why::Unset(_) => false,
            Why::Unreadable(_) => true,
        });
        if self.stamps == Some(stamps) && !has_ended && !depends_on_time {
            return false;
        }
        self.stamps = Some(stamps);
        match read(&self.places, now) {
            Ok(usable) => {
                self.usable = Some(usable);
                self.unusable = None;
                true
            }
            Err(unusable) => {
                if has_ended {
                    self.usable = None;
                }
                let is_other = has_ended || self.unusable.as_deref() != Some(&unusable);
                self.unusable = Some(Arc::new(unusable));
                is_other
            }
        }
    }

    /// What connections are made with; `None` if nothing is usable.
    pub fn setup(&self) -> Option<&Arc<Setup>> {
        self.usable.as_ref().map(|usable| &usable.setup)
    }

    /// The end of the life of the certificate that is used, in seconds since 1970.
    pub fn not_after(&self) -> Option<u64> {
        self.usable.as_ref().map(|usable| usable.not_after)
    }

    /// The end of the life of the authority that lives longest, in seconds since 1970; `None` without a usable setup.
    pub fn authority_end(&self) -> Option<u64> {
        self.usable.as_ref().and_then(|usable| usable.authority_end)
    }

    /// What is wrong with the files as they are now.
    pub fn unusable(&self) -> Option<&Arc<Unusable>> {
        self.unusable.as_ref()
    }

    /// The state in one line, for people: who we are and until when, and what is wrong.
    pub fn line(&self, now: u64) -> String {
        let used = self.usable.as_ref().map(|usable| {
            let name = usable.setup.node().map_or_else(String::new, ToString::to_string);
            let days = usable.not_after.saturating_sub(now) / DAY_S;
            format!("{name}, certificate valid until {} ({days} days left)", Utc(usable.not_after))
        });
        match (used, &self.unusable) {
            (Some(used), None) => used,
            (Some(used), Some(unusable)) => format!("{used}; newer files cannot be used: {unusable}"),
            (None, Some(unusable)) => format!("no usable certificate: {unusable}"),
            (None, None) => "no certificate".to_owned(),
        }
    }
}

/// Reads and checks all files.
fn read(places: &Places, now: u64) -> Result<Usable, Unusable> {
    let (identity_path, authorities_path) =
        (named(&places.identity, "tls_identity")?, named(&places.authorities, "tls_ca")?);
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |why: FileFault| Unusable { path: Some(path), why: Why::Fault(Arc::new(why)) }
    };
    let (bytes, mode) = read_file(identity_path, IDENTITY_BYTES_MAX)?;
    check_mode(identity_path, mode).map_err(fault(identity_path))?;
    let identity = Identity::read(&bytes).map_err(fault(identity_path))?;
    let (bytes, _) = read_file(authorities_path, IDENTITY_BYTES_MAX)?;
    let authorities = Authorities::read(&bytes).map_err(fault(authorities_path))?;
    let revoked = match &places.revoked {
        // A list that is there and cannot be read is no empty list.
        Some(path) if !is_missing(path) => {
            let (bytes, _) = read_file(path, REVOKED_BYTES_MAX)?;
            Revoked::read(&bytes).map_err(fault(path))?
        }
        _ => Revoked::default(),
    };
    let setup = Setup::new(Some(&identity), &authorities, &revoked, now).map_err(|why| {
        let path = match (&why, &places.revoked) {
            (FileFault::Revoked(_), Some(path)) => path,
            _ => identity_path,
        };
        fault(path)(why)
    })?;
    let authority_end = authorities.not_after();
    Ok(Usable { setup: Arc::new(setup), not_after: identity.not_after, authority_end })
}

fn named<'a>(path: &'a Option<PathBuf>, key: &'static str) -> Result<&'a Path, Unusable> {
    path.as_deref().ok_or(Unusable { path: None, why: Why::Unset(key) })
}

/// Whether there is nothing at this path. A link that leads nowhere is something.
fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The bytes of a file, one more than `bytes_max` at most, and its permissions. A pipe is not waited for.
fn read_file(path: &Path, bytes_max: usize) -> Result<(Vec<u8>, u32), Unusable> {
    let unreadable = |error: &io::Error| Unusable {
        path: Some(path.to_owned()),
        why: Why::Unreadable(format!("cannot read it: {}", crate::plain::io_error(error))),
    };
    let read = || -> io::Result<(Vec<u8>, u32)> {
        let flags = OFlags::NONBLOCK.bits() as i32;
        let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes, found.mode()))
    };
    read().map_err(|error| unreadable(&error))
}

/// Which causes of trouble are reported: each at most once a day, however often it happens.
#[derive(Debug, Default)]
pub struct DailyReports(BTreeMap<String, u64>);

impl DailyReports {
    /// Notes that the cause is there, and returns whether it is to be reported now: in seconds on any clock that does not
    /// go back.
    pub fn note(&mut self, cause: &str, now: u64) -> bool {
        if self.0.get(cause).is_some_and(|at| now < at.saturating_add(DAY_S)) {
            return false;
        }
        if self.0.len() >= CAUSES_MAX && !self.0.contains_key(cause) {
            let oldest = self.0.iter().min_by_key(|(_, at)| **at).map(|(cause, _)| cause.clone());
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        self.0.insert(cause.to_owned(), now);
        true
    }
}

#[cfg(test)]
mod tests;
