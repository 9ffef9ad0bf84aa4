//! `ttctl events`: its arguments and its help.

use clap::Args;
use shared::host::config::Span;

/// `ttctl events`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows a line for each event, until ^C:
  shared        a file is shared from this machine
  accepted      a download was accepted
  complete      a download is complete: its size, time, rate and sources
  waiting       a download has waited for 5 s; with the reason
  stalled       a download made no progress for `stall_warning` of ttd.toml
  resumed       it goes on after it waited, stalled, was paused or failed
  paused        somebody paused it
  removed       it was removed, or its name was given to other content
  damaged       what is on the disk is not what it should be
  failed        it cannot go on without help; with the reason
  outdated      a newer version of the file is published under its name
  tracker_lost  a tracker does not answer, or refuses
  tracker_back  it is of use again

ttd keeps the last 1,024 events. --no-follow shows those and ends. When ttd is
restarted, ttctl connects again and goes on.

Examples:
  ttctl events
  ttctl events lab-2025.img --since \"1 h\"
  ttctl events --json | jq --unbuffered -r 'select(.event == \"complete\") | .name'")]
pub struct EventsArgs {
    /// Names, patterns or ids of files; without them, the events of all files and of the trackers
    pub what: Vec<String>,
    /// Begin with the events of this span before now, as in "90", "10 min" or "2 h"
    #[arg(long, value_name = "DURATION")]
    pub since: Option<Span>,
    /// Show the events that ttd keeps, and end
    #[arg(long)]
    pub no_follow: bool,
}
