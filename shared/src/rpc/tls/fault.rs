//! What is wrong with a file of keys or certificates.

use crate::identity::BadNames;
use crate::utc::Utc;
use std::fmt;
use std::path::PathBuf;

/// What is wrong with a file of keys or certificates. It is shown behind the file's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFault {
    /// It is longer than this many bytes.
    TooLong(usize),
    /// It is not PEM from this line on.
    Pem {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        why: PemFault,
    },
    /// It has no certificate.
    NoCertificate,
    /// It has more certificates or lists than this number.
    TooMany(usize),
    /// It has no private key.
    NoKey,
    /// Its private key has a password.
    EncryptedKey,
    /// It has two private keys.
    TwoKeys,
    /// Its private key is of a kind that cannot be used.
    Key(String),
    /// The private key is not that of the first certificate.
    NotAPair,
    /// This certificate of the file, counted from 1, is damaged, or is not one that can be used.
    Certificate(usize, String),
    /// The names in the certificate do not make a node with a role.
    Names(BadNames),
    /// It has no list of revoked certificates, or one that is damaged or that none of the authorities signed.
    Revoked(String),
    /// The certificate has expired.
    Expired {
        /// The end of its life, in seconds since 1970.
        not_after: u64,
        /// The time on this machine's clock.
        now: u64,
    },
    /// The certificate is not valid yet.
    NotYet {
        /// The begin of its life, in seconds since 1970.
        not_before: u64,
        /// The time on this machine's clock.
        now: u64,
    },
    /// None of the authorities signed the certificate.
    Foreign,
    /// The certificate was revoked.
    IsRevoked,
    /// The permissions let other users read or change the private key.
    Readable {
        /// The file.
        path: PathBuf,
        /// The permissions, as `chmod` takes them.
        mode: u32,
    },
}

/// What is wrong with a line of a PEM file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PemFault {
    /// The section that begins there has no end.
    NoEnd,
    /// It begins a section and does not end with five dashes.
    Begin,
    /// It has something that is not base64.
    Base64,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileFault::TooLong(max) => write!(f, "it is longer than {max} bytes"),
            FileFault::Pem { line, why } => write!(f, "line {line}: {why}"),
            FileFault::NoCertificate => {
                f.write_str("it has no certificate (no line \"-----BEGIN CERTIFICATE-----\")")
            }
            FileFault::TooMany(max) => write!(f, "it has more than {max} certificates or lists"),
            FileFault::NoKey => {
                f.write_str("it has no private key (no line \"-----BEGIN PRIVATE KEY-----\")")
            }
            FileFault::EncryptedKey => {
                f.write_str("its private key has a password, which nobody can type in for a service")
            }
            FileFault::TwoKeys => f.write_str("it has two private keys"),
            FileFault::Key(why) => write!(f, "its private key cannot be used: {why}"),
            FileFault::NotAPair => f.write_str("its private key does not belong to its first certificate"),
            FileFault::Certificate(number, why) => {
                write!(f, "its certificate number {number} cannot be used: {why}")
            }
            FileFault::Names(why) => why.fmt(f),
            FileFault::Revoked(why) => write!(f, "its list of revoked certificates cannot be used: {why}"),
            FileFault::Expired { not_after, now } => write!(
                f,
                "the certificate expired at {}; this machine's clock says {}",
                Utc(*not_after),
                Utc(*now)
            ),
            FileFault::NotYet { not_before, now } => write!(
                f,
                "the certificate is valid from {} on, and this machine's clock says {}; is the clock right?",
                Utc(*not_before),
                Utc(*now)
            ),
            FileFault::Foreign => f.write_str("none of the authorities in tls_ca signed the certificate"),
            FileFault::IsRevoked => f.write_str("the certificate was revoked"),
            FileFault::Readable { path, mode } => write!(
                f,
                "other users may read or change its private key (mode {mode:04o}); run: chmod 600 {}",
                crate::shell::word(&path.to_string_lossy())
            ),
        }
    }
}

impl std::error::Error for FileFault {}

impl fmt::Display for PemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PemFault::NoEnd => "the section that begins here has no end; is the file cut off?",
            PemFault::Begin => "this begins a section and does not end with five dashes",
            PemFault::Base64 => "this is not base64",
        })
    }
}
