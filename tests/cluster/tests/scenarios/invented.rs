//! Thousands of peers that somebody invented, and two that are honest.

use cluster::files::{MIB, content};
use cluster::hostile::Crowd;
use cluster::{Daemon, Tracker};
use shared::manifest::Manifest;
use shared::registry::Stage;
use std::fs;

/// So many that chance alone would not bring the honest ones together.
const INVENTED: u32 = 1_000;

fn meet_among(seed: u64, stage: Stage) {
    let tracker = Tracker::start();
    let seeder = Daemon::start(&tracker, &[]);
    let leecher = Daemon::start(&tracker, &[]);
    let bytes = content(seed, 3 * MIB + 5);
    seeder.share_bytes("image", &bytes);
    let manifest = Manifest::parse(&fs::read(seeder.file("image.tinytorrent")).expect("it is shared"));
    let many = std::env::var("TT_INVENTED").map_or(INVENTED, |many| many.parse().expect("a number"));
    let _crowd = Crowd::invent(&tracker, &manifest.expect("a manifest"), many, stage);
    let begin = std::time::Instant::now();
    leecher.get("image", &bytes);
    println!("{many} invented peers ({stage:?}): done after {:?}", begin.elapsed());
}

#[test]
fn invented_peers_do_not_keep_honest_ones_apart() {
    meet_among(1, Stage::Seeding);
}

#[test]
fn invented_leechers_do_not_either() {
    meet_among(2, Stage::Leeching);
}
