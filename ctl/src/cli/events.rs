//! `ttctl events`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;
use shared::host::config::Span;

/// `ttctl events`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints a line for each event, until ^C:
  shared        a file is shared from this machine
  accepted      a download was accepted
  complete      a download is complete; with its size, time, rate and sources
  waiting       a download has waited for 5 s; with the reason
  stalled       a download made no progress for `stall_warning` of ttd.toml
  resumed       it continues after it waited, stalled, was paused or failed
  paused        somebody paused it
  removed       it was removed, or its name was given to other content
  damaged       the file on disk is damaged or was changed
  failed        a download failed; with the reason
  outdated      a newer version of the file is published under its name
  tracker_lost  a tracker is unreachable or refuses requests
  tracker_back  it answers again

ttd keeps the last 1,024 events in memory; --no-follow prints those and exits.
They end with ttd: the log (`journalctl -u ttd`) goes further back. When ttd is
restarted, ttctl connects again and continues with the events of the new ttd.

Examples:
  ttctl events
  ttctl events lab-2025.img --since \"1 h\"
  ttctl events --json | jq --unbuffered -r 'select(.event == \"complete\").name'")]
pub struct EventsArgs {
    /// Names, ids or patterns such as 'lab-*' [default: all files and the trackers]
    #[arg(value_name = "NAME|ID", add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// Begin with the events of this long ago, as in "90s", "10min" or "1h30m"
    #[arg(long, value_name = "DURATION")]
    pub since: Option<Span>,
    /// Print the events that ttd keeps, and exit
    #[arg(long)]
    pub no_follow: bool,
}
