//! `ttctl ca issue`: makes a key and a certificate for a machine that does not join by itself.

use super::owner;
use super::place::{Place, now};
use crate::cli::CaIssueArgs;
use crate::documents::Document;
use crate::documents_of_ca::{CertificateDocument, IssuedFiles, ms};
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::human::clean;
use crate::local_time;
use crate::output::Output;
use shared::identity::{GROUPS_MAX, Node};
use std::io::Write;
use std::path::Path;

pub(crate) fn issue(args: &CaIssueArgs, output: &mut Output) -> Result<(), Error> {
    let place = Place::new(&args.which);
    let authority = place.open()?;
    let node = Node {
        name: args.node.clone(),
        roles: args.roles.iter().copied().collect(),
        groups: args.groups.iter().cloned().collect(),
    };
    if node.groups.len() > GROUPS_MAX {
        return Err(Error::usage(format!("a node has at most {GROUPS_MAX} groups")));
    }
    let (identity_path, ca_path) = (args.output.join("identity.pem"), args.output.join("ca.pem"));
    // nothing is issued that cannot be written
    for path in [&identity_path, &ca_path] {
        if !args.replace && path.symlink_metadata().is_ok() {
            return Err(files::exists(path));
        }
    }
    owner::make_directory(&args.output)?;
    let mut identity_file = NewFile::create_with_mode(&identity_path, 0o600)?;
    let mut ca_file = NewFile::create_with_mode(&ca_path, 0o644)?;
    let identity = authority
        .identity(now(), &node, args.life.duration().as_secs())
        .map_err(|error| place.error(error))?;
    write(&mut ca_file, &ca_path, &authority.certificates_text())?;
    write(&mut identity_file, &identity_path, identity.text())?;
    ca_file.publish(args.replace)?;
    identity_file.publish(args.replace)?;
    if output.is_json() {
        return output.json(&Document::new(IssuedFiles {
            certificate: CertificateDocument::new(&identity.issued, "valid"),
            identity: identity_path.display().to_string(),
            authority_certificate: ca_path.display().to_string(),
        }));
    }
    let until = local_time::minute(ms(identity.issued.not_after), output);
    let shown = |path: &Path| clean(&path.display().to_string());
    output.done(&format!("{node} has a certificate until {until}"))?;
    for (path, what) in [(&identity_path, "its secret key and certificate"), (&ca_path, "whom it trusts")] {
        output.done(&format!("{}  {what}", shown(path)))?;
    }
    Ok(())
}

fn write(new: &mut NewFile<'_>, path: &Path, text: &str) -> Result<(), Error> {
    let file = new.file();
    let written = file.write_all(text.as_bytes()).and_then(|()| owner::give(file, files::parent(path)));
    written.map_err(|error| files::write_error(path, &error))
}
