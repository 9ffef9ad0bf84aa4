//! Scenarios in which somebody else writes to a part file.

use cluster::files::{MIB, content};
use cluster::{CAP, Daemon, Tracker, wait_for};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The part file of the only download.
fn part(daemon: &Daemon) -> PathBuf {
    wait_for("a part file", CAP, || {
        let slots = fs::read_dir(daemon.file(".tinytorrent/resources")).ok()?;
        let part = |slot: fs::DirEntry| slot.path().join("data.part");
        slots.flatten().map(part).find(|part| part.exists())
    })
}

#[test]
fn bytes_behind_the_end_of_a_download_are_not_published() {
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &["--upload-limit", "8 MB/s"]);
    let mut b = Daemon::start(&tracker, &[]);
    for (number, bytes) in [content(90, 5 * MIB), content(91, 5 * MIB - 1000)].iter().enumerate() {
        for (tail, is_down) in [(12, false), (1012, true)] {
            let name = format!("image-{number}-{tail}-{is_down}");
            a.share_bytes(&name, bytes);
            b.ok(&["get", "--detach", &name]);
            b.wait_status(&name, "on its way", |status| status.number("chunks_have") >= 2);
            let part = part(&b);
            if is_down {
                b.kill();
            }
            let file = File::options().write(true).open(part).unwrap();
            file.write_all_at(&vec![b'!'; tail], bytes.len() as u64).unwrap();
            if is_down {
                b.restart();
            }
            b.wait_seeding(&name);
            b.check_file(&name, bytes);
            b.ok(&["verify", &name]);
            b.ok(&["remove", "--delete", &name]);
            a.ok(&["remove", "--delete", &name]);
        }
    }
}
