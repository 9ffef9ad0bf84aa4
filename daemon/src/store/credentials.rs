//! What ttd keeps of a fleet that this machine joined: its key and certificate, whom it trusts, and which certificates were
//! revoked. It lies in ttd's own state directory, beside the shared one.
//!
//! `identity.pem` has key and certificate in one file, so that nobody finds half a pair. It is written last, and with it
//! everything else counts.

use super::disk::Disk;
use super::{At, StoreError, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::host::certificates::Places;
use shared::rpc::tls::{IDENTITY_BYTES_MAX, REVOKED_BYTES_MAX};
use shared::tls_mode::TlsMode;
use shared::url::TrackerUrl;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The version of the format of `joined.toml`.
const VERSION: u32 = 1;

/// The largest `joined.toml` that is read, in bytes; a larger one is an error. ttd writes 2,200 at most.
const FILE_BYTES_MAX: u64 = 4096;

/// The largest key, or key with certificates, that is read, in bytes; a larger one is an error. Ours have some KiB.
const PEM_BYTES_MAX: u64 = IDENTITY_BYTES_MAX as u64;

/// The fleet that this machine joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The tracker that admitted it, and that renews its certificate.
    pub tracker: TrackerUrl,
    /// What its token said about TLS.
    pub mode: TlsMode,
}

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    tracker: TrackerUrl,
    tls: TlsMode,
}

impl Joined {
    fn to_bytes(&self) -> Vec<u8> {
        let toml = Toml { version: VERSION, tracker: self.tracker.clone(), tls: self.mode };
        atomic::seal(toml::to_string(&toml).expect("an address is nothing that TOML cannot say").as_bytes())
    }

    fn from_bytes(sealed: &[u8]) -> io::Result<Joined> {
        atomic::refuse_later(sealed, "version = ", VERSION)?;
        let text = std::str::from_utf8(atomic::unseal(sealed)?).map_err(invalid)?;
        let Toml { tracker, tls, .. } = toml::from_str(text).map_err(invalid)?;
        Ok(Joined { tracker, mode: tls })
    }
}

/// The directory with all of it. It is made with the first file.
#[derive(Debug, Clone)]
pub struct Credentials {
    disk: Disk,
    dir: PathBuf,
}

impl Credentials {
    /// The credentials in this directory, which need not exist.
    pub fn at(dir: PathBuf) -> Credentials {
        Credentials { disk: Disk::system(), dir }
    }

    /// Where the files are, for whoever makes connections.
    pub fn places(&self) -> Places {
        Places {
            identity: Some(self.identity_path()),
            authorities: Some(self.path("ca.pem")),
            revoked: Some(self.path("revoked.crl")),
        }
    }

    /// The file with key and certificate.
    pub fn identity_path(&self) -> PathBuf {
        self.path("identity.pem")
    }

    /// The fleet that this machine joined; `None` if it joined none, or if its first join was broken off.
    ///
    /// # Errors
    /// When the file is missing beside a certificate, cannot be read, is torn or is of a later version: then this machine
    /// joined a fleet, and nobody knows which.
    pub fn joined(&self) -> Result<Option<Joined>, StoreError> {
        let path = self.path("joined.toml");
        let failed = |source| StoreError { doing: "read", path: path.clone(), source };
        let has_identity = self.has("identity.pem")?;
        match read(&self.disk, &path, FILE_BYTES_MAX)? {
            None if has_identity => Err(failed(io::ErrorKind::NotFound.into())),
            None => Ok(None),
            // The pending key goes when the certificate is there.
            Some(_) if !has_identity && self.has("joining.key")? => Ok(None),
            Some(bytes) => Joined::from_bytes(&bytes).map(Some).map_err(failed),
        }
    }

    /// Whether there is such a file, whatever it is.
    fn has(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.path(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            found => found.map(|_| true).at("access", &path),
        }
    }

