//! Gives a test a mount namespace of its own, for disks that are small, full, read-only or missing. The namespace goes
//! with the last of its processes, so nothing is left behind.

use crate::again::{run_once_more, test_name};
use crate::process::Process;
use crate::skip::{not_in_this_kernel, skipped};
use crate::{CAP, program, wait_until};
use std::path::Path;
use std::process::Command;

/// The number with which statfs identifies a FUSE file system.
const FUSE: rustix::fs::FsWord = 0x6573_5546;

/// Set inside the second run of the test.
const INSIDE: &str = "TT_OWN_MOUNTS";

/// Runs the calling test once more in a mount namespace of its own, and returns `true` inside that run. Returns `false`
/// outside it, when that run is done or, with a message, if the rights for it are missing.
#[track_caller]
pub fn own_mounts() -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        skipped("it mounts file systems, which only root may do");
        return false;
    }
    let binaries = program("ttd");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    command.arg(std::env::current_exe().expect("the test's own program"));
    command.env(INSIDE, "1").env("TT_BIN", binaries.parent().expect("it is in a folder"));
    run_once_more(&mut command, &test_name());
    false
}

/// Makes a pipe. Mounted over a file, it blocks whoever opens that file.
#[track_caller]
pub fn make_pipe(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status();
    assert!(status.is_ok_and(|status| status.success()), "mkfifo {}", path.display());
}

/// Mounts a file system of `mib` MiB in memory.
#[track_caller]
pub fn mount_tmpfs(folder: &Path, mib: u32) {
    std::fs::create_dir_all(folder).expect("a folder to mount on");
    mount(&["-t", "tmpfs", "-o", &format!("size={mib}m,mode=755"), "tmpfs", text(folder)]);
}

/// Makes and mounts a btrfs of `mib` MiB in a file beside `folder`. Returns `false`, and prints why, where that is
/// impossible.
#[track_caller]
pub fn mount_btrfs(folder: &Path, mib: u64) -> bool {
    if !make_image(folder, mib, &["mkfs.btrfs", "--quiet", "--mixed"]) {
        skipped("mkfs.btrfs is missing or fails (apt-get install btrfs-progs)");
        return false;
    }
    let is_mounted = mount_image(folder);
    if !is_mounted {
        skipped("this kernel mounts no btrfs, or has no loop device left");
    }
    is_mounted
}

/// Makes and mounts an ext4 of `mib` MiB in a file beside `folder`. Returns `false`, and prints why, where that is
/// impossible.
#[track_caller]
pub fn mount_ext4(folder: &Path, mib: u64) -> bool {
    if !make_image(folder, mib, &["mkfs.ext4", "-q"]) {
        skipped("mkfs.ext4 is missing or fails (apt-get install e2fsprogs)");
        return false;
    }
    let is_mounted = mount_image(folder);
    if !is_mounted {
        skipped("this kernel mounts no ext4, or has no loop device left");
    }
    is_mounted
}

/// Makes and mounts an ext4 of 64 MiB in a file beside `folder`, with a directory in it that takes names that differ in
/// case or normal form for the same. Returns `false`, and prints why, where that is impossible.
#[track_caller]
pub fn mount_casefold(folder: &Path, directory: &str) -> bool {
    if !make_image(folder, 64, &["mkfs.ext4", "-q", "-O", "casefold"]) {
        skipped("mkfs.ext4 is missing or knows no casefold (apt-get install e2fsprogs)");
        return false;
    }
    if !mount_image(folder) {
        not_in_this_kernel("it mounts no ext4 with casefold (CONFIG_UNICODE), or has no loop device left");
        return false;
    }
    let directory = folder.join(directory);
    std::fs::create_dir(&directory).expect("a directory is made");
    let folds = Command::new("chattr").arg("+F").arg(&directory).output();
    if !folds.is_ok_and(|folds| folds.status.success()) {
        not_in_this_kernel("chattr +F fails: it folds no names");
        return false;
    }
    true
}

/// Makes a file system of `mib` MiB in a file beside `folder` with a program and its options. Returns whether that
/// succeeded.
#[track_caller]
fn make_image(folder: &Path, mib: u64, program: &[&str]) -> bool {
    let image = folder.with_extension("image");
    let file = std::fs::File::create(&image).and_then(|file| file.set_len(mib << 20));
    file.expect("room for a sparse file");
    let made = Command::new(program[0]).args(&program[1..]).arg(&image).output();
    made.is_ok_and(|made| made.status.success())
}

/// Mounts what [`make_image`] made. Returns whether that succeeded.
#[track_caller]
fn mount_image(folder: &Path) -> bool {
    std::fs::create_dir_all(folder).expect("a folder to mount on");
    let image = folder.with_extension("image");
    let mounted = Command::new("mount").args(["-o", "loop", text(&image), text(folder)]).output();
    mounted.is_ok_and(|mounted| mounted.status.success())
}

/// Shows a folder at another place as well.
#[track_caller]
pub fn mount_bind(from: &Path, to: &Path) {
    mount(&["--bind", text(from), text(to)]);
}

/// Makes a mounted file system read-only or writable.
#[track_caller]
pub fn remount(folder: &Path, read_only: bool) {
    mount(&["-o", if read_only { "remount,ro" } else { "remount,rw" }, text(folder)]);
}

/// Shows a folder at another place through a process, as a file server would. While that process is stopped, every
/// access blocks. Returns `None`, and prints why, where that is impossible.
#[track_caller]
pub fn mount_served(from: &Path, to: &Path, log: &Path) -> Option<Process> {
    let mut command = Command::new("bindfs");
    command.args(["-f", "-o", "attr_timeout=0,entry_timeout=0"]).args([from, to]);
    let is_mounted = || rustix::fs::statfs(to).is_ok_and(|stat| stat.f_type == FUSE);
    let server = Process::start("bindfs", command, log)
        .inspect_err(|_| skipped("bindfs is missing (apt-get install bindfs)"))
        .ok()?;
    wait_until("bindfs serves", CAP, is_mounted);
    Some(server)
}

/// Unmounts a file system even if it is in use.
#[track_caller]
pub fn unmount(folder: &Path) {
    run(Command::new("umount").arg("--lazy").arg(folder));
}

#[track_caller]
fn mount(args: &[&str]) {
    run(Command::new("mount").args(args));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
