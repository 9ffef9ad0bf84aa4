//! The Debian root of all machines. debootstrap makes it once from the archive that this machine uses, and it is kept
//! in a cache outside the project.

use crate::command::{must, words};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Beyond the minimal system: what boots, what the machines are asked with, and what docs/recipes.md is about.
/// debootstrap takes no virtual package: python3-cffi-backend is named since python3-cryptography asks for what it
/// provides.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,libpam-systemd,iproute2,procps,\
    ansible-core,cron,jq,openssh-server,python3-cffi-backend,sudo";

/// The edition of the root. It is raised when the code below changes, so that an older root is not used.
const EDITION: u32 = 2;

/// The path of the root.
pub(crate) fn path() -> Result<PathBuf, String> {
    let cache = std::env::var_os("TT_FLEET_CACHE").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from("/var/cache/tinytorrent-fleet"));
    Ok(cache.join(format!("{}-{EDITION}", suite()?)))
}

/// Makes the root, unless it is there.
pub(crate) fn provide() -> Result<(), String> {
    let root = path()?;
    if root.is_dir() {
        println!("the Debian root is there: {}", root.display());
        return Ok(());
    }
    println!("making the Debian root {} ...", root.display());
    let cache = root.parent().ok_or("the cache has no place")?;
    fs::create_dir_all(cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let half = tempfile::Builder::new().prefix("half-made-").tempdir_in(cache);
    let half = half.map_err(|error| format!("{}: {error}", cache.display()))?;
    let made = half.path().join("root");
    let mut command = Command::new("debootstrap");
    command.arg("--variant=minbase").arg(format!("--include={PACKAGES}"));
    let log = fs::File::create(half.path().join("log")).map_err(|error| error.to_string())?;
    let log_err = log.try_clone().map_err(|error| error.to_string())?;
    let status = command.args([&suite()?]).arg(&made).arg(archive()?).stdout(log).stderr(log_err).status();
    if !status.is_ok_and(|status| status.success()) {
        let log = fs::read_to_string(half.path().join("log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(15).collect();
        return Err(format!(
            "debootstrap failed:\n{}",
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        ));
    }
    furnish(&made).map_err(|error| format!("{}: {error}", made.display()))?;
    let_root_log_in(&made)?;
    fs::rename(&made, &root).map_err(|error| format!("{}: {error}", root.display()))
}

/// Our release.
fn suite() -> Result<String, String> {
    let release =
        fs::read_to_string("/etc/os-release").map_err(|error| format!("/etc/os-release: {error}"))?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    codename.map(str::to_owned).ok_or("this Debian has no codename".to_owned())
}

/// The archive that this machine has its own packages of our release from.
fn archive() -> Result<String, String> {
    let suite = suite()?;
    let format = "$(SITE) $(CODENAME) $(COMPONENT)";
    let targets = must(words("apt-get", &["indextargets", "--format", format, "Created-By: Packages"]))?;
    let fits = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words[..], [_, codename, "main"] if codename == suite)
    };
    let line = targets.lines().find(fits);
    let site = line.and_then(|line| line.split(' ').next()).map(str::to_owned);
    site.ok_or(format!("apt has no source for {suite} main here (apt-get indextargets)"))
}

/// Configures the root for machines: the journal is kept, the network is ours, and no timers run.
fn furnish(root: &Path) -> std::io::Result<()> {
    let etc = root.join("etc");
    fs::create_dir_all(root.join("var/log/journal"))?;
    fs::write(etc.join("machine-id"), "")?;
    let _ = fs::remove_file(etc.join("hostname"));
    let wants = etc.join("systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    symlink("/lib/systemd/system/systemd-networkd.service", wants.join("systemd-networkd.service"))?;
    let online = etc.join("systemd/system/network-online.target.wants");
    fs::create_dir_all(&online)?;
    let wait_online = "systemd-networkd-wait-online.service";
    symlink(format!("/lib/systemd/system/{wait_online}"), online.join(wait_online))?;
    let timers = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer"];
    for unit in timers.iter().chain(&["console-getty.service", "fstrim.timer"]) {
        symlink("/dev/null", etc.join("systemd/system").join(unit))?;
    }
    Ok(())
}

/// Lets root of each machine log in to every other one with ssh, without a question.
fn let_root_log_in(root: &Path) -> Result<(), String> {
    let at = |error: std::io::Error| format!("{}: {error}", root.display());
    let home = root.join("root/.ssh");
    fs::create_dir_all(&home).map_err(at)?;
    let mut keygen = words("chroot", &[]);
    keygen.arg(root).args(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519"]);
    must(keygen)?;
    fs::copy(home.join("id_ed25519.pub"), home.join("authorized_keys")).map_err(at)?;
    let key = fs::read_to_string(root.join("etc/ssh/ssh_host_ed25519_key.pub")).map_err(at)?;
    fs::write(root.join("etc/ssh/ssh_known_hosts"), format!("* {key}")).map_err(at)
}
