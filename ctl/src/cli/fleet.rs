//! `ttctl fleet`: its arguments and its help.

use super::names;
use super::which_tracker::WhichTracker;
use clap::Args;
use clap_complete::ArgValueCandidates;
use std::path::PathBuf;

/// `ttctl fleet`
#[derive(Debug, Args)]
#[command(after_help = "\
One line per machine, the slowest first:
  never seen  it is in FILE, and the tracker has not seen it with the resource
  lost        it was not heard of for three of its intervals (6 to 15 s in the
              middle of a rollout)
  left        it said goodbye: paused, stopped, removed, or unable to go on;
              `ttctl status` on that machine says which
  outdated    it has another version of the name than the tracker, and NOTE says
              which; `ttctl get --replace` on that machine fetches the new one
  stuck       it takes part, and had no new chunk for 60 s
  running     it takes part
  done        it has all of the resource, and serves it
DONE is how much a machine had when it was SEEN last, RATE how fast its chunks
came in the 5 to 15 s before. The tracker remembers those who are gone for an
hour. When it was restarted, it knows the others again within seconds.

HOST is the name in FILE, else what the machine calls itself.
FILE has a host name or an address on each line, with a port where several ttd
share an address; # begins a comment.

Examples:
  ttctl fleet lab-2025.img --watch
  ttctl fleet lab-2025.img --expect hosts.txt --json")]
pub struct FleetArgs {
    /// The resource's name or id
    #[arg(add = ArgValueCandidates::new(names::published))]
    pub what: String,
    /// Tell which of these machines were never seen
    #[arg(long, value_name = "FILE")]
    pub expect: Option<PathBuf>,
    /// Leave out machines that are not in FILE
    #[arg(long, requires = "expect")]
    pub only_expected: bool,
    /// Go on, and show each change
    #[arg(long, short)]
    pub watch: bool,
    /// Which tracker to ask.
    #[command(flatten)]
    pub which: WhichTracker,
}
