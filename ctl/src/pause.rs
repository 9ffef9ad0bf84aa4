//! `ttctl pause` and `ttctl resume`.

use crate::cli::{Global, WhatsArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Paused, Resumed};
use crate::each::Failures;
use crate::error::Error;
use crate::output::Output;
use crate::targets::targets;

pub(crate) async fn pause(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let (mut paused, mut failures) = (Vec::new(), Failures::default());
    for (what, found) in targets(&daemon, &args.what).await?.each() {
        let names = match found {
            Ok(name) => daemon.caller.pause(name, CALL_TIMEOUT).await?.map_err(Error::from),
            Err(error) => Err(error),
        };
        match names {
            Ok(names) => paused.extend(names.iter().map(ToString::to_string)),
            Err(error) => failures.add(&what, error, output),
        }
    }
    match output.is_json() {
        true => output.json(&Document::new(Paused { paused, errors: failures.take() }))?,
        false => output.names("paused", &paused)?,
    }
    failures.end()
}

pub(crate) async fn resume(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let (mut resumed, mut failures) = (Vec::new(), Failures::default());
    for (what, found) in targets(&daemon, &args.what).await?.each() {
        let names = match found {
            Ok(name) => daemon.caller.resume(name, CALL_TIMEOUT).await?.map_err(Error::from),
            Err(error) => Err(error),
        };
        match names {
            Ok(names) => resumed.extend(names.iter().map(ToString::to_string)),
            Err(error) => failures.add(&what, error, output),
        }
    }
    match output.is_json() {
        true => output.json(&Document::new(Resumed { resumed, errors: failures.take() }))?,
        false => output.names("resumed", &resumed)?,
    }
    failures.end()
}
