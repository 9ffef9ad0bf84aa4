//! A secret key of minisign: read, unlocked with its password, and used.
//!
//! **Invariant:** neither the key nor the password gets into a message. The library's type of a key prints itself with
//! `{:?}`, so ours has no `Debug`.

use crate::error::{Error, Kind};
use crate::password;
use data_encoding::BASE64;
use minisign::{PublicKey, SecretKey, SecretKeyBox};
use shared::manifest::Manifest;
use shared::signature::{SIGNABLE_NAME_BYTES_MAX, SignatureText};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Limits the file of a key in bytes. minisign writes 258. A longer file is refused.
const KEY_FILE_BYTES_MAX: u64 = 4096;

/// The bytes of a key: three algorithms, the parameters of the password, the key's id, the key, a checksum.
const KEY_BYTES: usize = 2 + 2 + 2 + 32 + 8 + 8 + 8 + 64 + 32;

/// The bytes of the checksum, at the end. `minisign -G -W` leaves zeros there.
const CHECKSUM_BYTES: usize = 32;

/// A secret key that can sign.
pub(crate) struct SigningKey {
    secret: SecretKey,
    public: PublicKey,
}

impl SigningKey {
    /// Reads a key, which may come through a pipe, and asks for its password if it has one.
    pub(crate) fn open(path: &Path) -> Result<SigningKey, Error> {
        let text = read(path)?;
        let shown = path.display();
        let no_key = || {
            Error::bad_data(format!("{shown} is not a secret key of minisign"))
                .hint("`minisign -G` makes a pair of keys; the secret one is meant here")
        };
        let bytes = bytes(&text).ok_or_else(no_key)?;
        let secret = match &bytes[2..4] {
            // an empty checksum is none, and signing checks the key with its public half
            b"\0\0" if bytes[KEY_BYTES - CHECKSUM_BYTES..] == [0; CHECKSUM_BYTES] => {
                SecretKey::from_bytes(&bytes)
            }
            b"\0\0" => SecretKeyBox::from(text).into_unencrypted_secret_key(),
            b"Sc" => {
                let password = password::of_key(path)?;
                let unlocked = SecretKeyBox::from(text).into_secret_key(Some(password));
                return SigningKey::of(unlocked.map_err(|error| locked(path, &error))?).ok_or_else(no_key);
            }
            _ => return Err(no_key()),
        };
        secret.ok().and_then(SigningKey::of).ok_or_else(|| Error::bad_data(format!("{shown} is damaged")))
    }

    fn of(secret: SecretKey) -> Option<SigningKey> {
        let public = PublicKey::from_secret_key(&secret).ok()?;
        Some(SigningKey { secret, public })
    }

    /// The public half.
    pub(crate) fn public(&self) -> Result<shared::signature::PublicKey, Error> {
        let public = self.public.to_base64().parse();
        public.map_err(|why| Error::internal(format!("the public half of the key came out wrong: {why}")))
    }

    /// Signs a manifest's text. The trusted comment is that of minisign.
    pub(crate) fn sign(&self, manifest: &Manifest, timestamp: u64) -> Result<SignatureText, Error> {
        let name = manifest.name();
        if name.as_str().len() > SIGNABLE_NAME_BYTES_MAX {
            let message =
                format!("{name} cannot be signed: the name is longer than {SIGNABLE_NAME_BYTES_MAX} bytes");
            return Err(Error::refused(message));
        }
        let trusted = format!("timestamp:{timestamp}\tfile:{}\thashed", name.manifest_name());
        let text = Text { parts: manifest.text_parts(), part: Vec::new(), read: 0 };
        let untrusted = Some("signature from ttctl");
        let signed = minisign::sign(Some(&self.public), &self.secret, text, Some(&trusted), untrusted);
        let signed = signed.map_err(|_| {
            Error::bad_data("the secret key is damaged: what it signs does not match its public half")
        })?;
        let signature = signed.to_string().parse();
        signature.map_err(|why| Error::internal(format!("the signature of {name} came out wrong: {why}")))
    }
}

fn read(path: &Path) -> Result<String, Error> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => {
            Error::bad_data(format!("{} is not a secret key of minisign", path.display()))
        }
        _ => Error::io(format!("cannot read {}", path.display()), &error),
    };
    let mut text = String::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(cannot)?;
    match text.len() as u64 > KEY_FILE_BYTES_MAX {
        true => Err(cannot(io::ErrorKind::InvalidData.into())),
        false => Ok(text),
    }
}

/// The bytes of the second line.
fn bytes(text: &str) -> Option<[u8; KEY_BYTES]> {
    let line = text.lines().nth(1)?;
    let bytes: [u8; KEY_BYTES] = BASE64.decode(line.as_bytes()).ok()?.try_into().ok()?;
    bytes.starts_with(b"Ed").then_some(bytes)
}

fn locked(path: &Path, error: &minisign::PError) -> Error {
    let shown = path.display();
    match error.kind() {
        minisign::ErrorKind::Verify => {
            Error::new(Kind::Refused, format!("this is not the password of {shown}"))
        }
        _ => Error::bad_data(format!("{shown} cannot be unlocked: {error}")),
    }
}

/// A manifest's text as a reader.
struct Text<Parts> {
    parts: Parts,
    part: Vec<u8>,
    /// How much of `part` was read.
    read: usize,
}

impl<Parts: Iterator<Item = String>> Read for Text<Parts> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.part.len() {
            (self.part, self.read) = (self.parts.next().unwrap_or_default().into_bytes(), 0);
        }
        let bytes = (&self.part[self.read..]).read(buffer)?;
        self.read += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_arrives_whatever_the_buffer() {
        for size in [1, 3, 100] {
            let parts = ["abc", "d", "efghij"].map(str::to_owned).into_iter();
            let mut text = Text { parts, part: Vec::new(), read: 0 };
            let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
            while let bytes @ 1.. = text.read(&mut buffer).unwrap() {
                all.extend_from_slice(&buffer[..bytes]);
            }
            assert_eq!(all, b"abcdefghij", "{size}");
        }
    }
}
