//! `ttctl remove`: stop sharing, and forget.

use crate::cli::{Global, RemoveArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Removed};
use crate::each::Failures;
use crate::error::Error;
use crate::output::Output;

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let (mut removed, mut failures) = (Vec::new(), Failures::default());
    for what in &args.what {
        match daemon.caller.remove(resource_name(what).to_owned(), args.delete, CALL_TIMEOUT).await? {
            Ok(names) => removed.extend(names.iter().map(ToString::to_string)),
            Err(error) => failures.add(what, error.into(), output),
        }
    }
    match output.is_json() {
        true => output.json(&Document::new(Removed { removed, errors: failures.take() }))?,
        false => output.names(if args.delete { "deleted" } else { "removed" }, &removed)?,
    }
    failures.end()
}
