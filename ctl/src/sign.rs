//! `ttctl sign`: signs manifests with a secret key of minisign: files, and what is shared from this machine.

use crate::cli::{Global, SignArgs};
use crate::connect::Daemon;
use crate::documents::Document;
use crate::error::{Error, Kind};
use crate::files::{self, NewFile, signature_beside};
use crate::human;
use crate::output::Output;
use crate::progress::Progress;
use crate::share::not_found;
use crate::sign_shared::sign_shared;
use crate::signing_key::SigningKey;
use serde::Serialize;
use shared::host::clock;
use shared::id::ResourceId;
use shared::manifest::Manifest;
use shared::name::{MANIFEST_SUFFIX, ResourceName};
use shared::shell;
use shared::signature::SignatureText;
use std::io::{self, Read, Write};
use std::path::Path;

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

pub(crate) async fn sign(args: &SignArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let (mut key, mut daemon, mut signatures) = (None, None, Vec::new());
    for what in &args.what {
        let signed = match name_of(what) {
            Some(name) => {
                // ttd is asked before anybody is asked for a password
                let daemon: &Daemon = match &mut daemon {
                    Some(daemon) => daemon,
                    none => none.insert(Daemon::connect(global).await?),
                };
                sign_name(name, daemon, opened(&mut key, args)?, output).await?
            }
            None => {
                // the first manifest is read before anybody is asked for a password
                let manifest = manifest_to_sign(what)?;
                sign_file(what, &manifest, opened(&mut key, args)?)?
            }
        };
        if !output.is_json() {
            output.line(&format!("{}  {}", signed.key_id, human::clean(&signed.signature)))?;
        }
        signatures.push(signed);
    }
    if output.is_json() { output.json(&Document::new(Signatures { signatures })) } else { Ok(()) }
}

/// The name of what is shared here, if the word is one and not the path of a manifest.
fn name_of(what: &Path) -> Option<&str> {
    what.to_str().filter(|what| !what.contains('/') && !what.ends_with(MANIFEST_SUFFIX))
}

fn opened<'a>(key: &'a mut Option<SigningKey>, args: &SignArgs) -> Result<&'a SigningKey, Error> {
    match key {
        Some(key) => Ok(key),
        none => Ok(none.insert(SigningKey::open(&args.secret_key)?)),
    }
}

fn sign_file(path: &Path, manifest: &Manifest, key: &SigningKey) -> Result<Signed, Error> {
    let text = key.sign(manifest, clock::time_of_day().as_secs())?;
    let beside = signature_beside(path);
    write(&text, &beside)?;
    Ok(Signed::new((manifest.name(), manifest.resource()), path, &text))
}

async fn sign_name(name: &str, daemon: &Daemon, key: &SigningKey, output: &Output) -> Result<Signed, Error> {
    let signed = sign_shared(daemon, key, name, Progress::new(output, name)).await;
    let (shared, text) = signed.map_err(|error| match Path::new(name).is_file() {
        true if error.kind == Kind::Refused => error.hint(format!(
            "to share and sign the file in this directory: `ttctl share {} --sign KEY`; to sign its manifest alone, \
             make it first: `ttctl create {}`",
            shell::word(name),
            shell::word(name)
        )),
        _ => error,
    })?;
    shared.warnings.iter().for_each(|warning| output.warning(warning));
    match shared.refused.first() {
        Some(why) => Err(not_found(&shared, why)),
        None => Ok(Signed::new((&shared.name, shared.resource), &shared.manifest, &text)),
    }
}

impl Signed {
    fn new((name, id): (&ResourceName, ResourceId), manifest: &Path, text: &SignatureText) -> Signed {
        Signed {
            name: name.to_string(),
            id: id.to_string(),
            manifest: manifest.display().to_string(),
            signature: signature_beside(manifest).display().to_string(),
            key_id: text.key_id().to_string(),
            timestamp: text.timestamp().unwrap_or_default(),
        }
    }
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

fn write(signature: &SignatureText, path: &Path) -> Result<(), Error> {
    let mut new = NewFile::create(path)?;
    let written = new.file().write_all(signature.as_str().as_bytes());
    written.map_err(|error| files::write_error(path, &error))?;
    new.publish(true)
}
