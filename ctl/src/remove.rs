//! `ttctl remove`: stop sharing, and forget.

use crate::cli::{Global, RemoveArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Removed};
use crate::each::Each;
use crate::error::Error;
use crate::output::Output;

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut each = Each::default();
    for what in &args.what {
        let what = resource_name(what).to_owned();
        each.add(daemon.caller.remove(what, args.delete, CALL_TIMEOUT).await?, output);
    }
    match output.is_json() {
        true => output.json(&Document::new(Removed { removed: each.done.clone() }))?,
        false => output.names(if args.delete { "deleted" } else { "removed" }, &each.done)?,
    }
    each.end()
}
