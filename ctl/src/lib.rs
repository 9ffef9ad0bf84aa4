//! ttctl: drives the local daemon over its Unix socket. Each verb has a file of its name.
//!
//! Reading order: [`cli`] → `connect` → the verbs. All output goes through [`output`], and every failure ends as an
//! [`error::Error`], which has an exit code.

mod asker;
mod awaited;
mod begin;
mod ca;
mod check;
mod chunks;
pub mod cli;
mod clone;
mod completions;
mod confirm;
mod connect;
mod copy;
mod create;
mod dead_trackers;
mod deadline;
mod details;
mod doctor;
mod documents;
mod documents_of_ca;
mod documents_of_trackers;
mod dress;
mod each;
pub mod error;
mod events;
mod expect;
mod fetch_url;
mod files;
mod fleet;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod get;
mod goal;
pub mod human;
mod identity;
mod info;
mod join;
mod kept;
mod layout;
mod leftovers;
mod limit;
mod line;
mod link;
mod list;
mod local_time;
mod move_in;
pub mod output;
mod password;
mod pause;
mod peers;
mod progress;
mod remove;
mod select;
mod share;
mod share_tree;
mod sign;
mod sign_shared;
mod signing_key;
mod staged;
mod status;
mod stderr;
mod subscribe;
mod subscriptions;
mod table;
mod targets;
mod tasks;
mod terminal;
mod to_stdout;
mod tracker;
mod tree;
mod unpack;
mod unpublish;
mod usage;
mod verify;
mod wait;
mod want;
mod watch;
mod watching;
mod width;

#[cfg(test)]
mod tests;

use clap::Parser;
use cli::{Cli, Command, TrackerCommand};
use error::Error;
use output::Output;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a command line and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    completions::answer_shell();
    let args: Vec<OsString> = args.into_iter().collect();
    let result = match Cli::try_parse_from(&args) {
        Ok(cli) => {
            let mut output = Output::of_process(&cli.global);
            run(&cli, &mut output).inspect_err(|error| output.error(error))
        }
        Err(error) => usage::tell(&error, &args),
    };
    result.map_or_else(|error| ExitCode::from(error.exit_code()), |()| ExitCode::SUCCESS)
}

/// Runs a command, and writes its JSON document at the end.
fn run(cli: &Cli, output: &mut Output) -> Result<(), Error> {
    let result = carry_out(cli, output);
    output.end(result)
}

fn carry_out(cli: &Cli, output: &mut Output) -> Result<(), Error> {
    match &cli.command {
        Command::Create(args) => create::create(args, output),
        Command::Check(args) => check::check(args, output),
        Command::Ca(command) => ca::ca(command, output),
        Command::Completions(args) => completions::completions(args, output),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::internal(format!("cannot start: {error}")))?
            .block_on(run_with_daemon(cli, output)),
    }
}

async fn run_with_daemon(cli: &Cli, output: &mut Output) -> Result<(), Error> {
    let global = &cli.global;
    match &cli.command {
        Command::Create(_) | Command::Check(_) | Command::Ca(_) | Command::Completions(_) => {
            unreachable!("these need no daemon")
        }
        Command::Sign(args) => sign::sign(args, global, output).await,
        Command::Share(args) => share::share(args, global, output).await,
        Command::Get(args) => get::get(args, global, output).await,
        Command::Status(args) => status::status(args, global, output).await,
        Command::List(args) => list::list(args, global, output).await,
        Command::Info => info::info(global, output).await,
        Command::Events(args) => events::events(args, global, output).await,
        Command::Wait(args) => wait::wait(args, global, output).await,
        Command::Fleet(args) => fleet::fleet(args, global, output).await,
        Command::Peers(args) => peers::peers(args, global, output).await,
        Command::Pause(args) => pause::pause(args, global, output).await,
        Command::Resume(args) => pause::resume(args, global, output).await,
        Command::Verify(args) => verify::verify(args, global, output).await,
        Command::Unpublish(args) => unpublish::unpublish(args, global, output).await,
        Command::Remove(args) => remove::remove(args, global, output).await,
        Command::Join(args) => join::join(args, global, output).await,
        Command::Identity => identity::identity(global, output).await,
        Command::Subscribe(args) => subscribe::subscribe(args, global, output).await,
        Command::Subscriptions => subscriptions::subscriptions(global, output).await,
        Command::Doctor => doctor::doctor(global, output).await,
        Command::Limit(args) => limit::limit(args, global, output).await,
        Command::Tracker(TrackerCommand::List(args)) => tracker::list(args, global, output).await,
        Command::Tracker(TrackerCommand::Peers(args)) => tracker::peers(args, global, output).await,
        Command::Tracker(TrackerCommand::Resources(args)) => tracker::resources(args, global, output).await,
    }
}
