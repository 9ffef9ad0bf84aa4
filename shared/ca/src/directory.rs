//! The files of an authority's directory, as values.

use crate::disk::{self, Lock};
use crate::error::CaError;
use crate::issued::{Issued, List};
use crate::revoked::Revocations;
use crate::sealed::{Unsealed, seal, unseal};
use crate::tokens::Tokens;
use std::path::{Path, PathBuf};

/// The name of the file with the signed list of what was revoked.
pub const CRL: &str = "crl.der";

/// A directory. Whoever changes something in it holds its lock from reading to writing.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(path: &Path) -> Directory {
        Directory(path.to_owned())
    }

    /// The certificates of the authority, the issuing one first.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The key of the first of them.
    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("ca.key")
    }

    /// The key and the certificate of the tracker that belongs to the authority.
    pub(crate) fn tracker(&self) -> PathBuf {
        self.0.join("tracker.pem")
    }

    /// The signed list of what was revoked.
    pub(crate) fn crl(&self) -> PathBuf {
        self.0.join(CRL)
    }

    pub(crate) fn lock(&self) -> Result<Lock, CaError> {
        disk::lock(&self.0)
    }

    pub(crate) fn issued(&self) -> Result<List, CaError> {
        let path = self.0.join("issued");
        let file = disk::read(&path)?.unwrap_or_default();
        List::of(&file)
            .map_err(|line| CaError::Damaged { path, why: format!("line {line} is not as it was written") })
    }

    /// Whether a certificate was issued, or may have been: the list is not the one of a new authority.
    pub(crate) fn has_issued(&self) -> Result<bool, CaError> {
        let file = disk::read(&self.0.join("issued"))?;
        Ok(file.is_some_and(|file| file != List::to_file([].iter()).as_bytes()))
    }

    /// Adds a certificate to `list`, which was read under the same lock. It is on the disk when this returns.
    pub(crate) fn add_issued(&self, now: u64, list: &List, entry: &Issued) -> Result<(), CaError> {
        let path = self.0.join("issued");
        if list.is_mostly_old(now) {
            let kept = list.entries.iter().filter(|entry| entry.is_kept(now));
            let file = List::to_file(kept.chain([entry]));
            return disk::replace(&path, 0o600, file.as_bytes());
        }
        disk::append(&path, list.whole_bytes, format!("{entry}\n").as_bytes())
    }

    /// Makes an empty list.
    pub(crate) fn begin_issued(&self) -> Result<(), CaError> {
        disk::replace(&self.0.join("issued"), 0o600, List::to_file([].iter()).as_bytes())
    }

    pub(crate) fn tokens(&self) -> Result<Tokens, CaError> {
        self.sealed("tokens", Tokens::of_lines)
    }

    pub(crate) fn set_tokens(&self, tokens: &Tokens) -> Result<(), CaError> {
        disk::replace(&self.0.join("tokens"), 0o600, &seal(&tokens.to_lines()))
    }

    pub(crate) fn revocations(&self) -> Result<Revocations, CaError> {
        self.sealed("revoked", Revocations::of_lines)
    }

    pub(crate) fn set_revocations(&self, revocations: &Revocations) -> Result<(), CaError> {
        disk::replace(&self.0.join("revoked"), 0o600, &seal(&revocations.to_lines()))
    }

    /// A missing file is an error like a damaged one: without it, what was revoked would count again.
    fn sealed<T>(&self, name: &str, read: fn(&str) -> Option<T>) -> Result<T, CaError> {
        let path = self.0.join(name);
        let damaged = |why: &str| CaError::Damaged { path: path.clone(), why: why.to_owned() };
        let file = disk::read(&path)?.ok_or_else(|| damaged("it is missing"))?;
        match unseal(&file) {
            Ok(lines) => read(lines).ok_or_else(|| damaged("a line makes no sense")),
            Err(Unsealed::Later) => Err(CaError::Later(path)),
            Err(Unsealed::Damaged) => Err(damaged("its checksum does not match")),
        }
    }
}
