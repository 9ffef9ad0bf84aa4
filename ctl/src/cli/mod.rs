//! The command line: its commands, its options, and the help that goes with them. Each verb's arguments have a file of
//! its name.

mod check;
mod completions;
mod create;
mod events;
mod fleet;
mod get;
mod global;
mod limit;
mod list;
mod names;
mod peers;
mod remove;
mod share;
mod status;
mod tracker;
mod wait;
mod what;
mod which_tracker;

#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};

pub use check::CheckArgs;
pub use completions::CompletionsArgs;
pub use create::CreateArgs;
pub use events::EventsArgs;
pub use fleet::FleetArgs;
pub use get::GetArgs;
pub use global::Global;
pub use limit::LimitArgs;
pub use list::ListArgs;
pub use peers::PeersArgs;
pub use remove::RemoveArgs;
pub use share::ShareArgs;
pub use status::StatusArgs;
pub use tracker::{TrackerCommand, TrackerListArgs, TrackerPeersArgs, TrackerResourcesArgs};
pub use wait::WaitArgs;
pub use what::{WhatsArgs, resource_name};
pub use which_tracker::WhichTracker;

const AFTER_HELP: &str = "\
Examples:
  ttctl share /srv/images/lab-2025.img     share a file with the fleet
  ttctl get lab-2025.img                   fetch it on another machine, and wait for it
  ttctl get lab-2025.img -o /tmp/lab.img   ... and copy it out of the shared directory
  ttctl status                             how everything is doing
  ttctl status lab-2025.img --json         the same of one resource, for scripts
  ttctl fleet lab-2025.img                 how far every machine is with it
  ttctl doctor                             what is wrong with this machine

Where ttd is looked for:
  only at --socket, --directory or $TT_SOCKET (in this order), if one is given;
  else in your own runtime directory, then at /run/tinytorrent/ttd.sock

On a terminal:
  tables are as wide as the terminal, or as $COLUMNS if that is less;
  no colors if $NO_COLOR is set, and neither colors nor bars if TERM=dumb

Exit codes:
  0  done
  1  an internal failure
  2  wrong usage
  3  no ttd answers
  4  refused: not found, or not allowed
  5  timed out
  6  bad data: a manifest or a file does not verify
  7  no space on the disk
  8  no tracker or server could be reached: try again
  130  interrupted with ^C (a download goes on without you)";

/// Brings one file to every machine of a fleet: drives the local ttd.
#[derive(Debug, Parser)]
#[command(name = "ttctl", version, after_help = AFTER_HELP, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What holds for all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Share files with the fleet
    #[command(visible_alias = "add")]
    Share(ShareArgs),
    /// Fetch a resource, and wait until it is complete
    Get(GetArgs),
    /// Wait until a resource is complete here, or on enough machines
    Wait(WaitArgs),
    /// Show how far each machine of the fleet is with a resource
    Fleet(FleetArgs),
    /// Show how one resource, or all, are doing
    #[command(visible_alias = "ps")]
    Status(StatusArgs),
    /// List the files that are here
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show the daemon as a whole: version, directory, limits, trackers, totals
    Info,
    /// Show what happens on this machine, a line for each event
    Events(EventsArgs),
    /// Show whom a file is fetched from and who fetches it from here; without WHAT, how often peers were turned away, and why
    Peers(PeersArgs),
    /// Stop fetching and serving for a while
    Pause(WhatsArgs),
    /// Go on after a pause
    Resume(WhatsArgs),
    /// Hash what is on disk again, and compare it with the manifest
    Verify(WhatsArgs),
    /// Take back the names of files that were shared from this machine
    ///
    /// The trackers do not publish the file under its name any more, and an earlier version that is still published has
    /// the name again. The file stays here, and stays shared with the machines that have begun to fetch it. `ttctl share`
    /// publishes it again.
    Unpublish(WhatsArgs),
    /// Stop sharing, and forget; a finished file stays unless --delete
    #[command(visible_alias = "rm")]
    Remove(RemoveArgs),
    /// Show how fast ttd may receive and send, or change it at once
    Limit(LimitArgs),
    /// Look for what keeps TinyTorrent from working here, and say what to do about it
    ///
    /// Ends with exit code 0 if nothing failed, 3 if no ttd answers, 4 if anything else failed. Warnings are no
    /// failures. Without a ttd it checks what it can: the configuration, the directory, the port.
    Doctor,
    /// Make the manifest of a file; needs no ttd
    Create(CreateArgs),
    /// Check a manifest, and a file against it; needs no ttd
    Check(CheckArgs),
    /// Have ttd ask a tracker what it knows
    #[command(subcommand)]
    Tracker(TrackerCommand),
    /// Print what makes a shell complete ttctl's command lines; needs no ttd
    Completions(CompletionsArgs),
}
