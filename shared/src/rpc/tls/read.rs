//! Reads keys, certificates and lists of revoked certificates. It is given bytes; who reads the files is elsewhere.

use super::common::provider;
use super::fault::{FileFault, PemFault};
use crate::der;
use crate::identity::Node;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, SectionKind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, TrustAnchor, UnixTime};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use webpki::{CertRevocationList, EndEntityCert, KeyUsage, OwnedCertRevocationList};

/// Limits the file with key and certificates, and that with authorities, in bytes. Ours have some KiB.
pub const IDENTITY_BYTES_MAX: usize = 256 << 10;

/// Limits a list of revoked certificates in bytes. An entry has about 40.
pub const REVOKED_BYTES_MAX: usize = crate::rpc::tracker::REVOKED_BYTES_MAX;

/// Limits the certificates of a chain. Each is verified by whoever is dialled.
pub const CHAIN_MAX: usize = 8;

/// Limits the authorities. A fleet has one, and two while it changes from one to another.
pub const AUTHORITIES_MAX: usize = 16;

/// Limits the lists of revoked certificates: one for each authority.
const LISTS_MAX: usize = AUTHORITIES_MAX;

/// Who this machine is: a private key, and the certificate for it with those above it, the authority excluded.
///
/// The key is not shown, compared or written anywhere.
#[derive(Clone)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    /// Who the certificate says that we are.
    pub node: Node,
    /// The first second of the certificate's life, since 1970.
    pub not_before: u64,
    /// The last second of the certificate's life.
    pub not_after: u64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {}..={})", self.node, self.not_before, self.not_after)
    }
}

impl Identity {
    /// Reads a PEM file with a private key and its certificates, in any order; the first certificate is that of the key.
    ///
    /// # Errors
    /// If the file is not such a file, if key and certificate do not belong together, or if the certificate does not
    /// name one node and its role. The clock is not asked.
    pub fn read(bytes: &[u8]) -> Result<Identity, FileFault> {
        let sections = sections(bytes, IDENTITY_BYTES_MAX)?;
        let chain = certificates(&sections, CHAIN_MAX)?;
        let mut keys = sections.into_iter().filter_map(|(kind, der)| match kind {
            SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.into())),
            SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.into())),
            _ => None,
        });
        let has_password = || {
            let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            has(b"ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED")
        };
        let key = keys
            .next()
            .ok_or_else(|| if has_password() { FileFault::EncryptedKey } else { FileFault::NoKey })?;
        if keys.next().is_some() {
            return Err(FileFault::TwoKeys);
        }
        let node = node_of(&chain[0]).map_err(|why| why.of_certificate(1))?;
        let (not_before, not_after) = life(&chain[0]).map_err(|why| FileFault::Certificate(1, why))?;
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => FileFault::NotAPair,
            error if has_password() => FileFault::Key(format!("{error}; it may have a password")),
            error => FileFault::Key(error.to_string()),
        })?;
        Ok(Identity { key: Arc::new(key), node, not_before, not_after })
    }

    /// Our certificate, and those above it.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.key.cert
    }
}

/// Whom this machine believes: the certificates of authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(pub(super) Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads a PEM file with one or several certificates.
    ///
    /// # Errors
    /// If it has none, too many, or one that is damaged.
    pub fn read(bytes: &[u8]) -> Result<Authorities, FileFault> {
        let authorities = Authorities(certificates(&sections(bytes, IDENTITY_BYTES_MAX)?, AUTHORITIES_MAX)?);
        authorities.anchors()?;
        Ok(authorities)
    }

    /// The certificates.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// The last second in which one of them counts, since 1970: the latest of their ends. `None` if none can be told.
    pub fn not_after(&self) -> Option<u64> {
        self.0.iter().filter_map(|certificate| life(certificate).ok()).map(|(_, end)| end).max()
    }

    /// What webpki needs of them.
    pub(super) fn anchors(&self) -> Result<Vec<TrustAnchor<'_>>, FileFault> {
        let anchor = |(index, certificate)| {
            webpki::anchor_from_trusted_cert(certificate)
                .map_err(|error| FileFault::Certificate(index + 1, error.to_string()))
        };
        self.0.iter().enumerate().map(anchor).collect()
    }
}

/// What no longer counts: lists of revoked certificates.
#[derive(Debug, Clone, Default)]
pub struct Revoked(pub(super) Vec<CertificateRevocationListDer<'static>>);

impl Revoked {
    /// Reads lists as DER, one after another, or as PEM. Who signed them is asked by [`Setup::new`](super::Setup::new).
    ///
    /// # Errors
    /// If there is none, if there are too many, or if one is damaged.
    pub fn read(bytes: &[u8]) -> Result<Revoked, FileFault> {
        // DER begins with the tag of a sequence, and PEM with text.
        let lists: Vec<Vec<u8>> = if bytes.first() == Some(&0x30) {
            if bytes.len() > REVOKED_BYTES_MAX {
                return Err(FileFault::TooLong(REVOKED_BYTES_MAX));
            }
            match der::sequences(bytes, LISTS_MAX) {
                Some(lists) => lists.into_iter().map(<[u8]>::to_vec).collect(),
                None => vec![bytes.to_vec()], // damaged, which is named below
            }
        } else {
            let sections = sections(bytes, REVOKED_BYTES_MAX)?;
            sections.into_iter().filter(|(kind, _)| *kind == SectionKind::Crl).map(|(_, der)| der).collect()
        };
        if lists.is_empty() {
            return Err(FileFault::Revoked("there is no list".to_owned()));
        }
        if lists.len() > LISTS_MAX {
            return Err(FileFault::TooMany(LISTS_MAX));
        }
        let revoked = Revoked(lists.into_iter().map(CertificateRevocationListDer::from).collect());
        revoked.parsed()?;
        Ok(revoked)
    }

    /// The lists as webpki takes them.
    pub(super) fn parsed(&self) -> Result<Vec<CertRevocationList<'static>>, FileFault> {
        let parsed = |der: &CertificateRevocationListDer<'_>| {
            OwnedCertRevocationList::from_der(der)
                .map(CertRevocationList::from)
                .map_err(|error| FileFault::Revoked(error.to_string()))
        };
        self.0.iter().map(parsed).collect()
    }
}