    /// Key and certificate; `None` if there are none.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn identity(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.disk, &self.identity_path(), PEM_BYTES_MAX)
    }

    /// The certificates of the authorities.
    ///
    /// # Errors
    /// As [`identity`](Credentials::identity).
    pub fn authorities(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.disk, &self.path("ca.pem"), PEM_BYTES_MAX)
    }

    /// The list of revoked certificates.
    ///
    /// # Errors
    /// As [`identity`](Credentials::identity).
    pub fn revoked(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.disk, &self.path("revoked.crl"), REVOKED_BYTES_MAX as u64)
    }

    /// The key for which a certificate was asked and not yet received. The tracker counts one use of a token for it,
    /// however often it is asked.
    ///
    /// # Errors
    /// As [`identity`](Credentials::identity).
    pub fn pending_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.disk, &self.path("joining.key"), PEM_BYTES_MAX)
    }

    /// Keeps that key.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_pending_key(&self, pem: &str) -> Result<(), StoreError> {
        self.make_dir()?;
        self.write("joining.key", pem.as_bytes(), 0o600)
    }

    /// Keeps what this machine joined with. A crash in between leaves the former identity or the new one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(
        &self,
        joined: &Joined,
        identity: &str,
        authorities: &str,
        revoked: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.make_dir()?;
        self.write("joined.toml", &joined.to_bytes(), 0o600)?;
        self.write("ca.pem", authorities.as_bytes(), 0o644)?;
        match revoked {
            Some(list) => self.write("revoked.crl", list, 0o644)?,
            None => self.remove("revoked.crl")?, // it would be another authority's
        }
        self.keep_identity(identity)?;
        self.remove("joining.key")
    }

    /// Keeps a renewed certificate, with its key.
    ///
    /// # Errors
    /// When the disk refuses. The former one is then still there.
    pub fn keep_identity(&self, pem: &str) -> Result<(), StoreError> {
        self.write("identity.pem", pem.as_bytes(), 0o600)
    }

    /// Keeps the certificates of authorities.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_authorities(&self, pem: &str) -> Result<(), StoreError> {
        self.write("ca.pem", pem.as_bytes(), 0o644)
    }

    /// Keeps a newer list of revoked certificates.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_revoked(&self, der: &[u8]) -> Result<(), StoreError> {
        self.make_dir()?; // a machine whose certificate is configured has joined nothing
        self.write("revoked.crl", der, 0o644)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn make_dir(&self) -> Result<(), StoreError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.at("create", &self.dir)?;
        let found = fs::metadata(&self.dir).at("access", &self.dir)?;
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o700))
                .at("set the permissions of", &self.dir)?;
        }
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
        let path = self.path(name);
        let dress = |file: &fs::File| {
            file.set_permissions(fs::Permissions::from_mode(mode)).at("set the permissions of", &path)
        };
        atomic::write_by(&self.disk, &self.path(&format!("{name}.new")), &path, bytes, dress)?;
        self.disk.sync_folder(&self.dir)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.disk.remove(&self.path(name))
    }
}

/// The content of a file; `None` if it is missing.
fn read(disk: &Disk, path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
    match disk.read(path, bytes_max) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => {
            bytes.map(Some).map_err(|source| StoreError { doing: "read", path: path.to_owned(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_list_is_kept_also_where_nothing_was_joined() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().join("state/identity"));
        credentials.keep_revoked(b"list").unwrap();
        assert_eq!(credentials.revoked().unwrap().as_deref(), Some(&b"list"[..]));
    }

    #[test]
    fn what_is_kept_is_read_back_and_the_key_is_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().join("state/identity"));
        assert_eq!(credentials.joined().unwrap(), None);
        assert_eq!(credentials.identity().unwrap(), None);
        credentials.keep_pending_key("KEY").unwrap();
        assert_eq!(credentials.pending_key().unwrap().unwrap(), b"KEY");
        assert_eq!(credentials.joined().unwrap(), None, "it has asked only");
        assert_eq!(mode(&credentials.path("joining.key")), 0o600);

        let joined = Joined { tracker: "tt://hub.example:7".parse().unwrap(), mode: TlsMode::Prefer };
        credentials.keep(&joined, "KEY and certificate", "authorities", Some(b"list")).unwrap();
        assert_eq!(credentials.joined().unwrap(), Some(joined.clone()));
        assert_eq!(credentials.identity().unwrap().unwrap(), b"KEY and certificate");
        assert_eq!(credentials.authorities().unwrap().unwrap(), b"authorities");
        assert_eq!(credentials.revoked().unwrap().unwrap(), b"list");
        assert_eq!(credentials.pending_key().unwrap(), None, "it is in the identity now");
        assert_eq!((mode(&credentials.dir), mode(&credentials.identity_path())), (0o700, 0o600));

        credentials.keep(&joined, "another", "others", None).unwrap();
        assert_eq!(credentials.revoked().unwrap(), None, "the former authority's list");
        let files = fs::read_dir(&credentials.dir).unwrap().count();
        assert_eq!(files, 3, "nothing temporary stays");
    }

    #[test]
    fn a_directory_that_others_may_read_is_closed_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let credentials = Credentials::at(folder.path().to_owned());
        credentials.keep_pending_key("KEY").unwrap();
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_damaged_record_is_an_error_and_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().to_owned());
        fs::write(credentials.path("joined.toml"), "version = 1").unwrap();
        let why = || credentials.joined().unwrap_err().to_string();
        assert!(why().contains("joined.toml") && why().contains("corrupt"), "{}", why());
        credentials.keep_pending_key("KEY").unwrap();
        assert_eq!(credentials.joined().unwrap(), None, "a first join that was broken off");
        credentials.keep_identity("KEY").unwrap();
        assert!(why().contains("joined.toml") && why().contains("corrupt"), "{}", why());
        fs::remove_file(credentials.path("joined.toml")).unwrap();
        assert!(why().contains("joined.toml"), "{}", why());
    }

    #[test]
    fn a_certificate_that_was_lost_is_not_taken_for_a_machine_that_never_joined() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Credentials::at(folder.path().to_owned());
        let joined = Joined { tracker: "tt://hub.example".parse().unwrap(), mode: TlsMode::Require };
        credentials.keep(&joined, "KEY and certificate", "authorities", None).unwrap();
        fs::remove_file(credentials.identity_path()).unwrap();
        assert_eq!(credentials.joined().unwrap(), Some(joined));
    }
}
