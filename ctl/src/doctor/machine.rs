//! Checks the shared directory, its file system and the port for peers, as far as any process on this machine can see
//! them.

use super::findings::{Findings, Verdict};
use crate::human;
use rustix::fs::Access;
use shared::host::config::ListenAddr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long to wait for a connection to ttd's own port. It is on this machine, so a port that takes longer is blocked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Checks the directory that a ttd would share, with the caller's rights. Returns whether it exists.
pub(super) fn folder_of_nobody(folder: &Path, findings: &mut Findings) -> bool {
    let shown = folder.display();
    let Ok(metadata) = std::fs::metadata(folder) else {
        let parent = folder.parent().is_some_and(Path::is_dir);
        match parent {
            true => findings.ok("directory", format!("{shown} does not exist; ttd creates it")),
            false => findings.add(
                "directory",
                Verdict::Warning,
                format!("{shown} does not exist, nor does its parent directory"),
                Some("create the parent directory; ttd creates only the last one".to_owned()),
            ),
        }
        return false;
    };
    if !metadata.is_dir() {
        let hint = "start `ttd DIRECTORY`, or set `directory` in ttd.toml".to_owned();
        findings.add("directory", Verdict::Failure, format!("{shown} is not a directory"), Some(hint));
    } else if rustix::fs::access(folder, Access::WRITE_OK).is_err() {
        let hint = "this is fine if ttd runs as a user who can".to_owned();
        findings.add("directory", Verdict::Warning, format!("you cannot write to {shown}"), Some(hint));
    } else {
        findings.ok("directory", format!("you can write to {shown}"));
    }
    if let Ok(stat) = rustix::fs::statvfs(folder) {
        let bytes = |blocks: u64| human::bytes(blocks.saturating_mul(stat.f_frsize));
        findings.ok("space", format!("{} of {} free", bytes(stat.f_bavail), bytes(stat.f_blocks)));
    }
    metadata.is_dir()
}

/// Checks the kind of file system that a directory is on.
pub(super) fn file_system(folder: &Path, findings: &mut Findings) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let Some((place, kind)) = mount_of(&table, &folder) else { return };
    let says = format!("{kind}, mounted at {}", place.display());
    let warning = match kind.as_str() {
        "tmpfs" | "ramfs" => "files in memory are lost at a reboot",
        "vfat" | "msdos" => "files are limited to 4 GiB",
        "nfs" | "nfs4" | "cifs" | "smb3" | "fuse.sshfs" | "9p" => {
            "a network file system: chunks cross the network twice, and ttd waits for its server"
        }
        _ => return findings.ok("file system", says),
    };
    let hint = "use a directory on a local disk".to_owned();
    findings.add("file system", Verdict::Warning, format!("{says}; {warning}"), Some(hint));
}

/// The mount that a path is on, from the lines of mountinfo: its mount point and its type.
fn mount_of(table: &str, path: &Path) -> Option<(PathBuf, String)> {
    let mounts = table.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let place = PathBuf::from(unescape(before.split(' ').nth(4)?));
        Some((place, after.split(' ').next()?.to_owned()))
    });
    // if several are mounted at one place, the last one hides the others
    mounts.filter(|(place, _)| path.starts_with(place)).max_by_key(|(place, _)| place.components().count())
}

/// Decodes the kernel's notation, in which a blank is `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

/// Checks the port of a running ttd.
pub(super) async fn listens(listen: SocketAddr, findings: &mut Findings) {
    let near: IpAddr = match listen.ip() {
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let connecting = TcpStream::connect(SocketAddr::new(near, listen.port()));
    let why = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(_)) if listen.ip().is_loopback() => {
            let hint = "remove `listen`, or set it to an address that other machines can reach".to_owned();
            let says = format!("ttd listens on {listen}: other machines cannot reach it");
            return findings.add("peer port", Verdict::Warning, says, Some(hint));
        }
        Ok(Ok(_)) => {
            let says = format!(
                "ttd listens on {listen}; other machines must be able to reach port {}/tcp",
                listen.port()
            );
            return findings.ok("peer port", says);
        }
        Ok(Err(error)) => shared::plain::io_error(&error),
        Err(_) => "no answer".to_owned(),
    };
    let hint = "a firewall on this machine may block it; else see `journalctl -u ttd`".to_owned();
    findings.add("peer port", Verdict::Failure, format!("no answer on {listen}: {why}"), Some(hint));
}

/// Checks the port that a ttd would use.
pub(super) async fn port_is_free(listen: Option<ListenAddr>, has_folder: bool, findings: &mut Findings) {
    let listen = listen.unwrap_or(ListenAddr::PEERS).0;
    match shared::rpc::listen(listen) {
        Ok(_) => findings.ok("peer port", format!("{listen} is free")),
        Err(error) if has_folder && error.kind() == std::io::ErrorKind::AddrInUse => {
            findings.ok("peer port", format!("{listen} is in use; `ttd DIRECTORY` takes the next free port"));
        }
        Err(error) => {
            let hint = "stop that process, or choose another port with `listen` in ttd.toml".to_owned();
            findings.add("peer port", Verdict::Failure, error.to_string(), Some(hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:5 / /srv rw - xfs /dev/sdb1 rw
31 22 0:6 / /srv/my\\040files rw,relatime - nfs4 nas:/x rw
32 22 0:7 / /srvother rw - tmpfs tmpfs rw
33 30 0:8 / /srv rw - btrfs /dev/sdc1 rw
";

    #[test]
    fn the_mount_is_the_nearest_and_the_one_on_top() {
        let kind = |path: &str| mount_of(TABLE, Path::new(path)).unwrap().1;
        assert_eq!(kind("/srv/my files/x"), "nfs4");
        assert_eq!(kind("/srv/myfiles"), "btrfs");
        assert_eq!(kind("/srvother"), "tmpfs");
        assert_eq!(kind("/home"), "ext4");
        assert_eq!(mount_of("", Path::new("/")), None);
    }
}
