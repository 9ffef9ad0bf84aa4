//! `ttctl unpublish`: takes back from the trackers the names of files that were shared here.

use crate::cli::{Global, UnpublishArgs};
use crate::confirm::confirm_several;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, UnpublishedNames};
use crate::each::for_each;
use crate::error::Error;
use crate::output::Output;
use crate::targets::targets;
use shared::name::ResourceName;
use shared::rpc::control::Unpublished;

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
    let mut unpublished = Vec::new();
    let act = async |name: String| {
        let done = take_back(&daemon, &name, output).await?;
        let is_kept = |name: &ResourceName| done.kept.iter().any(|(kept, _)| kept == name);
        unpublished.extend(done.names.iter().filter(|name| !is_kept(name)).map(ToString::to_string));
        none_kept(&done)
    };
    let (_, mut failures) = for_each(targets, output, act).await;
    let mut done = UnpublishedNames { unpublished, errors: Vec::new() };
    match output.is_json() {
        true => {
            done.errors = failures.take();
            output.json(&Document::new(done))?;
        }
        false => output.names("unpublished", &done.unpublished)?,
    }
    failures.end()
}

/// Takes back all names that a name or an id means.
pub(crate) async fn take_back(daemon: &Daemon, what: &str, output: &Output) -> Result<Unpublished, Error> {
    let done = daemon.caller.unpublish(what.to_owned(), CALL_TIMEOUT).await??;
    done.warnings.iter().for_each(|warning| output.warning(warning));
    Ok(done)
}

/// The error if other machines can still find the file by one of its names.
pub(crate) fn none_kept(done: &Unpublished) -> Result<(), Error> {
    let why: Vec<&str> = done.kept.iter().map(|(_, why)| why.as_str()).collect();
    if why.is_empty() { Ok(()) } else { Err(Error::refused(why.join("; "))) }
}
