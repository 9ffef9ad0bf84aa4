//! Who this machine is: what it joined with, what is known of that, and what is kept of it on the disk.

use super::answer::{Kept, pins};
use super::list::{self, BadList};
use super::schedule::Life;
use super::settled::{ConfiguredTls, Settled, settle};
use crate::store::{Credentials, Joined, StoreError};
use rustls_pki_types::CertificateDer;
use shared::identity::Node;
use shared::rpc::tls::{Authorities, IDENTITY_BYTES_MAX, Identity};
use shared::tls_mode::TlsMode;
use shared::token::Pin;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{MutexGuard, watch};

/// What is known of this machine's identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What the configuration says.
    pub configured: ConfiguredTls,
    /// The fleet that this machine joined.
    pub joined: Option<Joined>,
    /// The certificate in use.
    pub certificate: Option<Certificate>,
    /// The authorities in use.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The end of the one of them that lives longest, in seconds since 1970.
    pub authority_end: Option<u64>,
    /// The number of the list of revoked certificates that is kept here; 0 for none.
    pub list: u64,
    /// Why what was joined cannot be read.
    pub fault: Option<String>,
    /// Why the last renewal failed, or that a tracker refuses the certificate, and what to do about it.
    pub trouble: Option<Trouble>,
    /// When the certificate is to be renewed, in seconds since 1970.
    pub due: Option<u64>,
    /// The authorities that a tracker named and that are not those which came with the certificate: it is to be renewed now.
    pub news: Option<Vec<Vec<u8>>>,
    /// With which files and in which mode this machine meets others.
    pub settled: Settled,
}

/// Why the certificate will not count for long, or does not count any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What failed.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A certificate of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub node: Node,
    /// Its first second, since 1970.
    pub not_before: u64,
    /// Its last second.
    pub not_after: u64,
}

impl Certificate {
    /// Its life from the moment at which it was issued.
    pub fn life(&self) -> Life {
        Life::of(self.not_before, self.not_after)
    }
}

impl Known {
    /// The pins of the authorities in use.
    pub fn pins(&self) -> Vec<Pin> {
        pins(&self.authorities)
    }

    /// What this machine joined with, if that is what it uses.
    pub fn in_use(&self) -> Option<(&Joined, &Certificate)> {
        self.joined.as_ref().zip(self.certificate.as_ref()).filter(|_| !self.configured.has_identity())
    }
}

/// What this machine joined with, and whoever follows it. All functions block as the disk does, unless they say otherwise.
#[derive(Debug, Default)]
pub struct Membership {
    /// None in worlds on virtual time: a machine there has no identity.
    credentials: OnceLock<Credentials>,
    known: watch::Sender<Arc<Known>>,
    /// When a tracker last said what was revoked.
    heard: Mutex<Option<Instant>>,
    /// The authorities of a tracker because of which a certificate was renewed last.
    heeded: Mutex<Option<Vec<Vec<u8>>>>,
    /// What reads and writes the files does so one after another.
    files: Mutex<()>,
    changing: tokio::sync::Mutex<()>,
}

impl Membership {
    /// Reads what this machine joined with. What cannot be read is a fault that `ttctl identity` shows. Before, and without
    /// this call, it is a machine that never joins.
    pub fn open(&self, credentials: Credentials, configured: ConfiguredTls) {
        let _ = self.credentials.set(credentials); // it is opened once
        self.configure(configured);
    }

    /// What is known now. It does not block.
    pub fn known(&self) -> Arc<Known> {
        self.known.borrow().clone()
    }

