//! `ttctl pause` and `ttctl resume`.

use crate::cli::{Global, WhatsArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Paused, Resumed};
use crate::each::Failures;
use crate::error::Error;
use crate::output::Output;

pub(crate) async fn pause(args: &WhatsArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let (mut paused, mut failures) = (Vec::new(), Failures::default());
    for what in &args.what {
        match daemon.caller.pause(resource_name(what).to_owned(), CALL_TIMEOUT).await? {
            Ok(names) => paused.extend(names.iter().map(ToString::to_string)),
            Err(error) => failures.add(what, error.into(), output),
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
    for what in &args.what {
        match daemon.caller.resume(resource_name(what).to_owned(), CALL_TIMEOUT).await? {
            Ok(names) => resumed.extend(names.iter().map(ToString::to_string)),
            Err(error) => failures.add(what, error.into(), output),
        }
    }
    match output.is_json() {
        true => output.json(&Document::new(Resumed { resumed, errors: failures.take() }))?,
        false => output.names("resumed", &resumed)?,
    }
    failures.end()
}
