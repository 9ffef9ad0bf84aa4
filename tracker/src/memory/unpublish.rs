//! Removes a name from the catalogue at the request of the machine that shared it.

use super::catalogue::Catalogue;
use super::named::NamedManifest;
use super::refusal::Refusal;
use super::swarms::Swarms;
use super::who::Who;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::tracker::{Unpublish, UnpublishReply};
use shared::swarm::Time;
use std::net::SocketAddr;

impl Catalogue {
    /// Whether a resource is published under this name.
    pub(super) fn is_published(&self, name: &ResourceName, key: SwarmKey) -> bool {
        self.names.get(name).is_some_and(|named| named.get(key).is_some())
    }

    /// Takes a name back, unless another machine shares the resource under it too or, with [`Unpublish::IfUnused`],
    /// takes part in the swarm.
    ///
    /// # Errors
    /// When the caller is not one of its sharers. If no sharer is known, because the tracker was restarted, the caller
    /// must take part in the swarm.
    pub(super) fn unpublish(
        &mut self,
        now: Time,
        swarms: &Swarms,
        who: &Who,
        name: &ResourceName,
        key: SwarmKey,
        how: Unpublish,
    ) -> Result<UnpublishReply, Refusal> {
        let published = self.names.get(name).and_then(|named| named.get(key)).cloned();
        let takes_part = swarms.takes_part(key, who.addr);
        let has_shared = published.as_ref().is_some_and(|published| published.sharers.contains(&who.addr));
        if let Some(published) = &published
            && let Some(by) = whose(published, who.addr, takes_part)
        {
            return Err(Refusal::NotYours(by));
        }
        if let Some(mut published) = published {
            let others = published.sharers.iter().filter(|sharer| **sharer != who.addr);
            if let Some(&other) = others.clone().find(|other| swarms.takes_part(key, **other)) {
                published.sharers.retain(|sharer| *sharer != who.addr);
                self.remove_name(name, key);
                self.give_name(published);
                return Ok(UnpublishReply::SharedBy(other));
            }
            if how == Unpublish::IfUnused && swarms.has_others(key, who) {
                return Ok(UnpublishReply::InUse);
            }
            self.remove_name(name, key);
            if self.manifests.get(&key).is_some_and(|manifest| manifest.names.is_empty()) {
                self.remove(key);
            }
        }
        // Who shared it need not take part now: its file may be paused.
        if how == Unpublish::TakeBack && (takes_part || has_shared) {
            self.taken_back.add(now, key, name, who.key());
        }
        Ok(UnpublishReply::Unpublished)
    }
}

/// The machine that may take a name back, if the caller may not.
fn whose(published: &NamedManifest, caller: SocketAddr, takes_part: bool) -> Option<SocketAddr> {
    match published.sharers.first() {
        Some(_) if published.sharers.contains(&caller) => None,
        Some(sharer) => Some(*sharer),
        None if takes_part || published.by == caller => None,
        None => Some(published.by),
    }
}
