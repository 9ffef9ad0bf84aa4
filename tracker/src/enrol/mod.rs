//! Certificates: the tracker with the key `ca` admits machines, renews what they have, and says what was revoked.
//!
//! The authority is a directory, which `ttctl ca` changes too. So each call opens it anew, one at a time, on a thread that
//! may wait for the disk. `keep` looks at it every few seconds: what was revoked meanwhile is served from memory, and the
//! tracker's own certificate is renewed. `limits` says how often anybody may ask, and `answers` has our answers in the
//! words of the protocol.

mod answers;
mod keep;
mod limits;

use crate::lines::Lines;
use answers::{authorities, ders, refusal};
use bytes::Bytes;
use ca::enrol::{JoinRequest, key_of_request};
use ca::{Authority, CaError};
use limits::Limits;
use shared::host::certificates::DailyReports;
use shared::host::clock::time_of_day;
use shared::host::config::TrackerConfig;
use shared::rpc::tracker::{
    AuthorityReply, Der, Enrolled, JoinAsk, NotEnrolled, REVOKED_PAGE_BYTES, RenewAsk, RevokedAsk,
    RevokedPage,
};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// Limits the calls that wait for the authority. Further ones are answered with [`NotEnrolled::TryLater`].
const WAITING_MAX: usize = 64;

/// When a caller may try again for which there was no place.
const LATER: Duration = Duration::from_secs(2);

/// What the configuration says of certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Settings {
    /// The authority's directory.
    dir: Option<PathBuf>,
    /// The life of a certificate in seconds.
    life_s: u64,
    /// For how many seconds after its end a certificate is renewed.
    grace_s: u64,
}

/// The directory as it was last seen.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    dir: PathBuf,
    /// The authority's certificates, the issuing one first.
    certificates: Vec<Der>,
    /// The number of the list of revoked certificates.
    number: u64,
    /// That list as DER.
    list: Bytes,
}

/// Who asks for a certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    /// Its IP address.
    pub(crate) addr: IpAddr,
    /// Whether nobody else can read the connection.
    pub(crate) is_encrypted: bool,
}

/// The authority of this tracker, if it has one.
#[derive(Debug)]
pub(crate) struct Enrolment {
    settings: Mutex<Settings>,
    seen: Mutex<Option<Arc<Seen>>>,
    limits: Mutex<Limits>,
    waiting: Semaphore,
    /// Held by the one call that is at work with the authority.
    turn: Arc<Semaphore>,
    /// Whether every machine had heard of a new authority at the last look.
    is_announced: AtomicBool,
    /// Wakes `keep` after another configuration.
    changed: Notify,
    lines: Lines,
    troubles: Mutex<DailyReports>,
    start: Instant,
}

impl Enrolment {
    /// What the configuration says. Nothing is read yet.
    pub(crate) fn new(config: &TrackerConfig) -> Enrolment {
        Enrolment {
            settings: Mutex::new(settings(config)),
            seen: Mutex::default(),
            limits: Mutex::new(Limits::new()),
            waiting: Semaphore::new(WAITING_MAX),
            turn: Arc::new(Semaphore::new(1)),
            is_announced: AtomicBool::new(false),
            changed: Notify::new(),
            lines: Lines::new(),
            troubles: Mutex::default(),
            start: Instant::now(),
        }
    }

    /// From now on this configuration counts.
    pub(crate) fn configure(&self, config: &TrackerConfig) {
        *locked(&self.settings) = settings(config);
        self.changed.notify_one();
    }

    /// The authority's certificates.
    pub(crate) fn authority(&self) -> Result<AuthorityReply, NotEnrolled> {
        let certificates = self.seen()?.certificates.clone();
        let now_ms = u64::try_from(time_of_day().as_millis()).unwrap_or(u64::MAX);
        Ok(AuthorityReply { certificates, now_ms })
    }

    /// A page of the list of revoked certificates.
    pub(crate) fn revoked(&self, ask: RevokedAsk) -> RevokedPage {
        let Ok(seen) = self.seen() else {
            return RevokedPage { number: 0, bytes_total: 0, part: Bytes::new().into() };
        };
        let bytes = seen.list.len();
        let begin = if seen.number > ask.seen { (ask.offset as usize).min(bytes) } else { bytes };
        let part = seen.list.slice(begin..bytes.min(begin + REVOKED_PAGE_BYTES));
        RevokedPage { number: seen.number, bytes_total: bytes as u32, part: part.into() }
    }

