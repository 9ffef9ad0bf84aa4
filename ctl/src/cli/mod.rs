//! The command line: its commands, its options, and the help that goes with them. Each verb's arguments have a file of
//! its name.

mod ca;
mod check;
mod completions;
mod create;
mod events;
mod fleet;
mod get;
mod global;
mod join;
mod limit;
mod list;
mod names;
mod peers;
mod remove;
mod share;
mod sign;
mod status;
mod subscribe;
mod tracker;
mod tree;
mod unpublish;
mod wait;
mod what;
mod which_tracker;

#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};

pub use ca::{
    AuthorityDir, CaCommand, CaInitArgs, CaIssueArgs, CaListArgs, CaRevokeArgs, CaRotateArgs, CaTokenArgs,
    CaTokensArgs,
};
pub use check::CheckArgs;
pub use completions::CompletionsArgs;
pub use create::CreateArgs;
pub use events::EventsArgs;
pub use fleet::FleetArgs;
pub use get::GetArgs;
pub use global::Global;
pub use join::JoinArgs;
pub use limit::LimitArgs;
pub use list::ListArgs;
pub use peers::PeersArgs;
pub use remove::RemoveArgs;
pub use share::ShareArgs;
pub use sign::SignArgs;
pub use status::StatusArgs;
pub use subscribe::SubscribeArgs;
pub use tracker::{TrackerCommand, TrackerListArgs, TrackerPeersArgs, TrackerResourcesArgs};
pub use tree::{LinksArg, SymlinksArg, TreeArgs};
pub use unpublish::UnpublishArgs;
pub use wait::WaitArgs;
pub use what::{WhatsArgs, resource_name};
pub use which_tracker::WhichTracker;

const AFTER_HELP: &str = "\
Examples:
  ttctl share /srv/images/lab-2025.img     share a file with the fleet
  ttctl get lab-2025.img                   fetch it on another machine
  ttctl get lab-2025.img -o /tmp/lab.img   ... and copy it to /tmp
  ttctl status                             show progress and problems
  ttctl status lab-2025.img --json         the same for one file, as JSON
  ttctl fleet lab-2025.img                 show the progress of every machine
  ttctl doctor                             find out what is wrong here

Where ttd is looked for:
  at --socket, --directory or $TT_SOCKET (in this order), if one is given;
  otherwise in your own runtime directory, then at /run/tinytorrent/ttd.sock

On a terminal:
  tables fit its width, or $COLUMNS if that is less;
  NO_COLOR turns off colors, TERM=dumb turns off colors and progress bars

Exit codes:
  0  done
  1  internal error
  2  usage error
  3  no ttd answers
  4  refused: not found, or not allowed
  5  timed out
  6  bad data: a manifest is invalid, or a file does not match it
  7  no space on the disk
  8  no tracker or server is reachable; try again later
  130  interrupted with ^C (ttd continues the download)";

