//! `ttctl unpublish`: takes back from the trackers the names of files that were shared here.

use crate::cli::{Global, WhatsArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, UnpublishedNames};
use crate::each::Failures;
use crate::error::Error;
use crate::output::Output;
use crate::targets::targets;

pub(crate) async fn unpublish(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut done = UnpublishedNames::default();
    let mut failures = Failures::default();
    for (what, found) in targets(&daemon, &args.what).await?.each() {
        let names = match found {
            Ok(name) => take_back(&daemon, &name, output).await?,
            Err(error) => Err(error),
        };
        match names {
            Ok(names) => done.unpublished.extend(names),
            Err(error) => failures.add(&what, error, output),
        }
    }
    match output.is_json() {
        true => {
            done.errors = failures.take();
            output.json(&Document::new(done))?;
        }
        false => output.names("unpublished", &done.unpublished)?,
    }
    failures.end()
}

/// Takes back all names that a name or an id means. The inner error says why other machines can still find the file by
/// its name.
pub(crate) async fn take_back(
    daemon: &Daemon,
    what: &str,
    output: &Output,
) -> Result<Result<Vec<String>, Error>, Error> {
    let answer = daemon.caller.unpublish(what.to_owned(), CALL_TIMEOUT).await?;
    let done = match answer {
        Ok(done) => done,
        Err(error) => return Ok(Err(error.into())),
    };
    done.warnings.iter().for_each(|warning| output.warning(warning));
    Ok(match done.kept.is_empty() {
        true => Ok(done.names.iter().map(ToString::to_string).collect()),
        false => Err(Error::refused(done.kept.join("; "))),
    })
}
