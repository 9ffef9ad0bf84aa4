//! The resources of the last run that were not looked at yet, and the commands that wait for them.

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

/// The resources that are still to be loaded.
#[derive(Debug, Default)]
pub(super) struct Loading {
    /// Whether their folders are still being listed.
    pub(super) is_listing: bool,
    /// Their folders, and the resource ids in the folders' names.
    pub(super) left: BTreeMap<OsString, Option<ResourceId>>,
    /// The swarms whose records were unreadable and were rebuilt from their manifests.
    pub(super) rebuilt: BTreeSet<SwarmKey>,
    /// Hashed files whose resource may be among these: a record must be read before it is replaced.
    pub(super) shares: Vec<HashedShare>,
    /// Commands about resources that are not loaded yet, and when each began to wait.
    pub(super) parked: Vec<(Instant, Command)>,
    /// Hears that loading is over.
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// A file that was hashed in order to be shared.
#[derive(Debug)]
pub(super) struct HashedShare {
    pub(super) task: TaskId,
    /// Keeps the task from counting as abandoned.
    pub(super) _handle: Option<TaskHandle>,
    pub(super) request: ToShare,
    pub(super) hashed: Hashed,
    pub(super) identity: FileIdentity,
}

impl Loading {
    pub(super) fn is_over(&self) -> bool {
        !self.is_listing && self.left.is_empty()
    }

    /// The ids of the resources that are still to be loaded.
    pub(super) fn left(&self) -> impl Iterator<Item = ResourceId> {
        self.left.values().filter_map(|resource| *resource)
    }

    /// Whether a resource may be among those that are still to be loaded.
    pub(super) fn may_have(&self, resource: ResourceId) -> bool {
        self.is_listing || self.has(resource)
    }

    pub(super) fn has(&self, resource: ResourceId) -> bool {
        let digits = resource.to_string();
        let first = self.left.range(OsString::from(digits)..).next();
        first.is_some_and(|(_, found)| *found == Some(resource))
    }
}
