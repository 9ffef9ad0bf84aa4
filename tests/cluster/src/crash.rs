//! Kills a machine again and again while it downloads: `kill -9` at a random moment, then an ordinary start, after
//! which the file must arrive. The scenarios run it for a short time, and `cargo xtask crash` for a long one.

use crate::files::{MIB, content, splitmix};
use crate::{Daemon, Tracker};
use std::time::{Duration, Instant};

/// How fast the seeder sends: slowly enough for the kill to hit the download, and fast enough for many chunks to be in
/// flight.
const UPLOAD_LIMIT: &str = "80 MB/s";

/// A tracker, a seeder and the machine that is killed.
pub struct Crashes {
    _tracker: Tracker,
    seeder: Daemon,
    leecher: Daemon,
    state: u64,
    chunks: usize,
    /// How long a download takes that nobody disturbs.
    span: Duration,
}

/// One download and its crash.
#[derive(Debug, Clone)]
pub struct Crash {
    /// When the machine was killed, counted from the answer to `get`.
    pub after: Duration,
    /// Whether the file was published already.
    pub too_late: bool,
    /// The time from the kill to the finished file, including the start.
    pub recovery: Duration,
    /// How many chunks the seeder sent beyond one copy: those that were fetched twice or were in flight at the kill.
    pub chunks_again: u64,
}

impl Crashes {
    /// Starts the three for files of `chunks` chunks. The same seed gives the same moments of crashes.
    #[track_caller]
    pub fn start(seed: u64, chunks: usize) -> Crashes {
        let tracker = Tracker::start();
        let seeder = Daemon::start(&tracker, &["--upload-limit", UPLOAD_LIMIT]);
        let leecher = Daemon::start(&tracker, &[]);
        let mut crashes =
            Crashes { _tracker: tracker, seeder, leecher, state: seed, chunks, span: Duration::ZERO };
        let bytes = crashes.share("undisturbed");
        let begin = Instant::now();
        crashes.leecher.get("undisturbed", &bytes);
        crashes.span = begin.elapsed();
        crashes.forget("undisturbed");
        crashes
    }

    /// How long a download takes that nobody disturbs.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// One download with a crash. Panics if the file is wrong afterwards, anything wrong becomes visible before, or the
    /// download does not continue by itself.
    #[track_caller]
    pub fn crash(&mut self, name: &str) -> Crash {
        let bytes = self.share(name);
        let moment = self.random() % (self.span.as_micros() as u64).max(1);
        self.leecher.ok(&["get", "--detach", "--", name]);
        let begin = Instant::now();
        // Nothing is waited for here: the moment must be random.
        std::thread::sleep(Duration::from_micros(moment));
        let after = begin.elapsed();
        self.leecher.kill();
        let killed = Instant::now();
        let too_late = self.leecher.file(name).exists();
        if too_late {
            self.leecher.check_file(name, &bytes);
        }
        self.leecher.restart();
        self.leecher.wait_seeding(name);
        let recovery = killed.elapsed();
        self.leecher.check_file(name, &bytes);
        let sent = self.seeder.status(name).expect("the seeder has it").number("uploaded_bytes");
        let chunks_again = sent.saturating_sub(bytes.len() as u64).div_ceil(MIB as u64);
        self.forget(name);
        Crash { after, too_late, recovery, chunks_again }
    }

    #[track_caller]
    fn share(&mut self, name: &str) -> Vec<u8> {
        let bytes = content(self.random(), self.chunks * MIB - 99);
        self.seeder.share_in_place(name, &bytes);
        bytes
    }

    #[track_caller]
    fn forget(&self, name: &str) {
        self.seeder.ok(&["remove", "--delete", "--", name]);
        self.leecher.ok(&["remove", "--delete", "--", name]);
    }

    fn random(&mut self) -> u64 {
        splitmix(&mut self.state)
    }
}
