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
use shared::rpc::control::{ErrorKind, Foreign};

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    let staying = if args.delete { staying(&daemon, &targets, output).await } else { Staying::default() };
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
        true => {
            let Staying { kept, kept_unknown } = staying;
            let errors = failures.take();
            output.json(&Document::new(Removed { removed, errors, kept, kept_unknown }))?;
        }
        false => output.names(if args.delete { "deleted" } else { "removed" }, &removed)?,
    }
    failures.end()
}

/// What will not be deleted with directories.
#[derive(Default)]
struct Staying {
    kept: Vec<Kept>,
    /// The targets of which it is not known.
    kept_unknown: Vec<String>,
}

/// Warns of files in directories that will not be deleted, because ttd did not put them there or they were edited.
async fn staying(daemon: &Daemon, targets: &Targets, output: &Output) -> Staying {
    let mut staying = Staying::default();
    for what in targets.names() {
        let found = match daemon.caller.foreign(what.to_owned(), CALL_TIMEOUT).await {
            Ok(Err(error)) if error.kind == ErrorKind::Unknown => continue, // the removal says so
            answer => answer.map_err(Error::from).and_then(|answer| answer.map_err(Error::from)),
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                let (name, why) = (human::clean(what), human::clean(&error.message));
                output.warning(&format!("cannot look at what stays of {name}: {why}"));
                staying.kept_unknown.push(what.to_owned());
                continue;
            }
        };
        for foreign in found {
            output.warning(&warning(&foreign));
            let Foreign { name, directory, files, first } = foreign;
            let (directory, first) = (directory.to_string_lossy().into(), first.to_string_lossy().into());
            staying.kept.push(Kept { name: name.to_string(), directory, files, first });
        }
    }
    staying
}

/// "2 files in /srv/app stay, such as conf/mine: ..."
fn warning(Foreign { directory, files, first, .. }: &Foreign) -> String {
    let (path, example) =
        (human::clean(&directory.to_string_lossy()), human::clean(&first.to_string_lossy()));
    let (count, verb) = (human::count(*files, "file"), if *files == 1 { "stays" } else { "stay" });
    format!(
        "{count} in {path} {verb}, such as {example}: only what ttd put there and nobody edited is deleted"
    )
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
