//! `ttctl verify`: has ttd compare files on the disk with their manifests.

use crate::cli::{Global, WhatsArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Verified, VerifiedAll};
use crate::each::Failures;
use crate::error::{Error, Kind};
use crate::human;
use crate::output::Output;
use crate::progress::Progress;
use crate::status;
use crate::targets::{is_single, targets};
use crate::tasks::{self, Ended};
use shared::plain::edited_files;
use shared::rpc::control::State;
use shared::shell;

pub(crate) async fn verify(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let (mut verified, mut failures) = (Vec::new(), Failures::default());
    for (what, found) in targets(&daemon, &args.what).await?.each() {
        let found = match found {
            Ok(name) => verify_one(&daemon, name, output).await,
            Err(error) => Err(error),
        };
        let document = match found {
            Ok(document) => document,
            Err(error) if is_single(&args.what) => return Err(error),
            Err(error) => {
                let is_last = error.kind == Kind::NoDaemon; // nothing after it could succeed
                failures.add(&what, error, output);
                if is_last {
                    break;
                }
                continue;
            }
        };
        if !output.is_json() {
            let name = human::clean(&document.name);
            let chunks = human::count(document.chunks_total.into(), "chunk");
            output.done(&format!("{name}: {} of {chunks} good", document.chunks_good))?;
            output.flush()?;
        }
        if let Some(error) = lost(&document) {
            failures.add(&what, error, output);
        }
        verified.push(document);
    }
    if output.is_json() {
        match (is_single(&args.what), verified.pop()) {
            (true, Some(document)) => output.json(&Document::new(document))?,
            (_, last) => {
                verified.extend(last);
                output.json(&Document::new(VerifiedAll { verified, errors: failures.take() }))?;
            }
        }
    }
    failures.end()
}

async fn verify_one(daemon: &Daemon, what: String, output: &Output) -> Result<Verified, Error> {
    let before = daemon.caller.status(Some(what.clone()), CALL_TIMEOUT).await??;
    let before = status::best(&before, &what)?;
    let task = daemon.caller.verify(what, CALL_TIMEOUT).await??;
    let ended = tasks::wait(daemon, task, Progress::new(output, before.name.as_str())).await?;
    let Ended::Verified { chunks_good, chunks_total, edited } = ended else {
        return Err(tasks::unexpected(&ended));
    };
    // Of a complete directory all chunks count, also those of files that were edited.
    let chunks_had = match before.state {
        State::Seeding | State::Outdated if before.is_tree => before.chunks_total,
        _ => before.chunks_have,
    };
    Ok(Verified {
        name: before.name.to_string(),
        resource: before.resource.to_string(),
        chunks_good,
        chunks_total,
        chunks_had,
        files_edited: edited.as_ref().map(|edited| edited.files),
        first_edited: edited.map_or_else(Vec::new, |edited| edited.first),
    })
}

/// The error if files were edited, or if chunks that were here are damaged. Chunks that were never fetched do not count.
fn lost(verified: &Verified) -> Option<Error> {
    if let Some(files) = verified.files_edited {
        let (name, what) = (human::clean(&verified.name), edited_files(files, &verified.first_edited));
        let error = Error::bad_data(format!("{name}: {}", human::clean(&what)));
        return Some(error.hint(format!(
            "`ttctl get --replace {}` makes it as it was; `ttctl share --replace PATH` publishes it as it is",
            shell::word(&verified.name)
        )));
    }
    let lost = verified.chunks_had.checked_sub(verified.chunks_good).filter(|lost| *lost > 0)?;
    let are = if lost == 1 { "is" } else { "are" };
    let chunks = human::count(lost.into(), "chunk");
    let error = Error::bad_data(format!("{}: {chunks} {are} corrupt", verified.name));
    Some(error.hint(
        "if nobody changed the file, check the disk (`dmesg`, `smartctl`); `ttctl status` shows what helps",
    ))
}
