//! Publishing a manifest in a tracker's catalogue.

use super::announcer::Entry;
use super::{CALL_TIMEOUT, Session, Trouble, dates};
use bytes::BytesMut;
use shared::manifest::Manifest;
use shared::rpc::tracker::{Offer, PAGE_HASHES, Publication, PublishReply, Role, TrackerError};

/// Publishes a manifest under each of its names. The outer error ends the connection, the inner one is the
/// tracker's refusal.
pub(super) async fn publish(session: &Session, entry: &Entry) -> Result<Result<(), TrackerError>, Trouble> {
    let clocks = dates::compare(session).await?;
    let role = if entry.origin { Role::Shares } else { Role::Holds };
    for manifest in &entry.manifests {
        let publication = Publication {
            name: manifest.name().clone(),
            key: manifest.key(),
            count: manifest.count(),
            trackers: manifest.trackers().to_vec(),
            shared_at_ms: clocks.theirs(entry.shared_at_ms),
        };
        let pages_max = manifest.count().get().div_ceil(PAGE_HASHES);
        let mut reply = session.caller.publish(Offer { publication, role }, CALL_TIMEOUT).await?;
        for _ in 0..=pages_max {
            match reply {
                Ok(PublishReply::Published(_)) => break,
                Ok(PublishReply::NeedPage(page)) if page < pages_max => {
                    let bytes = page_of(manifest, page).freeze();
                    let key = manifest.key();
                    reply = session.caller.publish_page(key, page, bytes.into(), CALL_TIMEOUT).await?;
                }
                Ok(PublishReply::NeedPage(page)) => {
                    return Err(Trouble::Nonsense(format!("it wants page {page}, which does not exist")));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        if !matches!(reply, Ok(PublishReply::Published(_))) {
            return Err(Trouble::Nonsense("it wants the same pages again and again".to_owned()));
        }
    }
    Ok(Ok(()))
}

fn page_of(manifest: &Manifest, page: u32) -> BytesMut {
    let hashes = manifest.hashes().chunks(PAGE_HASHES as usize).nth(page as usize).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(hashes.len() * 32);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(&hash.0));
    bytes
}
