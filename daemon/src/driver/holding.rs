//! Says what is under a name, for whoever decides whether the file there is to be shared.

use super::Driver;
use super::wanted::record_of;
use crate::inbox::{Holding, Served};
use crate::library::Phase;
use shared::name::ResourceName;

impl Driver {
    pub(super) fn holding(&self, name: &ResourceName) -> Holding {
        let resource = self.library.key_of(name).and_then(|key| self.library.get(key));
        let Some(resource) = resource else { return Holding::Nothing };
        let Some(record) = record_of(resource, name) else { return Holding::Nothing };
        let Some(identity) = record.published else { return Holding::Busy };
        let served = match &resource.phase {
            _ if resource.edited.is_some() => Served::No,
            // Nobody has written to it. It is not shared as something new.
            _ if record.damaged => Served::Yes,
            _ if resource.troubles.contains_key(name) => Served::No,
            Phase::Failed(_) => Served::No,
            Phase::Seeding(_) => Served::Yes,
            Phase::Checking(_) | Phase::Opening(_) | Phase::Accepted(_) | Phase::Fetching(_) => {
                Served::Checking
            }
        };
        match resource.is_tree {
            true => Holding::Tree { served },
            false => Holding::File { identity, served },
        }
    }
}
