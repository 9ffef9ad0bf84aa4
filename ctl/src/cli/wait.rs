//! `ttctl wait`: its arguments and its help.

use super::names;
use super::which_tracker::WhichTracker;
use clap::Args;
use clap_complete::ArgValueCompleter;
use shared::host::config::Span;
use std::num::NonZeroU32;

/// `ttctl wait`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --peers and --percent, waits until the file is complete here, as after
`ttctl get --detach`. If a newer version was published under NAME, that one has
to be complete; `ttctl wait ID` waits for the content with this id.
With --peers or --percent, ttd asks the tracker about all machines, including
the one that shared the file. --percent is relative to the machines that have
started; one that leaves before it is done counts as not done for an hour. If
you know the number of machines, prefer --peers. For 90 s after a restart of the
tracker a percentage is not believed, unless all machines that were counted
before are back.

With --timeout, a tracker that is unreachable is waited for. The exit code is 5
after --timeout, and only then.

Examples:
  ttctl wait lab-2025.img --timeout 30min
  ttctl wait lab-2025.img --peers 40 --timeout 1h30m
  ttctl wait lab-2025.img --percent 95 --tracker tt://tracker.example")]
pub struct WaitArgs {
    /// Names, ids or patterns such as 'lab-*'
    #[arg(value_name = "NAME|ID", required = true, add = ArgValueCompleter::new(names::here))]
    pub what: Vec<String>,
    /// Wait until N machines have the whole file
    #[arg(long, value_name = "N", conflicts_with = "percent", value_parser = machines)]
    pub peers: Option<NonZeroU32>,
    /// Wait until P percent of the machines have the whole file
    #[arg(long, value_name = "P", value_parser = percent)]
    pub percent: Option<u8>,
    /// Wait no longer than this, as in "90s", "10min" or "1h30m"
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
    /// Which tracker counts.
    #[command(flatten)]
    pub which: WhichTracker,
}

/// Parses a percentage of machines, from 1 to 100.
fn percent(text: &str) -> Result<u8, String> {
    let number = text.trim_end_matches('%').trim_end().parse().ok();
    number
        .filter(|number| (1..=100).contains(number))
        .ok_or_else(|| "a number from 1 to 100 is needed".to_owned())
}

/// Parses a number of machines, at least 1.
fn machines(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| "a number of machines is needed, of at least 1".to_owned())
}
