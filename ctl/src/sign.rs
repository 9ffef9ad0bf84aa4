//! `ttctl sign`: signs manifests with a secret key of minisign.

use crate::cli::SignArgs;
use crate::documents::Document;
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::human;
use crate::output::Output;
use crate::signing_key::SigningKey;
use serde::Serialize;
use shared::host::clock;
use shared::manifest::Manifest;
use shared::name::{MANIFEST_SUFFIX, SIGNATURE_SUFFIX};
use shared::shell;
use shared::signature::SignatureText;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The document of `sign`.
#[derive(Debug, Serialize)]
struct Signatures {
    signatures: Vec<Signed>,
}

#[derive(Debug, Serialize)]
struct Signed {
    name: String,
    id: String,
    manifest: String,
    signature: String,
    /// Which key signed: 16 hexadecimal digits, as minisign writes them.
    key_id: String,
    /// In seconds since 1970, as in the signature.
    timestamp: u64,
}

pub(crate) fn sign(args: &SignArgs, output: &mut Output) -> Result<(), Error> {
    let (mut key, mut signatures) = (None, Vec::new());
    for path in &args.manifests {
        let manifest = manifest_to_sign(path)?;
        // the first manifest is read before anybody is asked for a password
        let key: &SigningKey = match &mut key {
            Some(key) => key,
            none => none.insert(SigningKey::open(&args.secret_key)?),
        };
        let timestamp = clock::time_of_day().as_secs();
        let text = key.sign(&manifest, timestamp)?;
        let beside = beside(path);
        write(&text, &beside)?;
        if !output.is_json() {
            let shown = human::clean(&beside.display().to_string());
            output.line(&format!("{}  {shown}", text.key_id()))?;
        }
        signatures.push(Signed {
            name: manifest.name().to_string(),
            id: manifest.resource().to_string(),
            manifest: path.display().to_string(),
            signature: beside.display().to_string(),
            key_id: text.key_id().to_string(),
            timestamp,
        });
    }
    if output.is_json() { output.json(&Document::new(Signatures { signatures })) } else { Ok(()) }
}

/// Reads a manifest whose bytes are those that machines make of it, for these are what a signature is checked against.
fn manifest_to_sign(path: &Path) -> Result<Manifest, Error> {
    let manifest = files::read_manifest(path).map_err(|error| {
        match path.to_string_lossy().ends_with(MANIFEST_SUFFIX) || !path.is_file() {
            true => error,
            false => error.hint(format!(
                "make its manifest first: `ttctl create {}`",
                shell::word(&path.to_string_lossy())
            )),
        }
    })?;
    match is_written_alike(&manifest, path) {
        Ok(true) => Ok(manifest),
        Ok(false) => Err(Error::bad_data(format!(
            "{} is not written as ttctl writes it: line ends or digits differ",
            path.display()
        ))
        .hint("make it again with `ttctl create`; a signature is of the exact bytes")),
        Err(error) => Err(Error::io(format!("cannot read {}", path.display()), &error)),
    }
}

fn is_written_alike(manifest: &Manifest, path: &Path) -> io::Result<bool> {
    let mut file = std::fs::File::open(path)?;
    let mut found = Vec::new();
    for part in manifest.text_parts() {
        found.resize(part.len(), 0);
        match file.read_exact(&mut found) {
            Ok(()) if found == part.as_bytes() => {}
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
    Ok(file.read(&mut [0])? == 0)
}

/// The path of the signature.
fn beside(path: &Path) -> PathBuf {
    let mut beside = OsString::from(path);
    beside.push(SIGNATURE_SUFFIX);
    beside.into()
}

fn write(signature: &SignatureText, path: &Path) -> Result<(), Error> {
    let mut new = NewFile::create(path)?;
    let written = new.file().write_all(signature.as_str().as_bytes());
    written.map_err(|error| files::write_error(path, &error))?;
    new.publish(true)
}
