//! The subscriptions of a machine.

use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// One rule of `[[subscribe]]`, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionStatus {
    /// The patterns of the names that it is about.
    pub names: Vec<String>,
    /// Where it is written, as FILE:LINE.
    pub place: String,
    /// The trackers that say what is published.
    pub trackers: Vec<FollowedTracker>,
    /// How many names were fetched, including those that were removed since.
    pub fetched: u32,
    /// How many new versions are still to be begun.
    pub waiting: u32,
    /// How many names are complete on this machine.
    pub complete: u32,
    /// How many names were begun and are not complete.
    pub unfinished: u32,
    /// The version that was published last.
    pub newest: Option<NewestVersion>,
    /// Why a version cannot be fetched, for one of those that cannot.
    pub error: Option<String>,
}

/// A tracker that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedTracker {
    /// Its address.
    pub url: TrackerUrl,
    /// Whether it has answered since it is followed.
    pub has_answered: bool,
    /// Why it did not answer the last question.
    pub error: Option<String>,
}

/// A version of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestVersion {
    /// The name.
    pub name: ResourceName,
    /// Its content.
    pub resource: ResourceId,
    /// When it was published, in milliseconds since 1970 by the tracker's clock; 0 if unknown.
    pub shared_at_ms: u64,
}