/// Checks that a file's permissions keep its private key from others. The group may read it: configuration management
/// often gives a file to root and to the group of the service.
///
/// # Errors
/// If others may read it, or if others or the group may change it. `mode` may have the bits of the file's type.
pub fn check_mode(path: &Path, mode: u32) -> Result<(), FileFault> {
    let mode = mode & 0o7777;
    if mode & 0o027 == 0 { Ok(()) } else { Err(FileFault::Readable { path: path.to_owned(), mode }) }
}

/// Why a certificate names nobody.
pub(super) enum NoNode {
    Names(crate::identity::BadNames),
    Damaged(String),
}

impl NoNode {
    fn of_certificate(self, number: usize) -> FileFault {
        match self {
            NoNode::Names(why) => FileFault::Names(why),
            NoNode::Damaged(why) => FileFault::Certificate(number, why),
        }
    }
}

/// Whose a certificate is. Nothing else about it is checked.
pub(super) fn node_of(certificate: &CertificateDer<'_>) -> Result<Node, NoNode> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| NoNode::Damaged(error.to_string()))?;
    Node::of_dns_names(parsed.valid_dns_names()).map_err(NoNode::Names)
}

/// The first and the last second of a certificate's life. webpki tells neither; but it tells the one that it minds if it
/// is asked about the beginning and about the end of all times, before it minds anything else.
fn life(certificate: &CertificateDer<'_>) -> Result<(u64, u64), String> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|error| error.to_string())?;
    let provider: &CryptoProvider = &provider();
    let algorithms = provider.signature_verification_algorithms.all;
    let asked = |time: u64| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(time));
        let usage = KeyUsage::client_auth();
        parsed.verify_for_usage(algorithms, &[], &[], time, usage, None, None).err()
    };
    // A certificate that is valid at once at the beginning of 1970 is not an error, only old.
    let not_before = match asked(0) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => not_before.as_secs(),
        _ => 0,
    };
    match asked(u64::MAX) {
        Some(webpki::Error::CertExpired { not_after, .. }) => Ok((not_before, not_after.as_secs())),
        Some(error) => Err(error.to_string()),
        None => Ok((not_before, u64::MAX)),
    }
}

/// The certificates among the sections: at least one, each one well formed on the outside.
fn certificates(
    sections: &[(SectionKind, Vec<u8>)],
    max: usize,
) -> Result<Vec<CertificateDer<'static>>, FileFault> {
    let found = sections.iter().filter(|(kind, _)| *kind == SectionKind::Certificate);
    let found: Vec<_> = found.map(|(_, der)| CertificateDer::from(der.clone())).collect();
    if found.is_empty() {
        return Err(FileFault::NoCertificate);
    }
    if found.len() > max {
        return Err(FileFault::TooMany(max));
    }
    Ok(found)
}

/// The sections of a PEM file. Text between them is passed over: `openssl x509 -text` writes some.
fn sections(bytes: &[u8], bytes_max: usize) -> Result<Vec<(SectionKind, Vec<u8>)>, FileFault> {
    if bytes.len() > bytes_max {
        return Err(FileFault::TooLong(bytes_max));
    }
    let mut found = Vec::new();
    let mut rest = bytes;
    loop {
        let before = bytes.len() - rest.len();
        match pem::from_buf(&mut rest) {
            Ok(Some(section)) => found.push(section),
            Ok(None) => return Ok(found),
            Err(error) => return Err(located(bytes, before, bytes.len() - rest.len(), &error)),
        }
    }
}

/// The line of a file with which the PEM reader had trouble, somewhere between two offsets.
fn located(bytes: &[u8], from: usize, to: usize, error: &pem::Error) -> FileFault {
    let first_line = bytes[..from].iter().filter(|byte| **byte == b'\n').count() + 1;
    let lines = bytes[from..to].split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let begins = |line: &[u8]| line.starts_with(b"-----BEGIN");
    let is_base64 =
        |line: &[u8]| line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
    let (why, offset) = match error {
        pem::Error::IllegalSectionStart { .. } => {
            (PemFault::Begin, lines.clone().position(|line| begins(line) && !line.ends_with(b"-----")))
        }
        pem::Error::Base64Decode(_) => {
            let begin = lines.clone().position(begins).unwrap_or(0);
            let bad = lines
                .clone()
                .skip(begin + 1)
                .position(|line| !is_base64(line) && !line.starts_with(b"-----END"));
            (PemFault::Base64, Some(bad.map_or(begin, |line| begin + 1 + line)))
        }
        _ => (PemFault::NoEnd, lines.clone().position(begins)),
    };
    FileFault::Pem { line: first_line + offset.unwrap_or(0), why }
}
