//! The clock and the entropy of a world. The test binary has its own `clock_gettime` and `getrandom`: on the thread of a
//! world they answer with virtual time and with numbers from the seed, for std, tokio and tarpc alike. All other threads
//! get what the kernel says.

use crate::jobs::life;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What the monotonic clock shows when a world begins. It is less than the uptime of any real machine that runs tests:
/// the deadline of a futex is compared with the kernel's clock, and so it is over at once.
const UPTIME: Duration = Duration::from_secs(10);

/// The time of day when a world begins: January 2027.
const DATE: Duration = Duration::from_secs(1_800_000_000);

/// Whether a runtime has started a thread of its own. It would run outside of virtual time.
static HIDDEN: AtomicBool = AtomicBool::new(false);

/// The clock and the entropy of this thread.
#[derive(Clone, Copy)]
struct Fake {
    /// The moment of the runtime's clock at which the world began, as soon as there is one.
    begin: Option<tokio::time::Instant>,
    /// The virtual time that was read last. It is the answer while tokio's clock itself asks for the time, and when the
    /// runtime is gone.
    passed: Duration,
    is_reading: bool,
    entropy: u64,
}

thread_local! {
    // Without a destructor, so that it can be read until the very end of a thread.
    static FAKE: Cell<Option<Fake>> = const { Cell::new(None) };
}

/// Runs a world on a thread of its own, on virtual time and with this entropy. Returns what it returned, or its panic.
///
/// # Panics
/// If time or entropy are not the world's own, or if a thread of the runtime was started.
pub(crate) fn run<T, W>(entropy: u64, world: impl FnOnce() -> W + Send + 'static) -> thread::Result<T>
where
    T: Send + 'static,
    W: Future<Output = T>,
{
    let live = move || {
        let _real_again = RealAgain;
        FAKE.set(Some(Fake { begin: None, passed: Duration::ZERO, is_reading: false, entropy }));
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let builder = builder
            .enable_time()
            .start_paused(true)
            .on_thread_start(|| HIDDEN.store(true, Ordering::Relaxed));
        let runtime =
            builder.build().expect("a runtime without input and output needs nothing from the kernel");
        runtime.block_on(async {
            let begin = Some(tokio::time::Instant::now());
            FAKE.set(FAKE.get().map(|fake| Fake { begin, ..fake }));
            time_is_virtual().await;
            let lived = world().await;
            assert!(
                !HIDDEN.load(Ordering::Relaxed),
                "something blocks in a thread of the runtime, outside of virtual time"
            );
            lived
        })
    };
    thread::Builder::new().name("world".to_owned()).spawn(live).expect("a thread can be started").join()
}

/// Checks that std's and tokio's clocks are one, and that only sleeping moves them.
async fn time_is_virtual() {
    let (std, tokio) = (std::time::Instant::now(), tokio::time::Instant::now());
    assert_eq!(tokio.into_std(), std, "std has another clock than tokio");
    thread::sleep(Duration::from_millis(1));
    assert_eq!(std::time::Instant::now(), std, "std's clock runs by itself");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(std.elapsed(), Duration::from_secs(1), "std's clock does not follow tokio's");
}

/// Gives the thread the real clock and real entropy again.
struct RealAgain;

impl Drop for RealAgain {
    fn drop(&mut self) {
        FAKE.set(None);
    }
}

/// The virtual time since the world of this thread began, if there is one.
fn passed() -> Option<Duration> {
    let fake = FAKE.get()?;
    let Some(begin) =
        fake.begin.filter(|_| !fake.is_reading && tokio::runtime::Handle::try_current().is_ok())
    else {
        return Some(fake.passed);
    };
    FAKE.set(Some(Fake { is_reading: true, ..fake }));
    let passed = tokio::time::Instant::now() - begin;
    FAKE.set(Some(Fake { passed, ..fake }));
    Some(passed)
}

/// The next number of splitmix64 for the world of this thread, if there is one.
fn next_entropy() -> Option<u64> {
    let fake = FAKE.get()?;
    let entropy = fake.entropy.wrapping_add(0x9e37_79b9_7f4a_7c15);
    FAKE.set(Some(Fake { entropy, ..fake }));
    let mixed = (entropy ^ (entropy >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some(mixed ^ (mixed >> 31))
}

/// The time of day of the machine whose code is running.
fn date(passed: Duration) -> Duration {
    let (date, ahead) = (DATE + passed, life::ahead_s());
    let span = Duration::from_secs(ahead.unsigned_abs());
    if ahead < 0 { date.saturating_sub(span) } else { date + span }
}

/// libc's function of this name, for all code in the test binary.
///
/// # Safety
/// `to` is valid for writing.
#[expect(unsafe_code, reason = "std and tarpc read the clock by this function, and a world has its own")]
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, to: *mut libc::timespec) -> libc::c_int {
    let Some(passed) = passed() else {
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, to) as libc::c_int };
    };
    let now = match clock {
        libc::CLOCK_REALTIME => date(passed),
        _ => UPTIME + passed,
    };
    let (tv_sec, tv_nsec) = (now.as_secs() as libc::time_t, now.subsec_nanos().into());
    unsafe { to.write(libc::timespec { tv_sec, tv_nsec }) };
    0
}

/// libc's function of this name, for all code in the test binary.
///
/// # Safety
/// `to` is valid for writing `bytes` bytes.
#[expect(
    unsafe_code,
    reason = "std draws the seed of its hash maps by this function, and tokio its own from that"
)]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(
    to: *mut libc::c_void,
    bytes: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    let Some(first) = next_entropy() else {
        return unsafe { libc::syscall(libc::SYS_getrandom, to, bytes, flags) as libc::ssize_t };
    };
    let mut number = first;
    for at in 0..bytes {
        if at > 0 && at % 8 == 0 {
            number = next_entropy().unwrap_or(first);
        }
        unsafe { to.cast::<u8>().add(at).write(number.to_le_bytes()[at % 8]) };
    }
    bytes as libc::ssize_t
}

/// A world's clock moves by sleeping only, its time of day with it, and its hash maps are those of its seed. A thread
/// without a world has real time.
#[test]
fn a_world_has_its_own_clock_and_entropy() {
    use std::hash::{BuildHasher, RandomState};
    use std::time::{Instant, SystemTime};

    let spans = run(7, || async {
        let (instant, date) = (Instant::now(), SystemTime::now());
        let call = tarpc::context::current();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let is_call_over = call.deadline < Instant::now();
        (
            instant.elapsed(),
            date.elapsed().unwrap(),
            date.duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            is_call_over,
        )
    });
    let (hour, begin) = (Duration::from_secs(3600), DATE + Duration::from_secs(1));
    assert_eq!(spans.unwrap(), (hour, hour, begin, true));

    let hash = |entropy| run(entropy, || async { RandomState::new().hash_one("a word") }).unwrap();
    assert_eq!(hash(1), hash(1), "the seed of hash maps is not the world's");
    assert_ne!(hash(1), hash(2));

    let (real, before) = (Instant::now(), SystemTime::now());
    thread::sleep(Duration::from_millis(2));
    assert!(
        real.elapsed() >= Duration::from_millis(2) && SystemTime::now() > before,
        "this thread has no clock"
    );
}
