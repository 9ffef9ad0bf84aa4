//! Bandwidth limits: a byte stream that waits for a bucket, which all links of one direction share.

use shared::credit::Credit;
use shared::host::config::RateLimit;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The most bytes that a link takes from the bucket at once. Larger turns would let one link keep the others waiting.
const TURN_BYTES_MAX: u64 = 64 << 10;

/// How many slices are written in one call; the rest follows in the next one. A frame has two: its head and its body.
const SLICES_MAX: usize = 4;

/// How much unused rate is saved up while nobody sends, as the time in which it accrues. A longer burst would exceed
/// the limit noticeably.
const BURST: Duration = Duration::from_millis(50);

/// While a limit is 0, a peer that asks for a chunk is told to ask again after this.
pub const PAUSED_RETRY: Duration = Duration::from_secs(1);

/// A link that waits for its turn looks again at the latest after this, because the limit may have changed.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// A limit in one direction, shared by all links. It may change at any time.
#[derive(Debug)]
pub struct Bucket {
    start: Instant,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// The limit that the operator set.
    limit: RateLimit,
    /// When the configuration sets another one, in milliseconds since 1970.
    until_ms: Option<u64>,
    /// The rate in force; `None` means that there is no limit. A pause keeps the former rate, at which chunks that have
    /// begun are finished; before a new chunk begins, [`Bucket::is_paused`] is asked.
    bytes_per_s: Option<u64>,
    /// The bytes that may be taken, measured as the time that they take at this rate.
    credit: Credit,
}

impl Bucket {
    /// A bucket with this limit.
    pub fn new(limit: RateLimit) -> Arc<Bucket> {
        let level =
            Level { limit: RateLimit::None, until_ms: None, bytes_per_s: None, credit: Credit::full(BURST) };
        let bucket = Bucket { start: Instant::now(), level: Mutex::new(level) };
        bucket.set(limit);
        Arc::new(bucket)
    }

    /// Changes the limit. A debt under the former limit is forgotten.
    pub fn set(&self, limit: RateLimit) {
        let mut level = self.level();
        level.bytes_per_s = match limit {
            RateLimit::None => None,
            RateLimit::AtMost(rate) => Some(rate.bytes_per_s()),
            RateLimit::Pause => level.bytes_per_s,
        };
        (level.limit, level.until_ms) = (limit, None);
        level.credit = Credit::empty(self.start.elapsed(), BURST);
    }

    /// Changes the limit if it is another one, and notes when the configuration sets the next one, in milliseconds since 1970.
    pub fn put(&self, limit: RateLimit, until_ms: Option<u64>) {
        if limit != self.limit() {
            self.set(limit);
        }
        self.level().until_ms = until_ms;
    }

    /// When the configuration sets another limit, in milliseconds since 1970, if it does.
    pub fn until_ms(&self) -> Option<u64> {
        self.level().until_ms
    }

    /// The limit.
    pub fn limit(&self) -> RateLimit {
        self.level().limit
    }

    /// Whether no new chunk may begin.
    pub fn is_paused(&self) -> bool {
        self.limit() == RateLimit::Pause
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_limited(&self) -> bool {
        self.level().bytes_per_s.is_some()
    }

    /// Takes up to `bytes` bytes from the bucket, and returns how many.
    ///
    /// # Errors
    /// The time until which to wait, when the bucket is empty.
    fn spend(&self, bytes: u64) -> Result<u64, Instant> {
        let now = self.start.elapsed();
        let mut level = self.level();
        let Some(bytes_per_s) = level.bytes_per_s else { return Ok(bytes) };
        let paid_at = level.credit.ready_at(Duration::ZERO);
        if paid_at > now {
            return Err(self.start + paid_at);
        }
        let turn = bytes.min(TURN_BYTES_MAX).min((bytes_per_s / 20).max(1024));
        level.credit.spend(now, cost(turn, bytes_per_s));
        Ok(turn)
    }

    /// Gives back bytes that were taken and not used.
    fn give_back(&self, bytes: u64) {
        let mut level = self.level();
        if let Some(bytes_per_s) = level.bytes_per_s {
            level.credit.refund(cost(bytes, bytes_per_s)); // after a change of the limit this may exceed what was taken
        }
    }
}

fn cost(bytes: u64, bytes_per_s: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / bytes_per_s)
}

