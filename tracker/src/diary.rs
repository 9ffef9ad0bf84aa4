//! What the log says of publications, and what callers are told of refusals.

use crate::memory::Refusal;
use shared::chunk::ChunkCount;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::plain::size;
use shared::rpc::tracker::{Publication, PublishReply, TrackerError, UnpublishReply};
use std::net::IpAddr;

/// What the caller is told of a refusal.
pub(crate) fn error(refusal: Refusal) -> TrackerError {
    match refusal {
        Refusal::Malformed(what) => TrackerError::Malformed(what),
        Refusal::Full(what) => TrackerError::Full(what),
        Refusal::Unknown => TrackerError::Unknown,
        Refusal::Taken(other) => TrackerError::Taken(*other),
        Refusal::NotYours(by) => TrackerError::NotYours(by),
    }
}

/// What the log says of a publication.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) name: ResourceName,
    pub(crate) count: ChunkCount,
    /// The size in bytes by the publisher's word, if it told one.
    bytes: Option<u64>,
}

impl From<&Publication> for Published {
    fn from(publication: &Publication) -> Published {
        let Publication { name, count, bytes, .. } = publication;
        Published { name: name.clone(), count: *count, bytes: *bytes }
    }
}

/// What an administrator reads of a publication: who published what.
pub(crate) fn log_publish(
    asker: IpAddr,
    what: Option<&Published>,
    key: SwarmKey,
    reply: &Result<PublishReply, Refusal>,
) {
    let (name, count) = what.map(|what| (what.name.as_str(), what.count.get())).unzip();
    let id = key.resource;
    match reply {
        Ok(PublishReply::Published(_)) => {
            let bytes = what.and_then(|what| what.bytes);
            let size = bytes.map_or(String::new(), |bytes| format!(", {}", size(bytes)));
            tracing::info!(name, %id, bytes, chunks = count, by = %asker, "published{size}");
        }
        Ok(PublishReply::NeedPage(page)) => {
            tracing::debug!(name, %id, chunks = count, by = %asker, page, "being published");
        }
        Err(refusal) => {
            let error = error(refusal.clone());
            tracing::warn!(name, %id, chunks = count, by = %asker, %error, "not published");
        }
    }
}

/// What an administrator reads of a name that is taken back.
pub(crate) fn log_unpublish(
    asker: IpAddr,
    name: &ResourceName,
    key: SwarmKey,
    reply: &Result<UnpublishReply, Refusal>,
) {
    let id = key.resource;
    match reply {
        Ok(UnpublishReply::Unpublished) => tracing::info!(%name, %id, by = %asker, "unpublished"),
        Ok(UnpublishReply::SharedBy(other)) => {
            tracing::info!(%name, %id, by = %asker, %other, "still published: another machine shares it");
        }
        Ok(UnpublishReply::InUse) => {
            tracing::debug!(%name, %id, by = %asker, "still published: other machines have it");
        }
        Err(refusal) => {
            let error = error(refusal.clone());
            tracing::warn!(%name, %id, by = %asker, %error, "not unpublished");
        }
    }
}
