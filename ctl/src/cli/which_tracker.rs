//! The option that chooses the tracker that a command asks.

use clap::Args;
use shared::url::TrackerUrl;

/// Which tracker to ask.
#[derive(Debug, Args)]
pub struct WhichTracker {
    /// Tracker to ask, as tt://HOST:PORT [default: the first configured one that answers]
    #[arg(long, value_name = "URL")]
    pub tracker: Option<TrackerUrl>,
}
