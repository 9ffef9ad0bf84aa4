//! `ttctl pause` and `ttctl resume`.

use crate::cli::{Global, WhatsArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Paused, Resumed};
use crate::each::{for_each, names};
use crate::error::Error;
use crate::output::Output;
use crate::targets::targets;

pub(crate) async fn pause(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    let act = async |name| Ok(daemon.caller.pause(name, CALL_TIMEOUT).await??);
    let (done, mut failures) = for_each(targets, output, act).await;
    let paused = names(done);
    match output.is_json() {
        true => output.json(&Document::new(Paused { paused, errors: failures.take() }))?,
        false => output.names("paused", &paused)?,
    }
    failures.end()
}

pub(crate) async fn resume(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let targets = targets(&daemon, &args.what).await?;
    let act = async |name| Ok(daemon.caller.resume(name, CALL_TIMEOUT).await??);
    let (done, mut failures) = for_each(targets, output, act).await;
    let resumed = names(done);
    match output.is_json() {
        true => output.json(&Document::new(Resumed { resumed, errors: failures.take() }))?,
        false => output.names("resumed", &resumed)?,
    }
    failures.end()
}
