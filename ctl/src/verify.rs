//! `ttctl verify`: has the disk kept what was written to it?

use crate::cli::{Global, WhatArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Verified};
use crate::error::Error;
use crate::human;
use crate::output::Output;
use crate::progress::Progress;
use crate::status;
use crate::tasks::{self, Ended};

pub(crate) async fn verify(args: &WhatArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let what = resource_name(&args.what).to_owned();
    let before = daemon.caller.status(Some(what.clone()), CALL_TIMEOUT).await??;
    let before = status::best(&before, &what)?;
    let task = daemon.caller.verify(what, CALL_TIMEOUT).await??;
    let ended = tasks::wait(&daemon, task, Progress::new(output, before.name.as_str())).await?;
    let Ended::Verified { chunks_good, chunks_total } = ended else {
        return Err(tasks::unexpected(&ended));
    };
    let chunks_had = before.chunks_have;
    if output.is_json() {
        output.json(&Document::new(Verified {
            name: before.name.to_string(),
            resource: before.resource.to_string(),
            chunks_good,
            chunks_total,
            chunks_had,
        }))?;
    } else {
        let name = human::clean(before.name.as_str());
        output
            .done(&format!("{name}: {chunks_good} of {} good", human::count(chunks_total.into(), "chunk")))?;
    }
    // What was never fetched is no fault of the disk.
    if chunks_good < chunks_had {
        let lost = human::count((chunks_had - chunks_good).into(), "chunk");
        let verb = if chunks_had - chunks_good == 1 { "is" } else { "are" };
        return Err(Error::bad_data(format!("{lost} of {} {verb} not what was written", before.name))
            .hint("look after the disk; `ttctl status` shows whether they are fetched again"));
    }
    Ok(())
}