/// The limits of a link, in the directions that have one.
#[derive(Debug, Clone, Default)]
pub struct LinkLimits {
    /// For what is read.
    pub down: Option<Arc<Bucket>>,
    /// For what is written.
    pub up: Option<Arc<Bucket>>,
    /// Whether the limits are in force on this link yet. They bind the transfer of chunks, not the small messages
    /// before it.
    pub bulk: Arc<AtomicBool>,
}

impl LinkLimits {
    fn bucket<'a>(&self, bucket: &'a Option<Arc<Bucket>>) -> Option<&'a Arc<Bucket>> {
        bucket.as_ref().filter(|bucket| self.bulk.load(Ordering::Relaxed) && bucket.is_limited())
    }
}

/// A byte stream under [`LinkLimits`].
#[derive(Debug)]
pub struct Throttled<S> {
    io: S,
    limits: LinkLimits,
    read_pause: Option<Pin<Box<Sleep>>>,
    write_pause: Option<Pin<Box<Sleep>>>,
}

impl<S> Throttled<S> {
    /// Applies limits to a stream.
    pub fn new(io: S, limits: LinkLimits) -> Throttled<S> {
        Throttled { io, limits, read_pause: None, write_pause: None }
    }
}

/// Waits for a turn at the bucket, and returns how many bytes may pass now.
fn turn(
    bucket: &Bucket,
    bytes: usize,
    pause: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> Poll<usize> {
    loop {
        if let Some(sleep) = pause {
            ready!(sleep.as_mut().poll(cx));
            *pause = None;
        }
        match bucket.spend(bytes as u64) {
            Ok(turn) => return Poll::Ready(turn as usize),
            Err(until) => {
                let until = until.min(Instant::now() + PAUSE_MAX);
                *pause = Some(Box::pin(tokio::time::sleep_until(until)));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(bucket) = this.limits.bucket(&this.limits.down).cloned() else {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        };
        let turn = ready!(turn(&bucket, buf.remaining(), &mut this.read_pause, cx));
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(turn.min(buf.remaining())));
        let polled = Pin::new(&mut this.io).poll_read(cx, &mut part);
        let read = part.filled().len();
        buf.advance(read);
        bucket.give_back((turn - read) as u64);
        polled
    }
}

impl<S: AsyncWrite + Unpin> Throttled<S> {
    /// Writes up to `bytes` bytes within the limit; `write` receives how many of them may pass now.
    fn poll_write_some(
        &mut self,
        cx: &mut Context<'_>,
        bytes: usize,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>, usize) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Some(bucket) = self.limits.bucket(&self.limits.up).cloned() else {
            return write(Pin::new(&mut self.io), cx, bytes);
        };
        let turn = ready!(turn(&bucket, bytes, &mut self.write_pause, cx));
        let polled = write(Pin::new(&mut self.io), cx, turn.min(bytes));
        let written = if let Poll::Ready(Ok(written)) = polled { written } else { 0 };
        bucket.give_back((turn - written) as u64);
        polled
    }
}

/// The first `bytes` bytes of these slices, in as many of them as [`SLICES_MAX`]; the rest is for another call.
fn cut<'a>(slices: &'a [IoSlice<'_>], mut bytes: usize) -> ([IoSlice<'a>; SLICES_MAX], usize) {
    let (mut cut, mut count) = ([IoSlice::new(&[]); SLICES_MAX], 0);
    for (place, slice) in cut.iter_mut().zip(slices.iter().filter(|slice| !slice.is_empty())) {
        let part = slice.len().min(bytes);
        *place = IoSlice::new(&slice[..part]);
        bytes -= part;
        count += usize::from(part > 0);
    }
    (cut, count)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = |io: Pin<&mut S>, cx: &mut Context<'_>, some| io.poll_write(cx, &bytes[..some]);
        self.get_mut().poll_write_some(cx, bytes.len(), write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        let write = |io: Pin<&mut S>, cx: &mut Context<'_>, some| {
            let (cut, count) = cut(slices, some);
            io.poll_write_vectored(cx, &cut[..count])
        };
        self.get_mut().poll_write_some(cx, bytes, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::host::config::Rate;
    use shared::rpc::wire::Batched;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn rate(bytes_per_s: u64) -> RateLimit {
        RateLimit::AtMost(Rate::new(bytes_per_s).unwrap())
    }

    fn bucket(bytes_per_s: u64) -> Arc<Bucket> {
        Bucket::new(rate(bytes_per_s))
    }

    /// Moves `bytes` through as many links as there are; how long it took on the paused clock.
    async fn elapsed(limits: LinkLimits, links: usize, bytes: usize) -> Duration {
        let start = Instant::now();
        let moves = (0..links).map(|_| {
            let (near, mut far) = tokio::io::duplex(1 << 20);
            let mut near = Throttled::new(near, limits.clone());
            async move {
                let (sent, received) = tokio::join!(
                    async {
                        near.write_all(&vec![7; bytes]).await.unwrap();
                        near.flush().await.unwrap();
                        near
                    },
                    async {
                        let mut received = vec![0; bytes];
                        far.read_exact(&mut received).await.unwrap();
                        received
                    }
                );
                drop(sent);
                assert!(received.iter().all(|&byte| byte == 7));
            }
        });
        futures::future::join_all(moves).await;
        start.elapsed()
    }

    fn limits(bytes_per_s: u64, bulk: bool) -> LinkLimits {
        let up = Some(bucket(bytes_per_s));
        LinkLimits { up, down: None, bulk: Arc::new(AtomicBool::new(bulk)) }
    }

    #[tokio::test(start_paused = true)]
    async fn all_links_together_keep_the_limit() {
        let took = elapsed(limits(1_000_000, true), 4, 500_000).await;
        assert!((1.9..2.1).contains(&took.as_secs_f64()), "{took:?} for 2 MB at 1 MB/s");
    }

    #[tokio::test(start_paused = true)]
    async fn small_talk_is_free() {
        assert_eq!(elapsed(limits(1, false), 1, 100_000).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn reading_is_limited_too() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let down = Some(bucket(100_000));
        let mut near =
            Throttled::new(near, LinkLimits { down, up: None, bulk: Arc::new(AtomicBool::new(true)) });
        far.write_all(&[1; 200_000]).await.unwrap();
        let start = Instant::now();
        near.read_exact(&mut vec![0; 200_000]).await.unwrap();
        let took = start.elapsed().as_secs_f64();
        assert!((1.9..2.1).contains(&took), "{took} s for 200 KB at 100 KB/s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_changed_binds_those_who_wait() {
        let limits = limits(1, true);
        let up = limits.up.clone().unwrap();
        let start = Instant::now();
        let change = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            up.set(rate(1_000_000));
            tokio::time::sleep(Duration::from_secs(1)).await;
            up.set(RateLimit::None);
        };
        let (_, ()) = tokio::join!(elapsed(limits, 2, 1_000_000), change);
        let took = start.elapsed().as_secs_f64();
        assert!((6.0..6.5).contains(&took), "{took} s for 2 MB at almost nothing, 1 MB/s, and no limit");
    }

    /// The bytes that pass in `span` over `links` links that always want more.
    async fn passed(limits: &LinkLimits, links: usize, span: Duration) -> u64 {
        let passed = (0..links).map(|_| {
            let (near, mut far) = tokio::io::duplex(1 << 20);
            let mut near = Throttled::new(near, limits.clone());
            async move {
                let sending = async { while near.write_all(&[7; 100_000]).await.is_ok() {} };
                let counting = async {
                    let (mut bytes, mut buffer) = (0, vec![0; 1 << 20]);
                    let until = Instant::now() + span;
                    while let Ok(Ok(read)) = tokio::time::timeout_at(until, far.read(&mut buffer)).await {
                        bytes += read as u64;
                    }
                    bytes
                };
                tokio::select! {
                    bytes = counting => bytes,
                    () = sending => unreachable!("somebody reads"),
                }
            }
        });
        futures::future::join_all(passed).await.iter().sum()
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_reached_and_kept_over_ten_seconds() {
        for bytes_per_s in [20_000, 1_000_000, 30_000_000] {
            for links in [1, 7, 40] {
                let passed = passed(&limits(bytes_per_s, true), links, Duration::from_secs(10)).await;
                let ratio = passed as f64 / (bytes_per_s * 10) as f64;
                assert!((0.97..1.03).contains(&ratio), "{links} links at {bytes_per_s} B/s: {ratio}");
            }
        }
    }

    /// A stream that takes everything, and notes how many bytes each call brought.
    #[derive(Debug, Default)]
    struct Recorder(Vec<usize>);

    impl AsyncWrite for Recorder {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.get_mut().0.push(bytes.len());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let bytes = slices.iter().map(|slice| slice.len()).sum();
            self.get_mut().0.push(bytes);
            Poll::Ready(Ok(bytes))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Writes slices of these lengths to their end; how many bytes each call brought to the stream below.
    async fn write_slices(limits: LinkLimits, lengths: &[usize]) -> Vec<usize> {
        let mut throttled = Throttled::new(Recorder::default(), limits);
        let slices: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![7; length]).collect();
        let mut rest: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        let mut rest = &mut rest[..];
        while !rest.is_empty() {
            let written = throttled.write_vectored(rest).await.unwrap();
            assert!(written > 0);
            IoSlice::advance_slices(&mut rest, written);
        }
        throttled.io.0
    }

    #[tokio::test]
    async fn a_head_and_its_body_reach_the_socket_in_one_call() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let far = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (near, _) = listener.accept().await.unwrap();
        for limits in [LinkLimits::default(), limits(1_000_000, true)] {
            assert_eq!(write_slices(limits, &[20, 500]).await, [520]);
        }
        let mut near = Throttled::new(Batched::new(near), limits(1_000_000, true));
        assert!(near.is_write_vectored());
        let written = near.write_vectored(&[IoSlice::new(&[1; 20]), IoSlice::new(&[2; 500])]).await.unwrap();
        assert_eq!(written, 520, "the default of tokio writes the head alone");
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn slices_pay_for_what_is_written_of_all_of_them() {
        let start = Instant::now();
        // a turn at this rate is 50,000 bytes: it ends within a slice, and begins with the rest of it
        let calls =
            write_slices(limits(1_000_000, true), &[20, 99_980, 0, 7, 1_000_000, 3, 2, 1, 899_987]).await;
        let took = start.elapsed().as_secs_f64();
        assert!(calls.iter().all(|&bytes| bytes <= 50_000), "{calls:?}");
        assert_eq!(calls[..2], [50_000, 50_000]);
        assert_eq!(calls.iter().sum::<usize>(), 2_000_000);
        assert!((1.9..2.1).contains(&took), "{took} s for 2 MB at 1 MB/s");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_ends_at_the_former_rate() {
        let limits = limits(1_000_000, true);
        let up = limits.up.clone().unwrap();
        up.set(RateLimit::Pause);
        assert!(up.is_paused());
        let took = elapsed(limits, 2, 500_000).await.as_secs_f64();
        assert!((0.9..1.1).contains(&took), "{took} s for 1 MB at 1 MB/s");
        up.set(rate(5));
        assert!(!up.is_paused());
    }
}
