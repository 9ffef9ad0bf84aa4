//! `ttctl join`: has ttd join a closed fleet with a token.

use crate::cli::{Global, JoinArgs};
use crate::connect::Daemon;
use crate::documents::Document;
use crate::error::Error;
use crate::identity::{IdentityDocument, details};
use crate::output::Output;
use shared::rpc::control::{IdentityReport, JoinRequest};
use shared::token::Token;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// How long ttd may take. It makes two connections and some calls, each with its own time limit. Beyond it the command
/// fails with exit code 5.
const JOIN_TIMEOUT: Duration = Duration::from_secs(120);

/// The most that is read of a file with a token, in bytes; the rest is ignored. A token has 68 characters.
const TOKEN_BYTES_MAX: u64 = 4096;

pub(crate) async fn join(args: &JoinArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let token = token(args)?;
    let daemon = Daemon::connect(global).await?;
    let request =
        JoinRequest { token, tracker: args.tracker.clone(), node: args.node.clone(), replace: args.replace };
    let report = daemon.caller.join(request, JOIN_TIMEOUT).await??;
    if output.is_json() {
        return output.json(&Document::new(IdentityDocument::new(&report)));
    }
    output.done(&format!("this machine has joined as {}", node(&report)))?;
    details(&report, output).print(output)?;
    match report.hint.as_ref().filter(|_| report.fault.is_none()) {
        Some(hint) => {
            output.warning(hint);
            Ok(())
        }
        None => Ok(()),
    }
}

fn node(report: &IdentityReport) -> String {
    report.certificate.as_ref().map(|certificate| certificate.node.to_string()).unwrap_or_default()
}

/// The token of the command line, of the file or of the standard input. No message shows it.
fn token(args: &JoinArgs) -> Result<Token, Error> {
    let text = match (&args.token, &args.token_file) {
        (Some(token), _) if token != "-" => token.clone(),
        (_, Some(path)) if path != Path::new("-") => {
            let file = File::open(path)
                .map_err(|error| Error::io(format!("cannot read {}", path.display()), &error))?;
            read(file, &path.display().to_string())?
        }
        _ => read(io::stdin().lock(), "the standard input")?,
    };
    text.parse().map_err(|why| {
        Error::refused(format!("{why}")).hint("paste the whole token that `ttctl ca token` printed")
    })
}

fn read(from: impl Read, what: &str) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = from.take(TOKEN_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| Error::io(format!("cannot read {what}"), &error))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
