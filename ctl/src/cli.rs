//! The command line: its commands, its options, and the help that goes with them.

mod global;

use clap::{Args, Parser, Subcommand};
use shared::host::config::{RateLimit, Span};
use shared::url::TrackerUrl;
use std::num::NonZeroU32;
use std::path::PathBuf;

pub use global::Global;
pub(crate) use global::shell_word;

const AFTER_HELP: &str = "\
Examples:
  ttctl share /srv/images/lab-2025.img     share a file with the fleet
  ttctl get lab-2025.img                   fetch it on another machine, and wait for it
  ttctl get lab-2025.img -o /tmp/lab.img   ... and copy it out of the shared folder
  ttctl status                             how everything is doing
  ttctl status lab-2025.img --json         the same of one resource, for scripts
  ttctl fleet lab-2025.img                 how far every machine is with it
  ttctl doctor                             what is wrong with this machine

Where ttd is looked for:
  only at --socket, --folder or $TT_SOCKET (in this order), if one is given;
  else in your own runtime folder, then at /run/tinytorrent/ttd.sock

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
    Share(ShareArgs),
    /// Fetch a resource, and wait until it is complete
    Get(GetArgs),
    /// Wait until a resource is complete here, or on enough machines
    Wait(WaitArgs),
    /// Show how far each machine of the fleet is with a resource
    Fleet(FleetArgs),
    /// Show how one resource, or all, are doing
    Status(StatusArgs),
    /// List all resources
    List,
    /// Show whom a resource is fetched from and who fetches it from here; without WHAT, how often peers were turned away, and why
    Peers(PeersArgs),
    /// Stop fetching and serving for a while
    Pause(WhatsArgs),
    /// Go on after a pause
    Resume(WhatsArgs),
    /// Hash what is on disk again, and compare it with the manifest
    Verify(WhatArgs),
    /// Stop sharing, and forget; a finished file stays unless --delete
    Remove(RemoveArgs),
    /// Show how fast ttd may receive and send, or change it at once
    Limit(LimitArgs),
    /// Look for what keeps TinyTorrent from working here, and say what to do about it
    ///
    /// Ends with exit code 0 if nothing failed, 3 if no ttd answers, 4 if anything else failed. Warnings are no
    /// failures. Without a ttd it checks what it can: the configuration, the folder, the port.
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

/// A resource that the daemon knows.
#[derive(Debug, Args)]
pub struct WhatArgs {
    /// The resource's name or id
    pub what: String,
}

/// Resources that the daemon knows.
#[derive(Debug, Args)]
pub struct WhatsArgs {
    /// The resources' names or ids
    #[arg(required = true)]
    pub what: Vec<String>,
}

/// `ttctl share`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints each file's resource id and the path of its manifest. A file that lies
in ttd's shared folder is shared where it is; any other is copied into the
folder, read with your own rights.

A name that another machine shares with other content is not taken without
--replace. It ends with exit code 4 then, and when a file is shared but no
tracker publishes it under its name: the error says why, and so does
`ttctl status`. Trackers that cannot be reached are told later.

Examples:
  ttctl share /srv/images/lab-2025.img
  ttctl share forecast-*.grib2 --tracker tt://tracker.example")]
pub struct ShareArgs {
    /// The files
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// A tracker for the manifest, instead of those that ttd is configured with; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Take the place of another resource of the same name, here and at the trackers
    #[arg(long)]
    pub replace: bool,
}

