//! Renews this machine's certificate when it is time, for as long as the daemon runs.

use super::desk::{Desk, bytes};
use crate::entropy;
use crate::identity::{self, Key, Known, Schedule, Trouble, pem};
use crate::inbox::{Context, store_error};
use crate::jobs;
use crate::store::StoreError;
use crate::tracker::session::CALL_TIMEOUT;
use shared::host::clock::time_of_day;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::rpc::tls::{Authorities, Identity, Revoked};
use shared::rpc::tracker::{Der, RenewAsk};
use shared::url::TrackerUrl;
use shared::utc::Utc;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many trackers are asked in one attempt. Each may take as long as its timeouts.
const TRACKERS_MAX: usize = 4;

/// Renews the certificate of this machine whenever it is due. Attempts end only with the daemon: a machine that was off for
/// long, or whose clock was wrong, comes back by itself.
pub async fn run(context: Arc<Context>) {
    let mut known = context.membership.subscribe();
    loop {
        let joined = known.wait_for(|known| known.in_use().is_some()).await;
        let until = joined.map(|known| known.certificate.as_ref().map(|certificate| certificate.not_after));
        let Ok(until) = until else { return };
        renew_when_due(&context, until).await;
    }
}

/// Returns when there is another certificate.
async fn renew_when_due(context: &Context, until: Option<u64>) {
    let (membership, mut known) = (&context.membership, context.membership.subscribe());
    let mut schedule = Schedule::new(entropy::random());
    loop {
        let now_known = known.borrow_and_update().clone();
        let Some((_, certificate)) = now_known.in_use().filter(|(_, it)| Some(it.not_after) == until) else {
            return;
        };
        let life = certificate.life();
        membership.scheduled(schedule.due(life));
        let is_news = now_known.news.is_some();
        let wait = schedule.wait(life, is_news, time_of_day().as_secs(), Instant::now());
        if wait > Duration::ZERO {
            let _ = tokio::time::timeout(wait, known.changed()).await;
            continue;
        }
        let turn = membership.turn().await;
        if membership.known().certificate != now_known.certificate {
            continue; // somebody joined meanwhile
        }
        match renew(context, &now_known).await {
            Ok(not_after) => {
                tracing::info!("the certificate was renewed: it is valid until {}", Utc(not_after));
                return;
            }
            Err(error) => {
                let now = Instant::now();
                schedule.failed(life, now, entropy::random());
                tracing::info!(error = %error.message, "the certificate was not renewed, trying again");
                if schedule.worries(life, now) {
                    tracing::warn!(
                        error = %error.message,
                        hint = error.hint,
                        "the certificate, valid until {}, cannot be renewed", Utc(certificate.not_after)
                    );
                }
                let message = format!("the renewal fails: {}", error.message);
                membership.failed(Trouble { message, hint: error.hint });
            }
        }
        drop(turn);
    }
}

/// Asks the tracker that admitted this machine, and then those of the configuration. Returns the end of the new certificate.
async fn renew(context: &Context, known: &Known) -> Result<u64, ControlError> {
    let Some((joined, _)) = known.in_use() else { return Err(internal(&"there is nothing to renew")) };
    let mut trackers = vec![joined.tracker.clone()];
    trackers.extend(known.configured.trackers.iter().filter(|url| **url != joined.tracker).cloned());
    let mut first = None;
    for url in trackers.iter().take(TRACKERS_MAX) {
        match renew_at(context, known, url).await {
            Ok(until) => return Ok(until),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| internal(&"no tracker is known")))
}

async fn renew_at(context: &Context, known: &Known, url: &TrackerUrl) -> Result<u64, ControlError> {
    let Some((_, certificate)) = known.in_use() else { return Err(internal(&"there is nothing to renew")) };
    let Some(credentials) = context.membership.credentials().cloned() else {
        return Err(internal(&"nothing is kept"));
    };
    let read = move || Ok::<_, StoreError>((credentials.identity()?, credentials.revoked()?));
    let read = jobs::run(read).await.map_err(|error| internal(&error))?;
    let (identity, list) = read.map_err(|error| store_error(&error))?;
    let identity = identity.ok_or_else(|| internal(&"the certificate is gone"))?;
    let own = Identity::read(&identity).map_err(|error| internal(&error))?;
    let key = Key::read(&identity).ok_or_else(|| internal(&"the key cannot sign"))?;
    let believed: Vec<Vec<u8>> = known.authorities.iter().map(|der| der.to_vec()).collect();
    let believed = Authorities::read(pem(&believed).as_bytes()).map_err(|error| internal(&error))?;
    let revoked =
        list.filter(|_| known.list > 0).and_then(|list| Revoked::read(&list).ok()).unwrap_or_default();
    let now = time_of_day().as_secs();
    // An expired certificate cannot be shown in a handshake, so it is shown in the call, always.
    let desk = Desk::open_secured(context, url, &believed, &revoked, now).await?;
    let der = |bytes: Vec<u8>| Der::try_from(bytes).map_err(|error| internal(&error));
    let request = key.request().map_err(|error| internal(&error))?;
    let ask = RenewAsk { certificate: der(own.chain()[0].to_vec())?, request: der(request)? };
    let enrolled = desk.answer(desk.caller.renew(ask, CALL_TIMEOUT).await)?;
    let (chain, authorities) = (bytes(enrolled.chain), bytes(enrolled.authorities));
    let checked = identity::check(&key, &certificate.node.name, (&chain, &authorities), None, now);
    let kept = checked.map_err(|why| ControlError {
        kind: ErrorKind::Refused,
        message: format!("{url}: {why}"),
        hint: Some("set the clock if it is wrong".to_owned()),
    })?;
    let (membership, until) = (context.membership.clone(), kept.not_after);
    let keep = move || membership.keep_renewed(&kept);
    jobs::run(keep).await.map_err(|error| internal(&error))?.map_err(|error| store_error(&error))?;
    Ok(until)
}

fn internal(error: &dyn Display) -> ControlError {
    ControlError { kind: ErrorKind::Internal, message: error.to_string(), hint: None }
}
