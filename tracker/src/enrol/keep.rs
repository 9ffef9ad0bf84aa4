//! Looks at the authority's directory every few seconds: what was revoked there is served, and the tracker's own
//! certificate is renewed.

use super::answers::authorities;
use super::{Enrolment, Seen, Settings, locked};
use bytes::Bytes;
use ca::{Authority, CaError, Rotation, Step, crl_number};
use shared::host::clock::time_of_day;
use shared::host::doors::Keeper;
use shared::rpc::tls::Utc;
use shared::rpc::tracker::REVOKED_BYTES_MAX;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The time between two looks. What `ttctl ca revoke` wrote is served within 5 s.
const LOOK_EVERY: Duration = Duration::from_secs(4);

/// A tracker's certificate is renewed when less than this part of its life is left.
const LEFT: u64 = 3;

impl Enrolment {
    /// Looks at the directory forever. After a change the certificates for connections are read again.
    pub(crate) async fn keep(self: Arc<Enrolment>, keeper: Keeper) {
        loop {
            let enrolment = self.clone();
            match tokio::task::spawn_blocking(move || enrolment.look()).await {
                Ok(true) => keeper.look_now(),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "looking at the authority failed"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Looks once, which may block as long as the disk does. Returns whether something is new. If the directory cannot be
    /// used, what was seen before stays.
    pub(crate) fn look(&self) -> bool {
        let settings = locked(&self.settings).clone();
        let Some(dir) = settings.dir.clone() else { return false };
        if let Err(error) = self.go_on(&dir) {
            self.report(&error);
        }
        match see(dir, &settings) {
            Ok((seen, has_renewed)) => {
                let mut present = locked(&self.seen);
                let is_new = has_renewed || present.as_deref() != Some(&seen);
                *present = Some(Arc::new(seen));
                is_new
            }
            Err(error) => {
                self.report(&error);
                false
            }
        }
    }
}

impl Enrolment {
    /// Has a new authority issue once every machine has heard of it. That has to be so at two looks, one after the other: an
    /// answer that was on its way at the first one has come by then.
    fn go_on(&self, dir: &Path) -> Result<(), CaError> {
        let now = time_of_day().as_secs();
        let rotation = Authority::open(dir)?.rotation(now)?;
        let is_ready = |rotation: &Rotation| rotation.step == Step::Announced && rotation.behind.is_empty();
        let ready = rotation.filter(is_ready);
        if !self.is_announced.swap(ready.is_some(), Ordering::SeqCst) {
            return Ok(());
        }
        if let Some(Rotation { coming, leaving, .. }) = ready {
            Authority::issue_from_new(dir, now, false)?;
            tracing::info!(
                "every machine trusts the new authority {coming}: it issues from now on; `ttctl ca rotate --finish` \
                 drops {leaving} when all have a certificate of the new one"
            );
        }
        Ok(())
    }
}

/// The directory as it is now, and whether the tracker has another certificate.
fn see(dir: PathBuf, settings: &Settings) -> Result<(Seen, bool), CaError> {
    let (authority, now) = (Authority::open(&dir)?, time_of_day().as_secs());
    let has_renewed = renew_own(&authority, settings.life_s, now)?;
    let list = authority.refresh(now)?;
    if list.len() > REVOKED_BYTES_MAX {
        return Err(CaError::Full { what: "bytes of revoked certificates", max: REVOKED_BYTES_MAX });
    }
    let number = crl_number(&list).unwrap_or_default();
    let certificates = authorities(&authority)?;
    Ok((Seen { dir, certificates, number, list: Bytes::from(list) }, has_renewed))
}

/// Gives the tracker another certificate if two thirds of its life are over. A file that cannot be read is named by whoever
/// needs it for connections, and whoever was revoked stays out.
fn renew_own(authority: &Authority, life_s: u64, now: u64) -> Result<bool, CaError> {
    let Some(present) = authority.present_tracker()? else { return Ok(false) };
    if now < present.not_after.saturating_sub(present.life_s / LEFT) || !authority.can_sign() {
        return Ok(false);
    }
    if authority.contents()?.2.contains(&present.serial) {
        return Err(CaError::Invalid(format!(
            "the tracker's own certificate for {} was revoked, and is not renewed; `ttctl ca init` does not replace it, \
             `ttctl ca issue --role tracker` makes another one",
            present.node.name
        )));
    }
    let issued = authority.set_tracker_identity(now, &present.node, life_s)?;
    tracing::info!(
        "the tracker's certificate for {} was renewed, until {}",
        issued.node,
        Utc(issued.not_after)
    );
    Ok(true)
}
