//! `ttctl fleet`: its arguments and its help.

use super::names;
use super::which_tracker::WhichTracker;
use clap::Args;
use clap_complete::ArgValueCompleter;
use std::path::PathBuf;

/// `ttctl fleet`
#[derive(Debug, Args)]
#[command(after_help = "\
One line per machine, the slowest first:
  never seen  it is in FILE, and the tracker has not seen it with this file
  lost        the tracker has not heard from it for three of its intervals
              (6 to 15 s in the middle of a rollout)
  left        it told the tracker that it stops: ttd was stopped, or the file
              was paused, removed or failed; `ttctl status` there says which
  outdated    it has an older version, which NOTE names; `ttctl get --replace`
              on that machine fetches the new one
  stuck       it is fetching, but has received no chunk for 60 s
  running     it is fetching
  done        it has the whole file, and serves it
DONE is how much a machine had when the tracker last heard from it (SEEN), RATE
its download rate over the 5 to 15 s before that. The tracker remembers machines
that are gone for an hour. After a restart it knows the others within seconds.

HOST is the name in FILE, otherwise the one in the machine's certificate,
otherwise the host name that it reports.
FILE has a host name or an address on each line, with a port where several ttd
share an address; # begins a comment.

Examples:
  ttctl fleet lab-2025.img --watch
  ttctl fleet lab-2025.img --expect hosts.txt --json")]
pub struct FleetArgs {
    /// A name or id
    #[arg(value_name = "NAME|ID", add = ArgValueCompleter::new(names::published))]
    pub what: String,
    /// Report machines listed in FILE that were never seen
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Leave out machines that are not listed in FILE
    #[arg(long, requires = "expect")]
    pub only_expected: bool,
    /// Keep running and refresh
    #[arg(long, short)]
    pub watch: bool,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}
