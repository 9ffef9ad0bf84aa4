//! `ttctl subscribe`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;
use shared::host::config::Glob;
use shared::url::TrackerUrl;

/// `ttctl subscribe`
#[derive(Debug, Args)]
#[command(after_help = "\
Whatever is published under a matching name comes to this machine by itself: each
new version once, in the place of the former one. What was removed with `ttctl
remove` comes back with the next version.

The command writes 60-subscriptions.toml in the drop-in directory of ttd's
configuration, which needs root where systemd runs ttd, and has ttd read it.
[[subscribe]] in any other file of the configuration does the same. A signature
is needed where a rule of [[trust]] asks for one.

Examples:
  ttctl subscribe 'app-*'
  ttctl subscribe lab-2025.img --tracker tt://tracker.example
  ttctl subscribe --remove 'app-*'
  ttctl subscriptions")]
pub struct SubscribeArgs {
    /// Names, or patterns such as 'app-*'; a directory's name is without .tar
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(names::published))]
    pub names: Vec<Glob>,
    /// The tracker that says what is published; by default those of ttd's configuration
    #[arg(long, value_name = "URL", conflicts_with = "remove")]
    pub tracker: Vec<TrackerUrl>,
    /// End the subscriptions; the files stay
    #[arg(long)]
    pub remove: bool,
}