/// Distribute large files to a fleet of machines
#[derive(Debug, Parser)]
#[command(name = "ttctl", version, after_help = AFTER_HELP, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// The options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Share files and directories with the fleet
    #[command(visible_alias = "add")]
    #[command(
        override_usage = "ttctl share [--tracker URL]... [-f] [--move] [--sign KEY]\n                   [--symlinks WHICH] [--no-times] [--skip-special] PATH..."
    )]
    Share(ShareArgs),
    /// Fetch files, and wait until they are complete
    #[command(
        override_usage = "ttctl get [-o PATH] [-f] [--no-reuse] [--allow-older] [--as-file]\n                 [--symlinks WHICH] [--detach | --timeout DURATION] WHAT..."
    )]
    Get(GetArgs),
    /// Wait until files are complete here, or on enough machines
    #[command(
        override_usage = "ttctl wait [--peers N | --percent P] [--tracker URL] [--timeout DURATION]\n                  NAME|ID..."
    )]
    Wait(WaitArgs),
    /// Show the progress of each machine with a file
    #[command(
        override_usage = "ttctl fleet [--expect FILE [--only-expected]] [-w] [--tracker URL]\n                   NAME|ID"
    )]
    Fleet(FleetArgs),
    /// Show the progress, rates and problems of files
    #[command(visible_alias = "ps")]
    #[command(override_usage = "ttctl status [-w] [NAME|ID...]")]
    Status(StatusArgs),
    /// List the files that are here, with ids and sizes
    #[command(visible_alias = "ls")]
    #[command(override_usage = "ttctl list [-l] [NAME|ID...]")]
    List(ListArgs),
    /// Show ttd's version, directory, limits, trackers and totals
    #[command(override_usage = "ttctl info")]
    Info,
    /// Print what happens on this machine, one line per event
    #[command(override_usage = "ttctl events [--since DURATION] [--no-follow] [NAME|ID...]")]
    Events(EventsArgs),
    /// Show the peers that a file is exchanged with
    #[command(override_usage = "ttctl peers [--uploads] [--downloads] [NAME|ID...]")]
    Peers(PeersArgs),
    /// Pause: stop fetching and serving until resumed
    #[command(override_usage = "ttctl pause NAME|ID...\n       ttctl pause --all")]
    Pause(WhatsArgs),
    /// Resume paused files
    #[command(override_usage = "ttctl resume NAME|ID...\n       ttctl resume --all")]
    Resume(WhatsArgs),
    /// Check files on disk against their manifests
    #[command(override_usage = "ttctl verify NAME|ID...\n       ttctl verify --all")]
    Verify(WhatsArgs),
    /// Take the names of shared files back from the trackers
    ///
    /// The trackers no longer list the file under its name; an earlier version that is still published gets the name
    /// again. The file stays here, and is still served to machines that have started to fetch it. `ttctl share`
    /// publishes it again.
    #[command(override_usage = "ttctl unpublish [-y] NAME|ID...\n       ttctl unpublish [-y] --all")]
    Unpublish(UnpublishArgs),
    /// Stop sharing and forget files; complete files stay on disk unless --delete
    #[command(visible_alias = "rm")]
    #[command(
        override_usage = "ttctl remove [--unpublish] [--delete] [-y] NAME|ID...\n       ttctl remove [--unpublish] [--delete] [-y] --all"
    )]
    Remove(RemoveArgs),
    /// Have new versions come to this machine by themselves
    #[command(
        override_usage = "ttctl subscribe [--tracker URL]... NAME...\n       ttctl subscribe --remove NAME..."
    )]
    Subscribe(SubscribeArgs),
    /// Show what this machine subscribes to
    #[command(override_usage = "ttctl subscriptions")]
    Subscriptions,
    /// Show or change the bandwidth limits
    #[command(
        override_usage = "ttctl limit [--download RATE] [--upload RATE] [--save]\n       ttctl limit --reset"
    )]
    Limit(LimitArgs),
    /// Find problems on this machine, and say how to fix them
    ///
    /// The exit code is 0 if there are no failures (warnings are not failures), 3 if no ttd answers, 4 otherwise.
    /// Without a ttd it checks the configuration, the directory and the port.
    #[command(override_usage = "ttctl doctor")]
    Doctor,
    /// Create the manifest of a file or directory; needs no ttd
    #[command(
        override_usage = "ttctl create [--tracker URL]... [-o PATH] [--symlinks WHICH] [--no-times]\n                    [--skip-special] FILE|DIR"
    )]
    Create(CreateArgs),
    /// Check a manifest, or a file or directory against it; needs no ttd
    #[command(
        override_usage = "ttctl check [--symlinks WHICH] [--no-times] [--skip-special] MANIFEST\n                   [FILE|DIR]"
    )]
    Check(CheckArgs),
    /// Sign manifests with a key of minisign
    #[command(override_usage = "ttctl sign -s KEY NAME|MANIFEST...")]
    Sign(SignArgs),
    /// Make this machine a member of a closed fleet, with a token
    #[command(
        override_usage = "ttctl join TOKEN --tracker URL [--node NAME] [--replace]\n       ttctl join --token-file FILE --tracker URL [--node NAME] [--replace]"
    )]
    Join(JoinArgs),
    /// Show who this machine is in a closed fleet
    ///
    /// The exit code is 0 if it has a certificate that counts, and 4 if it has none or if something is wrong with it.
    #[command(override_usage = "ttctl identity")]
    Identity,
    /// Say which machines belong to a closed fleet; needs no ttd
    #[command(subcommand)]
    Ca(CaCommand),
    /// Ask a tracker what it knows
    #[command(subcommand)]
    Tracker(TrackerCommand),
    /// Print a shell completion script; needs no ttd
    #[command(override_usage = "ttctl completions SHELL")]
    Completions(CompletionsArgs),
}
