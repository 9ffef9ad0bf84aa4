//! `ttctl remove`: stops sharing files and forgets them.

use crate::cli::{Global, RemoveArgs};
use crate::confirm::confirm;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Removed};
use crate::each::{for_each, names};
use crate::error::Error;
use crate::human;
use crate::output::Output;
use crate::targets::{Targets, targets};
use crate::unpublish::take_back;

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    ask_first(args, &targets, output)?;
    let act = async |name: String| {
        if args.unpublish {
            take_back(&daemon, &name, output).await?;
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

/// Asks for confirmation with the number of files, for --all and for patterns whose files are deleted. A user who names
/// each file is not asked.
fn ask_first(args: &RemoveArgs, targets: &Targets, output: &Output) -> Result<(), Error> {
    let is_by_pattern = args.delete && targets.has_any_by_pattern();
    if args.yes || targets.count() == 0 || !(args.all || is_by_pattern) {
        return Ok(());
    }
    let files = human::count(targets.count() as u64, "file");
    let question = match args.delete {
        true => format!("stop sharing {files} and delete them"),
        false => format!("stop sharing {files}"),
    };
    confirm(&question, output)
}
