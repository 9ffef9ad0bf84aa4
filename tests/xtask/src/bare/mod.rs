//! `cargo xtask bare`: runs CI on a clone of the last commit, on a bare Debian that has nothing but the Rust toolchain.
//! A skipped test counts as failed there.
//!
//! The Debian root is a directory that is made for this run and entered in mount and process namespaces of its own.
//! However the run ends, nothing stays mounted or running, and the directory is removed. The network is the machine's.

mod root;

use crate::cargo::Workspace;
use crate::interrupt;
use cluster::skip;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The script that mounts what the root needs and enters it.
const ENTER: &str = include_str!("enter.sh");

/// Limits the time that debootstrap may take; after that the run fails. It needs about a minute with a fast mirror.
const ROOT_MAX: Duration = Duration::from_secs(15 * 60);

/// Limits the time that the command inside may take; after that the run fails. `.ci/run` ends by itself after 58 minutes,
/// and installs packages before.
const RUN_MAX: Duration = Duration::from_secs(75 * 60);

/// Programs that must be on this machine, and the Debian packages that contain them.
const PROGRAMS: [(&str, &str); 6] = [
    ("debootstrap", "debootstrap"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("pivot_root", "util-linux"),
    ("apt-get", "apt"),
    ("git", "git"),
];

/// The beginnings of the names of variables that configure registries.
const PASSED_ON: [&str; 10] = [
    "CARGO_BUILD_JOBS",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "TERM",
];

/// Makes the root and runs the command inside; `.ci/run` if none is given.
pub(crate) fn run(command: &[OsString]) -> Result<(), String> {
    let begin = Instant::now();
    needs()?;
    interrupt::watch()?;
    let workspace = Workspace::find()?;
    let toolchain = root::toolchain()?;
    let home = tempfile::Builder::new().prefix("tinytorrent-bare-").tempdir_in("/var/tmp");
    let home = home.map_err(|error| format!("cannot create a directory in /var/tmp: {error}"))?;
    let place = home.path().join("root");

    step(begin, &format!("1/4: making a bare Debian root in {}", place.display()));
    debootstrap(&place, &home.path().join("debootstrap.log"))?;

    step(
        begin,
        &format!("2/4: copying commit {} and the configuration of apt and cargo", root::commit(&workspace)?),
    );
    root::furnish(&workspace, &place)?;

    let usual = [OsString::from(".ci/run")];
    let command = if command.is_empty() { &usual[..] } else { command };
    let shown = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    step(begin, &format!("3/4: running {shown} in it"));
    let ran =
        run_within(inside(&place, &toolchain, command), RUN_MAX).map_err(|error| format!("{shown}: {error}"));

    step(begin, "4/4: removing the root");
    let place = home.path().to_owned();
    let removed = home.close().map_err(|error| format!("cannot remove {}: {error}", place.display()));
    ran.and(removed)?;
    step(begin, &format!("{shown} passed on bare Debian"));
    Ok(())
}

/// Makes the root. debootstrap's output is shown only when it fails.
fn debootstrap(place: &Path, log: &Path) -> Result<(), String> {
    let file = File::create(log).map_err(|error| format!("cannot create {}: {error}", log.display()))?;
    let mut make = isolated();
    make.arg("debootstrap").args(root::debootstrap(place)?.get_args()).stdout(file);
    run_within(make, ROOT_MAX).map_err(|error| {
        let said = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        format!("debootstrap: {error}\n{}", lines[lines.len().saturating_sub(15)..].join("\n"))
    })
}

fn step(begin: Instant, text: &str) {
    let s = begin.elapsed().as_secs();
    println!("\n#### bare, {} min {:02} s: {text}", s / 60, s % 60);
}

/// An error if this machine lacks something.
fn needs() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err(
            "`cargo xtask bare` must be run as root, because it mounts and changes the root directory"
                .to_owned(),
        );
    }
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let is_missing = |name: &str| !folders.iter().any(|folder| Path::new(folder).join(name).exists());
    let missing = PROGRAMS.iter().find(|(name, _)| is_missing(name));
    missing.map_or(Ok(()), |(name, package)| {
        Err(format!("{name} is not installed; install it with `apt-get install {package}`"))
    })
}

/// A command in namespaces of its own. Their processes end with the first of them, and that ends with us.
fn isolated() -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--",
    ]);
    command
}

/// The command in the root. Of this machine's variables it sees only those that configure registries.
fn inside(root: &Path, toolchain: &Path, command: &[OsString]) -> Command {
    let mut enter = isolated();
    enter.args(["/bin/sh", "-c", ENTER, "sh"]).args([root, toolchain]).args(command);
    let passed_on = std::env::vars_os().filter(|(name, _)| is_passed_on(&name.to_string_lossy()));
    enter.env_clear();
    if root.join(root::CERTIFICATES_INSIDE.trim_start_matches('/')).is_file() {
        enter.env("CARGO_HTTP_CAINFO", root::CERTIFICATES_INSIDE);
    }
    enter.envs(passed_on);
    enter.env("PATH", "/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    enter.env("HOME", "/root").env("CARGO_HOME", "/root/.cargo").env("LANG", "C.UTF-8").env("CI", "true");
    enter.env(skip::MUST_RUN, "1");
    enter
}

/// Whether a variable is passed on; those with secrets are not.
fn is_passed_on(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_secret = ["TOKEN", "PASSWORD", "SECRET", "CREDENTIAL"].iter().any(|word| upper.contains(word));
    !is_secret && PASSED_ON.iter().any(|begin| upper.starts_with(begin))
}

/// Runs a command until it ends, `longest` is over or somebody presses ^C.
fn run_within(mut command: Command, longest: Duration) -> Result<(), String> {
    let latest = Instant::now() + longest;
    // ^C reaches only us: we end the command and then clean up.
    let child = command.stdin(Stdio::null()).process_group(0).spawn();
    let mut child = child.map_err(|error| format!("cannot run unshare: {error}"))?;
    loop {
        match child.try_wait().map_err(|error| format!("cannot wait: {error}"))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("failed with {status}")),
            None => (),
        }
        if let Err(interrupted) = interrupt::check() {
            end(&mut child);
            return Err(interrupted);
        }
        if Instant::now() > latest {
            end(&mut child);
            return Err(format!("did not end within {} min", longest.as_secs() / 60));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ends all processes of the namespace: its first process dies with this one, and all others with that.
fn end(child: &mut Child) {
    let _ = child.kill().and_then(|()| child.wait()); // it may have ended by itself
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_passed_on_and_secrets_are_not() {
        for name in
            ["CARGO_HTTP_PROXY", "https_proxy", "CARGO_REGISTRIES_OURS_INDEX", "CARGO_SOURCE_X_REPLACE_WITH"]
        {
            assert!(is_passed_on(name), "{name}");
        }
        for name in
            ["CARGO_REGISTRY_TOKEN", "CARGO_REGISTRIES_OURS_TOKEN", "PATH", "RUSTFLAGS", "CARGO_TARGET_DIR"]
        {
            assert!(!is_passed_on(name), "{name}");
        }
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let mut command = Command::new("sleep");
        command.arg("1000");
        let error = run_within(command, Duration::from_millis(10)).expect_err("it sleeps");
        assert!(error.contains("did not end"), "{error}");
    }
}
