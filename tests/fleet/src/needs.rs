//! Checks this machine, and prepares the run's namespaces.

use crate::command::{must, words};
use std::fs;
use std::path::Path;

/// Needed programs, and the Debian packages that contain them.
const PROGRAMS: [(&str, &str); 8] = [
    ("systemd-nspawn", "systemd-container"),
    ("debootstrap", "debootstrap"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("mount", "mount"),
    ("ip", "iproute2"),
    ("apt-get", "apt"),
    ("dpkg", "dpkg"),
];

/// Checks whether the fleet can run here. The error has a line for each missing thing.
pub(crate) fn check() -> Result<(), String> {
    let mut missing = Vec::new();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    if uid.split_whitespace().nth(1) != Some("0") {
        missing.push("  it needs root: it mounts, boots containers and makes a network".to_owned());
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !release.lines().any(|line| line == "ID=debian") {
        missing
            .push("  it needs Debian: it installs Debian packages on the release that it runs on".to_owned());
    }
    for (program, package) in PROGRAMS {
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        if !folders.iter().any(|folder| Path::new(folder).join(program).exists()) {
            missing.push(format!("  {program} is not installed (apt-get install {package})"));
        }
    }
    for file_system in ["overlay", "cgroup2"] {
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if !known.lines().any(|line| line.split_whitespace().last() == Some(file_system)) {
            missing.push(format!("  the kernel has no {file_system} (modprobe {file_system})"));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n")) }
}

/// Mounts that only this run sees: one plain tree of control groups, whatever the machine itself uses, and a place
/// for what systemd-nspawn notes.
pub(crate) fn prepare_mounts() -> Result<(), String> {
    must(words("mount", &["--make-rprivate", "/"]))?;
    must(words("mount", &["-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"]))?;
    fs::create_dir_all("/run/systemd").map_err(|error| format!("/run/systemd: {error}"))?;
    must(words("mount", &["-t", "tmpfs", "tmpfs", "/run/systemd"]))?;
    Ok(())
}
