//! Scenarios with thousands of invented peers and two honest ones.

use cluster::files::{MIB, content};
use cluster::hostile::Crowd;
use cluster::{Daemon, Tracker};
use shared::manifest::Manifest;
use shared::rpc::tracker::Stage;
use std::fs;

/// The number of invented peers: too many for the honest ones to find each other by chance.
const INVENTED: u32 = 1_000;

/// All invented peers are announced after the honest seeder.
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
    eprintln!("{many} invented peers ({stage:?}): done after {:?}", begin.elapsed());
}

#[test]
fn invented_peers_do_not_keep_honest_ones_apart() {
    meet_among(1, Stage::Seeding);
}

#[test]
fn invented_leechers_do_not_either() {
    meet_among(2, Stage::Leeching);
}

/// The inventors reached the tracker first, from very many networks: the leecher does not learn of the seeder, but the
/// seeder learns of the leecher.
#[test]
fn invented_peers_that_come_first_do_not_either() {
    let tracker = Tracker::start();
    let elsewhere = Tracker::start();
    let author = Daemon::start(&elsewhere, &[]);
    let seeder = Daemon::start(&tracker, &[]);
    let leecher = Daemon::start(&tracker, &[]);
    let bytes = content(3, 3 * MIB + 5);
    author.share_bytes("image", &bytes);
    let manifest = Manifest::parse(&fs::read(author.file("image.tinytorrent")).expect("it is shared"));
    let _crowd = Crowd::invent_far(&tracker, &manifest.expect("a manifest"), INVENTED, Stage::Seeding);
    seeder.share_bytes("image", &bytes);
    let begin = std::time::Instant::now();
    leecher.get("image", &bytes);
    eprintln!("{INVENTED} invented peers of many networks that came first: done after {:?}", begin.elapsed());
}