    /// Follows what is known. It does not block.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Known>> {
        self.known.subscribe()
    }

    /// Where key and certificates are kept.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.get()
    }

    /// Waits until nobody else joins or renews. It does not block.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Uses another configuration.
    pub fn configure(&self, configured: ConfiguredTls) {
        self.read_again(Some(configured));
    }

    /// Looks at the files again.
    pub fn look(&self) -> Arc<Known> {
        self.read_again(None);
        self.known()
    }

    /// Keeps what this machine joined with, and uses it. A list of revoked certificates that none of its authorities signed
    /// is left out.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_joined(&self, joined: &Joined, kept: &Kept, list: Option<&[u8]>) -> Result<(), StoreError> {
        if let Some(credentials) = self.credentials.get() {
            let authorities = Authorities::read(kept.authorities.as_bytes());
            let is_signed = |list: &&[u8]| {
                authorities
                    .as_ref()
                    .is_ok_and(|authorities| list::check(list, authorities.certificates()).is_ok())
            };
            credentials.keep(joined, &kept.identity, &kept.authorities, list.filter(is_signed))?;
        }
        self.renewed();
        Ok(())
    }

    /// Keeps a renewed certificate, and uses it.
    ///
    /// # Errors
    /// When the disk refuses. The former one stays in use.
    pub fn keep_renewed(&self, kept: &Kept) -> Result<(), StoreError> {
        if let Some(credentials) = self.credentials.get() {
            if credentials.authorities()?.as_deref() != Some(kept.authorities.as_bytes()) {
                credentials.keep_authorities(&kept.authorities)?;
            }
            credentials.keep_identity(&kept.identity)?;
        }
        self.renewed();
        Ok(())
    }

    fn renewed(&self) {
        self.known.send_if_modified(|known| {
            let is_other = known.trouble.is_some() || known.news.is_some();
            if is_other {
                let known = Arc::make_mut(known);
                (known.trouble, known.news) = (None, None);
            }
            is_other
        });
        self.read_again(None);
    }

    /// Notes which authorities a tracker has. If they are not those which came with this machine's certificate, the
    /// certificate is renewed: with it come the authorities, over a connection that proves them. What a tracker says here is
    /// no more than a hint, and the same hint counts once. It does not block.
    pub fn told_authorities(&self, named: Vec<Vec<u8>>) {
        let known = self.known();
        let is_same = named.iter().map(Vec::as_slice).eq(known.authorities.iter().map(|der| &**der));
        if is_same || known.in_use().is_none() {
            return;
        }
        let before = self.heeded.lock().unwrap_or_else(PoisonError::into_inner).replace(named.clone());
        if before.as_ref() != Some(&named) {
            self.known.send_modify(|known| Arc::make_mut(known).news = Some(named));
        }
    }

    /// Notes that a tracker said what was revoked, or that nothing was. It does not block.
    pub fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a tracker said that within this time. It does not block.
    pub fn has_heard_within(&self, span: Duration) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|at| at.elapsed() < span)
    }

    /// Notes why a renewal failed, or that a tracker refuses the certificate. It does not block.
    pub fn failed(&self, trouble: Trouble) {
        self.known.send_if_modified(|known| {
            let is_other = known.trouble.as_ref() != Some(&trouble);
            if is_other {
                Arc::make_mut(known).trouble = Some(trouble);
            }
            is_other
        });
    }

    /// Keeps a list of revoked certificates, and uses it, if it is signed and newer than the known one. Returns its number.
    ///
    /// # Errors
    /// Why it is not kept.
    pub fn keep_list(&self, der: &[u8]) -> Result<u64, NotKept> {
        let known = self.known();
        let number = list::check_newer(der, &known.authorities, known.list)?;
        if let Some(credentials) = self.credentials.get() {
            credentials.keep_revoked(der)?;
        }
        self.read_again(None);
        Ok(number)
    }

    /// Notes when the certificate is to be renewed. It does not block.
    pub fn scheduled(&self, due: u64) {
        self.known.send_if_modified(|known| {
            let is_other = known.due != Some(due);
            if is_other {
                Arc::make_mut(known).due = Some(due);
            }
            is_other
        });
    }

    /// Reads the files, and tells everybody what they are.
    fn read_again(&self, configured: Option<ConfiguredTls>) {
        let _files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let configured = configured.unwrap_or_else(|| self.known().configured.clone());
        let read = self.read(configured);
        self.known.send_if_modified(|known| {
            let read =
                Known { trouble: known.trouble.clone(), due: known.due, news: known.news.clone(), ..read };
            let is_other = **known != read;
            if is_other {
                *known = Arc::new(read);
            }
            is_other
        });
    }

    fn read(&self, configured: ConfiguredTls) -> Known {
        let (joined, fault) = match self.credentials.get().map(Credentials::joined) {
            None | Some(Ok(None)) => (None, None),
            Some(Ok(Some(joined))) => (Some(joined), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        let own = self.credentials.get().map(Credentials::places);
        // A machine that joined a fleet does not speak without TLS because a file is damaged.
        let mode = fault.as_ref().map(|_| TlsMode::Require).or(joined.as_ref().map(|joined| joined.mode));
        let without_list = settle(&configured, mode, own.as_ref(), false);
        let read = authorities(without_list.places.authorities.as_deref());
        let authority_end = read.as_ref().and_then(Authorities::not_after);
        let authorities = read.map(|read| read.certificates().to_vec()).unwrap_or_default();
        let kept = self.credentials.get().and_then(|credentials| credentials.revoked().ok().flatten());
        let list = kept.and_then(|kept| list::check(&kept, &authorities).ok()).unwrap_or(0);
        let settled = settle(&configured, mode, own.as_ref(), list > 0);
        let certificate = settled.places.identity.as_deref().and_then(certificate);
        Known {
            configured,
            joined,
            certificate,
            authorities,
            authority_end,
            list,
            fault,
            trouble: None,
            due: None,
            news: None,
            settled,
        }
    }
}

/// Why a list of revoked certificates is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It does not count.
    #[error(transparent)]
    Bad(#[from] BadList),
    /// The disk refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The certificate in a file; `None` if it cannot be used: the doors say why.
fn certificate(path: &Path) -> Option<Certificate> {
    let Identity { node, not_before, not_after, .. } = Identity::read(&read(path)?).ok()?;
    Some(Certificate { node, not_before, not_after })
}

/// The authorities in a file; `None` if they cannot be used.
fn authorities(path: Option<&Path>) -> Option<Authorities> {
    path.and_then(read).and_then(|bytes| Authorities::read(&bytes).ok())
}

/// The bytes of a regular file, one more than certificates may have at most.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = path.is_file().then(|| File::open(path))?.ok()?; // a pipe would keep us waiting
    file.take(IDENTITY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
