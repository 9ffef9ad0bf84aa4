//! The resources of a former run that were not looked at yet, and what waits for them.

use crate::inbox::{Command, ToShare};
use crate::store::FileIdentity;
use crate::tasks::TaskHandle;
use shared::host::hashing::Hashed;
use shared::id::{ResourceId, SwarmKey};
use shared::rpc::control::TaskId;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Instant;
use tokio::sync::oneshot;

/// The resources of a former run that were not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Loading {
    /// The list of them is not there yet.
    pub(super) is_listing: bool,
    /// By their places, of which the names say what they are of.
    pub(super) left: BTreeMap<OsString, Option<ResourceId>>,
    /// Those whose records were made anew.
    pub(super) rebuilt: BTreeSet<SwarmKey>,
    /// What is to be shared and may be in the list: its record must not be written before it was read.
    pub(super) shares: Vec<HashedShare>,
    /// Commands about what is not known yet, and since when they wait.
    pub(super) parked: Vec<(Instant, Command)>,
    /// Hears of the end.
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// A file that was hashed to be shared.
#[derive(Debug)]
pub(super) struct HashedShare {
    pub(super) task: TaskId,
    /// Somebody works on it.
    pub(super) _handle: Option<TaskHandle>,
    pub(super) request: ToShare,
    pub(super) hashed: Hashed,
    pub(super) identity: FileIdentity,
}

impl Loading {
    pub(super) fn is_over(&self) -> bool {
        !self.is_listing && self.left.is_empty()
    }

    /// The resources that were not looked at yet.
    pub(super) fn left(&self) -> impl Iterator<Item = ResourceId> {
        self.left.values().filter_map(|resource| *resource)
    }

    /// Whether a resource may be one that was not looked at yet.
    pub(super) fn may_have(&self, resource: ResourceId) -> bool {
        self.is_listing || self.has(resource)
    }

    pub(super) fn has(&self, resource: ResourceId) -> bool {
        let digits = resource.to_string();
        let first = self.left.range(OsString::from(digits)..).next();
        first.is_some_and(|(_, found)| *found == Some(resource))
    }
}