/// `ttctl get`
#[derive(Debug, Args)]
#[command(after_help = "\
WHAT is one of
  a path to a .tinytorrent file (it has a \"/\", or that suffix)
  an http:// or https:// address of one; the proxy is that of $HTTPS_PROXY and
  its like, the certificates are the machine's, or those in $SSL_CERT_FILE
  tt://HOST:PORT/NAME or tt://HOST:PORT/ID, from that tracker's catalogue
  a name or an id, from the catalogues of the trackers that ttd knows

^C and --timeout end the waiting, never the download. With \"-o -\" nothing but the
file goes to the standard output, and that only when all of it was verified.

Examples:
  ttctl get lab-2025.img
  ttctl get ./lab-2025.img.tinytorrent -o /tmp/ --timeout \"10 min\"
  ttctl get app.tar.gz -o - | tar xz
  ttctl get tt://tracker.example/lab-2025.img --detach
  ttctl get https://files.example/lab-2025.img.tinytorrent")]
pub struct GetArgs {
    /// What to fetch
    pub what: String,
    /// Copy the complete file to this path, or into this folder, with your own rights; "-" is the standard output
    #[arg(short, long, value_name = "PATH", conflicts_with = "detach")]
    pub output: Option<PathBuf>,
    /// Return as soon as the download is accepted
    #[arg(long)]
    pub detach: bool,
    /// Replace other content of the same name (and the file at PATH)
    #[arg(long)]
    pub replace: bool,
    /// Wait no longer than this, as in "90", "10 min" or "2 h"
    #[arg(long, value_name = "DURATION", conflicts_with = "detach")]
    pub timeout: Option<Span>,
}

/// `ttctl wait`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --peers and --percent it waits for the copy in ttd's shared folder,
which a `ttctl get --detach` has begun. With one of them ttd asks the tracker.
The machine that shared the resource is one of those that have all of it.
--percent counts the machines that have begun; those that went before they were
done count as not done, for an hour. Where the number is known, --peers is surer.
After --timeout it ends with exit code 5; nothing else ends with it.

Examples:
  ttctl wait lab-2025.img --timeout \"30 min\"
  ttctl wait lab-2025.img --peers 40 --timeout \"1 h\"
  ttctl wait lab-2025.img --percent 95 --tracker tt://tracker.example")]
pub struct WaitArgs {
    /// The resource's name or id
    pub what: String,
    /// Wait until N machines have all of it
    #[arg(long, value_name = "N", conflicts_with = "percent", value_parser = machines)]
    pub peers: Option<NonZeroU32>,
    /// Wait until P percent of the machines have all of it
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub percent: Option<u8>,
    /// Wait no longer than this, as in "90", "10 min" or "2 h"
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
    /// Which tracker counts.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl fleet`
#[derive(Debug, Args)]
#[command(after_help = "\
One line per machine, the slowest first:
  never seen  it is in FILE, and the tracker has not seen it with the resource
  lost        it was not heard of for three of its intervals (6 to 15 s in the
              middle of a rollout)
  left        it said goodbye: paused, stopped, removed, or unable to go on;
              `ttctl status` on that machine says which
  stuck       it takes part, and had no new chunk for 60 s
  running     it takes part
  done        it has all of the resource, and serves it
DONE is how much a machine had when it was SEEN last, RATE how fast its chunks
came in the 5 to 15 s before. The tracker remembers those who are gone for an
hour. When it was restarted, it knows the others again within seconds.

FILE has a host name or an address on each line, with a port where several ttd
share an address; # begins a comment.

Examples:
  ttctl fleet lab-2025.img --watch
  ttctl fleet lab-2025.img --expect hosts.txt --json")]
pub struct FleetArgs {
    /// The resource's name or id
    pub what: String,
    /// Tell which of these machines were never seen
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Go on, and show each change
    #[arg(long, short)]
    pub watch: bool,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The resource's name or id; all resources if left out
    pub what: Option<String>,
    /// Go on, and show each change
    #[arg(long, short)]
    pub watch: bool,
}

/// `ttctl remove`
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The resources' names or ids
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Delete the files, too
    #[arg(long)]
    pub delete: bool,
}

/// `ttctl limit`
#[derive(Debug, Args)]
#[command(after_help = "\
A limit binds all peers together, near and far. What is set here holds until
ttd ends or reads its configuration again; the keys download_limit and
upload_limit of ttd.toml are for good. At 0 no chunk is begun; those that are
under way come to their end.

Examples:
  ttctl limit
  ttctl limit --upload \"20 MB/s\" --download none
  ttctl limit --upload 0")]
pub struct LimitArgs {
    /// Receive no faster than this: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub download: Option<RateLimit>,
    /// Send no faster than this: "50 MB/s", "100 Mbit/s", none, or 0 to pause
    #[arg(long, value_name = "RATE")]
    pub upload: Option<RateLimit>,
}

/// `ttctl create`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the resource's id and the path of the manifest. With \"-o -\" the manifest
itself goes to the standard output. Without --tracker, the trackers are those
in $TT_TRACKERS, else those of ttd's config file.

Example:
  ttctl create lab-2025.img --tracker tt://tracker.example")]
pub struct CreateArgs {
    /// The file
    pub file: PathBuf,
    /// A tracker for the manifest; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Where to write the manifest, instead of FILE.tinytorrent; "-" is the standard output
    #[arg(short, long = "output", value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// `ttctl check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The .tinytorrent file
    pub manifest: PathBuf,
    /// The file to compare with it; if left out, the one that it names, if that lies beside it
    pub file: Option<PathBuf>,
}

/// `ttctl completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Debian's package has them installed. Elsewhere:
  ttctl completions bash > ~/.local/share/bash-completion/completions/ttctl
  ttctl completions zsh > ~/.zfunc/_ttctl     (with ~/.zfunc in $fpath)
  ttctl completions fish > ~/.config/fish/completions/ttctl.fish")]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// `ttctl tracker`
#[derive(Debug, Subcommand)]
pub enum TrackerCommand {
    /// List what is published
    List(TrackerListArgs),
    /// Show the peers that have some or all of a resource
    Peers(TrackerPeersArgs),
    /// Show the resources that a peer has some or all of
    Resources(TrackerResourcesArgs),
}

/// `ttctl peers`
#[derive(Debug, Args)]
pub struct PeersArgs {
    /// The resource's name or id
    pub what: Option<String>,
}

/// Which tracker to ask.
#[derive(Debug, Args)]
pub struct WhichTracker {
    /// The tracker that ttd asks, instead of the first that answers of those that it is configured with
    #[arg(long, value_name = "URL")]
    pub tracker: Option<TrackerUrl>,
}

/// `ttctl tracker list`
#[derive(Debug, Args)]
pub struct TrackerListArgs {
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl tracker peers`
#[derive(Debug, Args)]
pub struct TrackerPeersArgs {
    /// The resource's name or id
    pub what: String,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// `ttctl tracker resources`
#[derive(Debug, Args)]
pub struct TrackerResourcesArgs {
    /// The peer, as HOST:PORT (7987 if the port is left out)
    pub peer: String,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// How many machines are waited for.
fn machines(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| "a number of machines is needed, of at least 1".to_owned())
}

/// A resource's name as the daemon knows it: its manifest's name is taken as well.
pub fn resource_name(what: &str) -> &str {
    what.strip_suffix(shared::name::MANIFEST_SUFFIX).filter(|name| !name.is_empty()).unwrap_or(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_on_either_side() {
        for line in [
            "ttctl --json --socket /s --folder /f status x",
            "ttctl status x --json --socket /s --folder /f",
            "ttctl --folder /f status --json x --socket /s",
        ] {
            let global = parse(line).global;
            assert!(global.json, "{line}");
            assert_eq!(global.socket, Some("/s".into()), "{line}");
            assert_eq!(global.folder, Some("/f".into()), "{line}");
        }
    }

    #[test]
    fn trackers_may_be_repeated() {
        let Command::Share(args) = parse("ttctl share a b --tracker tt://x --tracker tt://y:9").command
        else {
            panic!("not share")
        };
        assert_eq!((args.paths.len(), args.trackers.len()), (2, 2));
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for line in [
            "ttctl",
            "ttctl fetch x",
            "ttctl share",
            "ttctl get",
            "ttctl get x --timeout soon",
            "ttctl get x --timeout 5 --detach",
            "ttctl get x --detach -o y",
            "ttctl create f --tracker http://x",
            "ttctl tracker",
            "ttctl tracker peers",
            "ttctl pause",
            "ttctl limit --upload 5",
            "ttctl limit 5",
            "ttctl wait",
            "ttctl wait x --peers 0",
            "ttctl wait x --peers 1 --percent 1",
            "ttctl wait x --percent 101",
            "ttctl wait x --timeout 0",
            "ttctl fleet",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_help_has_all_exit_codes() {
        let help = Cli::command().render_help().to_string();
        for code in (0..=8).chain([130]) {
            assert!(help.contains(&format!("\n  {code}  ")), "{code}");
        }
    }

    #[test]
    fn a_manifests_name_stands_for_its_resource() {
        assert_eq!(resource_name("x.tinytorrent"), "x");
        assert_eq!(resource_name("x"), "x");
        assert_eq!(resource_name(".tinytorrent"), ".tinytorrent");
    }
}