    /// Admits a machine by its token.
    pub(crate) async fn join(&self, asker: Asker, ask: JoinAsk) -> Result<Enrolled, NotEnrolled> {
        let (node, token) = (ask.node.clone(), ask.token);
        let joined = self.issue(asker, move |authority, settings, now| {
            let request = ask.request.as_slice();
            let wanted = JoinRequest { token: ask.token, secret: ask.secret, node: ask.node, request };
            let joined = authority.join(now, &wanted, settings.life_s)?;
            Ok((joined.certified, Some(joined.mode)))
        });
        let joined = joined.await;
        if self.lines.take() {
            match &joined {
                Ok((_, whose)) => tracing::info!(by = %asker.addr, "{whose} has joined, by token {token}"),
                Err(why) => tracing::info!(by = %asker.addr, "{node} may not join, by token {token}: {why}"),
            }
        }
        joined.map(|(enrolled, _)| enrolled)
    }

    /// Renews a certificate.
    pub(crate) async fn renew(&self, asker: Asker, ask: RenewAsk) -> Result<Enrolled, NotEnrolled> {
        self.settings()?;
        // Its key has signed the request, so nobody spends what another machine may ask.
        let key = key_of_request(ask.request.as_slice()).ok_or(NotEnrolled::Malformed)?;
        self.limits().may_renew(self.start.elapsed(), &key).map_err(later)?;
        let renewed = self.issue(asker, move |authority, settings, now| {
            let (certificate, request) = (ask.certificate.as_slice(), ask.request.as_slice());
            let certified = authority.renew(now, certificate, request, settings.life_s, settings.grace_s)?;
            Ok((certified, None))
        });
        let renewed = renewed.await;
        if renewed.is_ok() {
            let life = Duration::from_secs(self.settings()?.life_s);
            self.limits().renewed(self.start.elapsed(), key, life);
        }
        if self.lines.take() {
            match &renewed {
                Ok((_, whose)) => tracing::info!(by = %asker.addr, "{whose} has renewed its certificate"),
                Err(why) => tracing::info!(by = %asker.addr, "a certificate is not renewed: {why}"),
            }
        }
        renewed.map(|(enrolled, _)| enrolled)
    }

    /// Has the authority issue a certificate, when it is this call's turn. Returns whose it is as well.
    async fn issue<F>(&self, asker: Asker, work: F) -> Result<(Enrolled, String), NotEnrolled>
    where
        F: FnOnce(
                &Authority,
                &Settings,
                u64,
            ) -> Result<(ca::Certified, Option<ca::tokens::Mode>), ca::enrol::NotEnrolled>
            + Send
            + 'static,
    {
        let settings = self.settings()?;
        if !asker.is_encrypted {
            return Err(NotEnrolled::NotEncrypted);
        }
        self.limits().take(self.start.elapsed(), asker.addr).map_err(later)?;
        let Ok(_waiting) = self.waiting.try_acquire() else { return Err(later(LATER)) };
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| NotEnrolled::Unable)?;
        let grace_s = settings.grace_s;
        let working = move || {
            // It is freed when the work is done, also if the caller has gone.
            let _turn = turn;
            let authority = Authority::open(settings.dir.as_deref().unwrap_or_else(|| "".as_ref()))?;
            let (certified, mode) = work(&authority, &settings, time_of_day().as_secs())?;
            let enrolled = Enrolled {
                chain: ders(&certified.chain)?,
                authorities: authorities(&authority)?,
                mode: mode.map(answers::mode),
            };
            Ok((enrolled, certified.issued.node.to_string()))
        };
        match tokio::task::spawn_blocking(working).await {
            Ok(done) => done.map_err(|why: ca::enrol::NotEnrolled| {
                if let ca::enrol::NotEnrolled::Ca(error) = &why {
                    self.report(error);
                }
                refusal(why, grace_s)
            }),
            Err(error) => {
                tracing::error!(%error, "a call to the authority failed");
                Err(NotEnrolled::Unable)
            }
        }
    }

    /// Logs what is wrong with the authority, each cause once a day.
    fn report(&self, error: &CaError) {
        let text = error.to_string();
        if locked(&self.troubles).note(&text, self.start.elapsed().as_secs()) {
            let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
            tracing::warn!("the authority cannot be used: {text}{hint}");
        }
    }

    /// The settings of a tracker that has an authority.
    fn settings(&self) -> Result<Settings, NotEnrolled> {
        let settings = locked(&self.settings).clone();
        if settings.dir.is_some() { Ok(settings) } else { Err(NotEnrolled::NoAuthority) }
    }

    fn seen(&self) -> Result<Arc<Seen>, NotEnrolled> {
        let settings = self.settings()?;
        let seen = locked(&self.seen).clone();
        seen.filter(|seen| settings.dir.as_ref() == Some(&seen.dir)).ok_or(NotEnrolled::Unable)
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        locked(&self.limits)
    }
}

fn settings(config: &TrackerConfig) -> Settings {
    Settings {
        dir: config.ca.clone(),
        life_s: config.certificate_life.duration().as_secs().max(1),
        grace_s: config.renew_grace.duration().as_secs(),
    }
}

fn later(after: Duration) -> NotEnrolled {
    NotEnrolled::TryLater { after_ms: u32::try_from(after.as_millis()).unwrap_or(u32::MAX).max(1) }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
