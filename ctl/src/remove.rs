//! `ttctl remove`: stops sharing files and forgets them.

use crate::cli::{Global, RemoveArgs};
use crate::confirm::confirm;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Removed};
use crate::each::Failures;
use crate::error::Error;
use crate::human;
use crate::output::Output;
use crate::select;
use crate::targets::{Targets, targets};
use crate::unpublish::take_back;

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    ask_first(args, &targets)?;
    let (mut removed, mut failures) = (Vec::new(), Failures::default());
    for (what, found) in targets.each() {
        let names = match found {
            Ok(name) if args.unpublish => match take_back(&daemon, &name, output).await? {
                Ok(_) => daemon.caller.remove(name, args.delete, CALL_TIMEOUT).await?.map_err(Error::from),
                Err(error) => Err(error),
            },
            Ok(name) => daemon.caller.remove(name, args.delete, CALL_TIMEOUT).await?.map_err(Error::from),
            Err(error) => Err(error),
        };
        match names {
            Ok(names) => removed.extend(names.iter().map(ToString::to_string)),
            Err(error) => failures.add(&what, error, output),
        }
    }
    match output.is_json() {
        true => output.json(&Document::new(Removed { removed, errors: failures.take() }))?,
        false => output.names(if args.delete { "deleted" } else { "removed" }, &removed)?,
    }
    failures.end()
}

/// Asks for confirmation with the number of files, for --all and for patterns whose files are deleted. A user who names
/// each file is not asked.
fn ask_first(args: &RemoveArgs, targets: &Targets) -> Result<(), Error> {
    let is_by_pattern = args.delete && args.what.iter().any(|what| select::is_pattern(what));
    if args.yes || targets.count() == 0 || !(args.all || is_by_pattern) {
        return Ok(());
    }
    let files = human::count(targets.count() as u64, "file");
    confirm(&match args.delete {
        true => format!("stop sharing {files} and delete them"),
        false => format!("stop sharing {files}"),
    })
}
