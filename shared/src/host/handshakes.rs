//! The handshakes that callers make with this process: few at a time, and the slow ones make way.
//!
//! A caller that begins a handshake and does not finish it costs a connection and some memory. So no more than
//! [`HANDSHAKES_MAX`] are made at once, further callers wait for a place, and all of that is within the time that a caller
//! has for its hello.

use crate::rpc::tls::{self, Accepting, HANDSHAKE_TIMEOUT, Refusal, Secured};
use crate::rpc::wire::Sideband;
use crate::tls_mode::TlsMode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};

/// Limits the handshakes at once. More callers wait; whoever accepts the connections limits how many.
pub const HANDSHAKES_MAX: usize = 64;

/// How long a handshake keeps its place while others wait for one. An honest caller needs two ways through the network
/// and some milliseconds.
const KEEPS_PLACE: Duration = Duration::from_secs(1);

/// The handshakes under way, and the callers that wait for a place.
#[derive(Debug)]
pub struct Handshakes {
    places: Semaphore,
    /// The number of callers that wait for a place.
    waiting: AtomicUsize,
    /// Wakes the handshakes when a caller begins to wait.
    crowded: Notify,
}

impl Default for Handshakes {
    fn default() -> Handshakes {
        Handshakes {
            places: Semaphore::new(HANDSHAKES_MAX),
            waiting: AtomicUsize::new(0),
            crowded: Notify::new(),
        }
    }
}

impl Handshakes {
    /// Lets a caller in as [`tls::accept`](tls::accept()) does, once there is a place for it. Without TLS nothing is
    /// waited for.
    ///
    /// # Errors
    /// Why the caller was refused. A caller that has no place in time, or that is slow while others wait, was too slow.
    pub async fn accept<S>(&self, io: S, how: &Accepting, sideband: Sideband) -> Result<Secured<S>, Refusal>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if how.mode == TlsMode::Off {
            return Ok(Secured::unsecured(io, sideband));
        }
        let begun = Instant::now();
        let shaking = async {
            let place = match self.places.try_acquire() {
                Ok(place) => Some(place),
                Err(_) => self.wait_for_place().await,
            };
            let Some(_place) = place else { return Err(Refusal::TimedOut) };
            tokio::select! {
                entered = tls::accept(io, how, sideband) => entered,
                () = self.place_is_needed() => Err(Refusal::TimedOut),
            }
        };
        timeout_at(begun + HANDSHAKE_TIMEOUT, shaking).await.unwrap_or(Err(Refusal::TimedOut))
    }

    async fn wait_for_place(&self) -> Option<SemaphorePermit<'_>> {
        let _waiting = Waiting::begin(self);
        self.places.acquire().await.ok()
    }

    /// Returns when a handshake has had its time and others wait.
    async fn place_is_needed(&self) {
        sleep_until(Instant::now() + KEEPS_PLACE).await;
        loop {
            let crowded = self.crowded.notified();
            if self.waiting.load(Ordering::SeqCst) > 0 {
                return;
            }
            crowded.await;
        }
    }
}

/// A caller that waits for a place, until this is dropped.
struct Waiting<'a>(&'a Handshakes);

impl Waiting<'_> {
    fn begin(handshakes: &Handshakes) -> Waiting<'_> {
        handshakes.waiting.fetch_add(1, Ordering::SeqCst);
        handshakes.crowded.notify_waiters();
        Waiting(handshakes)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    const PREFER: Accepting =
        Accepting { mode: TlsMode::Prefer, setup: None, fault: None, callers: &[], may_be_unknown: false };

    /// Accepts a caller, and returns what became of it and after how long.
    async fn accept(handshakes: &Handshakes, io: DuplexStream) -> (Result<(), Refusal>, Duration) {
        let begun = Instant::now();
        let accepted = handshakes.accept(io, &PREFER, Sideband::new()).await;
        (accepted.map(drop), begun.elapsed())
    }

    /// `silent` callers say nothing at all, and come before an honest one.
    async fn beside(silent: usize) -> (Vec<Duration>, Duration) {
        let handshakes = Handshakes::default();
        let (silent, _far): (Vec<_>, Vec<_>) = (0..silent).map(|_| duplex(64)).unzip();
        let (mut caller, honest) = duplex(64);
        caller.write_all(&[0, 0, 0, 4]).await.unwrap();
        let silent = join_all(silent.into_iter().map(|io| accept(&handshakes, io)));
        let (silent, (honest, waited)) = tokio::join!(silent, accept(&handshakes, honest));
        honest.unwrap();
        let too_slow = silent.into_iter().map(|(refused, after)| {
            assert!(matches!(refused, Err(Refusal::TimedOut)), "{refused:?}");
            after
        });
        (too_slow.collect(), waited)
    }

    #[tokio::test(start_paused = true)]
    async fn slow_callers_have_their_time_until_others_wait_for_their_places() {
        let (slow, waited) = beside(HANDSHAKES_MAX - 1).await;
        assert!(waited < Duration::from_millis(10), "{waited:?}");
        assert!(slow.iter().all(|after| *after == HANDSHAKE_TIMEOUT), "nobody needed their places: {slow:?}");
        let (slow, waited) = beside(HANDSHAKES_MAX).await;
        assert!(waited >= KEEPS_PLACE && waited < 2 * KEEPS_PLACE, "{waited:?}");
        assert!(slow.iter().any(|after| *after < 2 * KEEPS_PLACE), "{slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn every_caller_has_an_answer_within_the_time_of_a_handshake() {
        let (slow, waited) = beside(6 * HANDSHAKES_MAX).await;
        assert!(waited < HANDSHAKE_TIMEOUT, "the last of seven rounds of a second: {waited:?}");
        assert!(slow.iter().all(|after| *after <= HANDSHAKE_TIMEOUT), "{slow:?}");
    }
}
