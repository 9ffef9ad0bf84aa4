//! The option that chooses the tracker that a command asks.

use clap::Args;
use shared::url::TrackerUrl;

/// Which tracker to ask.
#[derive(Debug, Args)]
pub struct WhichTracker {
    /// The tracker that ttd asks, instead of the first that answers of those that it is configured with
    #[arg(long, value_name = "URL")]
    pub tracker: Option<TrackerUrl>,
}
