//! `ttctl unpublish`: takes back from the trackers the names of files that were shared here.

use crate::cli::{Global, UnpublishArgs};
use crate::confirm::confirm_several;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, UnpublishedNames};
use crate::each::for_each;
use crate::error::Error;
use crate::output::Output;
use crate::targets::targets;

pub(crate) async fn unpublish(
    args: &UnpublishArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    if !args.yes {
        confirm_several(&targets, args.all, |files| format!("unpublish {files}"), output)?;
    }
    let act = async |name: String| take_back(&daemon, &name, output).await;
    let (done, mut failures) = for_each(targets, output, act).await;
    let mut done = UnpublishedNames { unpublished: done.concat(), errors: Vec::new() };
    match output.is_json() {
        true => {
            done.errors = failures.take();
            output.json(&Document::new(done))?;
        }
        false => output.names("unpublished", &done.unpublished)?,
    }
    failures.end()
}

/// Takes back all names that a name or an id means. It is an error if other machines can still find the file by its
/// name.
pub(crate) async fn take_back(daemon: &Daemon, what: &str, output: &Output) -> Result<Vec<String>, Error> {
    let done = daemon.caller.unpublish(what.to_owned(), CALL_TIMEOUT).await??;
    done.warnings.iter().for_each(|warning| output.warning(warning));
    match done.kept.is_empty() {
        true => Ok(done.names.iter().map(ToString::to_string).collect()),
        false => Err(Error::refused(done.kept.join("; "))),
    }
}
