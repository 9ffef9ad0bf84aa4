//! A daemon that is killed at a random moment of its download. `cargo xtask crash` does it a hundred times.

use cluster::crash::Crashes;
use std::hash::{BuildHasher, Hasher, RandomState};

/// The most chunks that may be fetched again after a crash.
const CHUNKS_AGAIN_MAX: u64 = 64;

#[test]
fn a_daemon_killed_at_random_moments_ends_its_downloads() {
    let seed = RandomState::new().build_hasher().finish();
    eprintln!("seed {seed}");
    let mut crashes = Crashes::start(seed, 40);
    for number in 0..4 {
        let crash = crashes.crash(&format!("crash-{number}"));
        assert!(crash.chunks_again <= CHUNKS_AGAIN_MAX, "{crash:?}");
    }
}
