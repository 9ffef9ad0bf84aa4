//! `ttctl pause` and `ttctl resume`.

use crate::cli::{Global, WhatsArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Paused, Resumed};
use crate::each::Each;
use crate::error::Error;
use crate::output::Output;

pub(crate) async fn pause(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut each = Each::default();
    for what in &args.what {
        each.add(daemon.caller.pause(resource_name(what).to_owned(), CALL_TIMEOUT).await?, output);
    }
    match output.is_json() {
        true => output.json(&Document::new(Paused { paused: each.done.clone() }))?,
        false => output.names("paused", &each.done)?,
    }
    each.end()
}

pub(crate) async fn resume(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut each = Each::default();
    for what in &args.what {
        each.add(daemon.caller.resume(resource_name(what).to_owned(), CALL_TIMEOUT).await?, output);
    }
    match output.is_json() {
        true => output.json(&Document::new(Resumed { resumed: each.done.clone() }))?,
        false => output.names("resumed", &each.done)?,
    }
    each.end()
}
