//! `ttctl remove`: stop sharing, and forget.

use crate::cli::{Global, RemoveArgs, resource_name};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Removed};
use crate::error::Error;
use crate::output::Output;

pub(crate) async fn remove(args: &RemoveArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let mut removed = Vec::new();
    for what in &args.what {
        let what = resource_name(what).to_owned();
        let names = daemon.caller.remove(what, args.delete, CALL_TIMEOUT).await??;
        removed.extend(names.iter().map(|name| name.to_string()));
    }
    match output.is_json() {
        true => output.json(&Document::new(Removed { removed })),
        false => output.names(if args.delete { "deleted" } else { "removed" }, &removed),
    }
}
