//! `ttctl pause` and `ttctl resume`.

use crate::cli::{Global, WhatsArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Paused, Resumed};
use crate::error::Error;
use crate::output::Output;

pub(crate) async fn pause(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut paused = Vec::new();
    for what in &args.what {
        let names = daemon.caller.pause(resource_name(what).to_owned(), CALL_TIMEOUT).await??;
        paused.extend(names.iter().map(|name| name.to_string()));
    }
    match output.is_json() {
        true => output.json(&Document::new(Paused { paused })),
        false => output.names("paused", &paused),
    }
}

pub(crate) async fn resume(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut resumed = Vec::new();
    for what in &args.what {
        let names = daemon.caller.resume(resource_name(what).to_owned(), CALL_TIMEOUT).await??;
        resumed.extend(names.iter().map(|name| name.to_string()));
    }
    match output.is_json() {
        true => output.json(&Document::new(Resumed { resumed })),
        false => output.names("resumed", &resumed),
    }
}
