//! `ttctl remove`: stops sharing files and forgets them.

use crate::cli::{Global, RemoveArgs};
use crate::confirm::confirm_several;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Removed};
use crate::each::{for_each, names};
use crate::error::Error;
use crate::output::Output;
use crate::targets::targets;
use crate::unpublish::{none_kept, take_back};

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    if !args.yes {
        confirm_several(&targets, args.all, |files| question(args, files), output)?;
    }
    let act = async |name: String| {
        if args.unpublish {
            none_kept(&take_back(&daemon, &name, output).await?)?;
        }
        Ok(daemon.caller.remove(name, args.delete, CALL_TIMEOUT).await??)
    };
    let (done, mut failures) = for_each(targets, output, act).await;
    let removed = names(done);
    match output.is_json() {
        true => output.json(&Document::new(Removed { removed, errors: failures.take() }))?,
        false => output.names(if args.delete { "deleted" } else { "removed" }, &removed)?,
    }
    failures.end()
}

/// "stop sharing and delete 3 files"
fn question(args: &RemoveArgs, files: &str) -> String {
    match (args.unpublish, args.delete) {
        (false, false) => format!("stop sharing {files}"),
        (false, true) => format!("stop sharing and delete {files}"),
        (true, false) => format!("unpublish and stop sharing {files}"),
        (true, true) => format!("unpublish, stop sharing and delete {files}"),
    }
}
