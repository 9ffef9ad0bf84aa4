//! Scenarios with sparse files: they cost what their data costs, on the wire and on every disk.

use cluster::files::{MIB, allocated, content, sha256_file, write_sparse};
use cluster::mounts::{mount_tmpfs, own_mounts};
use cluster::process::run_capped;
use cluster::{Daemon, Tracker};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const KIB: usize = 1 << 10;

/// Writes a disk image of 256 MiB less 77 bytes that has data in 6 chunks, and zeros in all others. The last chunk is
/// not a whole one, so its content is not known from its hash.
fn write_image(path: &Path) -> u64 {
    let data = content(900, 5 * MIB);
    let pieces = [
        (0, &data[..MIB]),
        (5 * MIB + 300 * KIB, &data[MIB..][..200 * KIB]),
        (64 * MIB - 512 * KIB, &data[2 * MIB..][..MIB]),
        (200 * MIB, &data[3 * MIB..]),
    ];
    write_sparse(path, 256 * MIB - 77, &pieces)
}

/// The bytes of chunks that are sent of this image.
const SENT: u64 = 7 * MIB as u64 - 77;

/// The most that a copy of a file may take up on the disk: 5 % more than cp needs.
fn allocated_max(path: &Path) -> u64 {
    let copy = path.with_extension("cp");
    let copied = Command::new("cp").arg("--sparse=always").args([path, &copy]).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp --sparse=always");
    let bytes = allocated(&copy);
    fs::remove_file(copy).unwrap();
    bytes + bytes / 20
}

#[track_caller]
fn check(path: &Path, image: &Path, most: u64) {
    assert_eq!(sha256_file(path).unwrap(), sha256_file(image).unwrap(), "{}", path.display());
    let bytes = allocated(path);
    assert!(bytes <= most, "{} takes up {bytes} bytes, and {most} are enough", path.display());
}

fn image_of(daemon: &Daemon) -> (PathBuf, u64) {
    let image = daemon.outside().join("disk.img");
    write_image(&image);
    let most = allocated_max(&image);
    (image, most)
}

#[test]
fn a_sparse_image_is_sparse_everywhere_and_its_zeros_are_not_sent() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (image, most) = image_of(&a);
    a.ok(&["share", image.to_str().unwrap()]);
    check(&a.file("disk.img"), &image, most);
    b.ok(&["get", "disk.img"]);
    check(&b.file("disk.img"), &image, most);
    let sent = a.status("disk.img").unwrap().number("uploaded_bytes");
    assert_eq!(sent, SENT, "only the chunks that are not all zeros, and the last one");
    b.ok(&["verify", "disk.img"]);

    // A copy under another name, and one out of the shared directory.
    let second = a.outside().join("second.img");
    fs::rename(&image, &second).unwrap();
    a.ok(&["share", second.to_str().unwrap()]);
    b.ok(&["get", "second.img"]);
    check(&b.file("second.img"), &second, most);
    assert_eq!(a.status("disk.img").unwrap().number("uploaded_bytes"), SENT);
    let out = b.outside().join("out.img");
    b.ok(&["get", "disk.img", "-o", out.to_str().unwrap()]);
    check(&out, &second, most);
}

#[test]
fn an_image_of_which_all_is_written_is_sparse_where_it_arrives() {
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let (image, most) = image_of(&a);
    let bytes = fs::read(&image).unwrap();
    a.share_bytes("disk.img", &bytes);
    check(&a.file("disk.img"), &image, most);
    b.ok(&["get", "disk.img"]);
    check(&b.file("disk.img"), &image, most);
}

#[test]
fn a_sparse_download_goes_on_after_a_kill() {
    let tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &["--upload-limit", "1 MB/s"]), Daemon::start(&tracker, &[]));
    let (image, most) = image_of(&a);
    a.ok(&["share", image.to_str().unwrap()]);
    b.ok(&["get", "--detach", "disk.img"]);
    b.wait_status("disk.img", "some of its data", |status| status.number("chunks_have") >= 249 + 2);
    b.kill();
    assert!(!b.file("disk.img").exists());
    b.restart();
    b.wait_seeding("disk.img");
    check(&b.file("disk.img"), &image, most);
    let sent = a.status("disk.img").unwrap().number("uploaded_bytes");
    assert!(sent <= 2 * SENT, "{sent} bytes were sent");
}

