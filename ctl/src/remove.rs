//! `ttctl remove`: stops sharing files and forgets them.

use crate::cli::{Global, RemoveArgs};
use crate::confirm::confirm_several;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Kept, Removed};
use crate::each::{for_each, names};
use crate::error::Error;
use crate::human;
use crate::output::Output;
use crate::targets::{Targets, targets};
use crate::unpublish::{none_kept, take_back};
use shared::rpc::control::Foreign;

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    let kept = if args.delete { kept(&daemon, &targets, output).await } else { Vec::new() };
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
        true => output.json(&Document::new(Removed { removed, errors: failures.take(), kept }))?,
        false => output.names(if args.delete { "deleted" } else { "removed" }, &removed)?,
    }
    failures.end()
}

/// Warns of files in directories that will not be deleted, because ttd did not put them there or they were edited.
async fn kept(daemon: &Daemon, targets: &Targets, output: &Output) -> Vec<Kept> {
    let mut all = Vec::new();
    for what in targets.names() {
        // Whether it is known, and ttd answers, is said by the removal.
        let asked = daemon.caller.foreign(what.to_owned(), CALL_TIMEOUT).await;
        let foreign = asked.ok().and_then(Result::ok).unwrap_or_default();
        for Foreign { name, directory, files, first } in foreign {
            let (path, example) =
                (human::clean(&directory.to_string_lossy()), human::clean(&first.to_string_lossy()));
            let (count, verb) = (human::count(files, "file"), if files == 1 { "stays" } else { "stay" });
            output.warning(&format!(
                "{count} in {path} {verb}, such as {example}: only what ttd put there and nobody edited is deleted"
            ));
            let (directory, first) = (directory.to_string_lossy().into(), first.to_string_lossy().into());
            all.push(Kept { name: name.to_string(), directory, files, first });
        }
    }
    all
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