#[test]
fn wrong_bytes_where_zeros_belong_are_mended_without_being_fetched() {
    let tracker = Tracker::start();
    let (a, mut b) = (Daemon::start(&tracker, &["--upload-limit", "1 MB/s"]), Daemon::start(&tracker, &[]));
    let (image, most) = image_of(&a);
    a.ok(&["share", image.to_str().unwrap()]);
    b.ok(&["get", "--detach", "disk.img"]);
    b.wait_status("disk.img", "begun", |status| status.number("chunks_have") >= 249);
    b.kill();
    let slots = fs::read_dir(b.file(".tinytorrent/resources")).unwrap();
    let slot = slots.map(|slot| slot.unwrap().path()).next().unwrap();
    let part = fs::File::options().write(true).open(slot.join("data.part")).unwrap();
    part.write_all_at(&content(901, 3 * MIB), 100 * MIB as u64 + 7).unwrap();
    let _ = fs::remove_file(slot.join("have")); // so that the data is checked
    b.restart();
    b.wait_seeding("disk.img");
    check(&b.file("disk.img"), &image, most);
}

#[test]
fn a_disk_needs_room_for_the_data_and_not_for_the_size() {
    if !own_mounts() {
        return;
    }
    let tracker = Tracker::start();
    let a = Daemon::start(&tracker, &[]);
    let home = tempfile::tempdir().unwrap();
    let (disk, config) = (home.path().join("disk"), home.path().join("config"));
    mount_tmpfs(&disk, 24);
    fs::create_dir(&config).unwrap();
    fs::write(config.join("ttd.toml"), "min_free_space = \"4 MiB\"").unwrap();
    let ip = std::net::Ipv4Addr::LOCALHOST.into();
    let b = Daemon::start_in(home, &disk.join("shared"), Some(ip), &["--tracker", &tracker.url()]);
    let (image, most) = image_of(&a);
    a.ok(&["share", image.to_str().unwrap()]);
    b.ok(&["get", "disk.img"]);
    check(&b.file("disk.img"), &image, most);

    // An import, and a copy under another name.
    let (own, second) = (b.outside().join("own.img"), a.outside().join("second.img"));
    fs::rename(&image, &second).unwrap();
    a.ok(&["share", second.to_str().unwrap()]);
    write_sparse(&own, 300 * MIB, &[(MIB, &content(902, MIB)), (299 * MIB, &content(903, MIB))]);
    b.ok(&["share", own.to_str().unwrap()]);
    check(&b.file("own.img"), &own, allocated_max(&own));
    b.ok(&["get", "second.img"]);
    check(&b.file("second.img"), &second, most);

    // Data that does not fit is refused as before.
    let large = a.outside().join("large.img");
    write_sparse(&large, 100 * MIB, &[(40 * MIB, &content(904, 30 * MIB))]);
    a.ok(&["share", large.to_str().unwrap()]);
    let output = b.ctl_code(7, &["get", "large.img", "--timeout", "2 s"]);
    assert!(output.stderr.contains("no space: 30 MiB needed"), "{}", output.stderr);
}

/// An image of 16 GiB with 200 MiB of data, in pieces of 1 MiB at places that have nothing to do with chunks:
/// `cargo test --release -p cluster measure_sparse -- --ignored --nocapture`. It needs 1 GiB of disk in `TMPDIR`.
#[test]
#[ignore = "measures"]
fn measure_sparse_image() {
    const GIB: u64 = 1 << 30;
    const PIECES: u64 = 200;
    let tracker = Tracker::start();
    let (a, b) = (Daemon::start(&tracker, &[]), Daemon::start(&tracker, &[]));
    let image = a.outside().join("disk.img");
    let file = fs::File::create(&image).unwrap();
    file.set_len(16 * GIB).unwrap();
    let mut chunks = BTreeSet::new();
    for piece in 0..PIECES {
        let offset = (piece * (16 * GIB - 2 * MIB as u64) / PIECES) & !4095;
        file.write_all_at(&content(1000 + piece, MIB), offset).unwrap();
        chunks.extend([offset / MIB as u64, offset.div_ceil(MIB as u64)]);
    }
    file.sync_all().unwrap();
    let copy = allocated_max(&image) * 20 / 21;
    let timed = |daemon: &Daemon, args: &[&str]| {
        let begin = Instant::now();
        let output = run_capped(daemon.ttctl(args), Duration::from_secs(3600)).unwrap();
        assert_eq!(output.code, 0, "{}", output.stderr);
        begin.elapsed()
    };
    let took_to_share = timed(&a, &["share", image.to_str().unwrap()]);
    let took_to_get = timed(&b, &["get", "disk.img"]);
    let sent = a.status("disk.img").unwrap().number("uploaded_bytes");
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    eprintln!("shared in {took_to_share:.1?}, fetched in {took_to_get:.1?}");
    eprintln!("sent {:.1} MiB; chunks with data: {}", mib(sent), chunks.len());
    for (what, bytes) in
        [("sharer", allocated(&a.file("disk.img"))), ("receiver", allocated(&b.file("disk.img")))]
    {
        eprintln!(
            "{what}: {:.1} MiB on the disk, {:.3} of cp --sparse=always",
            mib(bytes),
            bytes as f64 / copy as f64
        );
    }
    assert_eq!(sent, chunks.len() as u64 * MIB as u64);
}
