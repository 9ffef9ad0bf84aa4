//! The Debian root: the smallest that debootstrap makes, with the committed tree and the configuration for this
//! machine's registries. No password or token is copied.

use crate::cargo::{Workspace, must};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of the source inside the root.
pub(super) const TREE: &str = "build";

/// The certificates that this machine trusts, including those of a proxy.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Their path inside, for cargo.
pub(super) const CERTIFICATES_INSIDE: &str = "/opt/certificates.crt";

/// The format in which `apt-get` prints its sources.
const SOURCES: &str =
    "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)";

/// The call of debootstrap.
pub(super) fn debootstrap(root: &Path) -> Result<Command, String> {
    let release = read(Path::new("/etc/os-release"))?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = codename.ok_or("/etc/os-release names no VERSION_CODENAME; this needs Debian")?;
    let site = output(
        Command::new("apt-get")
            .args(["indextargets", "--format", "$(SITE) $(CODENAME) $(COMPONENT)"])
            .arg("Created-By: Packages"),
    )?;
    let site = site.lines().find_map(|line| line.strip_suffix(&format!(" {suite} main")));
    let site = site.ok_or(format!(
        "apt has no source for {suite} main; see `apt-get indextargets` and /etc/apt/sources.list"
    ))?;
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", suite]).arg(root).arg(site);
    Ok(command)
}

/// Adds what Debian lacks: this machine's registries, and the last committed tree.
pub(super) fn furnish(workspace: &Workspace, root: &Path) -> Result<(), String> {
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        copy_if_there(Path::new(file), &root.join(file.trim_start_matches('/')))?;
    }
    // In another place, because installing ca-certificates overwrites those of the root.
    let certificates = root.join(CERTIFICATES_INSIDE.trim_start_matches('/'));
    copy_if_there(Path::new(CERTIFICATES), &certificates)?;
    let mut sources = Command::new("apt-get");
    sources.args(["indextargets", "--format", SOURCES, "Created-By: Packages", "Origin: Debian"]);
    write(&root.join("etc/apt/sources.list"), &output(&mut sources)?)?;
    let settings = output(Command::new("apt-config").args(["dump", "Acquire"]))?;
    write(&root.join("etc/apt/apt.conf.d/90as-outside"), &settings)?;

    let (from, to) = (cargo_home()?, root.join("root/.cargo"));
    for file in ["config.toml", "config"] {
        copy_if_there(&from.join(file), &to.join(file))?;
    }
    // The packages that were fetched already. They are unpacked again.
    for folder in ["registry/index", "registry/cache"] {
        if from.join(folder).is_dir() {
            make(&to.join("registry"))?;
            must(Command::new("cp").arg("--archive").args([from.join(folder), to.join(folder)]))?;
        }
    }

    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--no-hardlinks", "--single-branch"]);
    must(clone.arg(&workspace.root).arg(root.join(TREE)))
}

/// The commit that is tested, and how many files have changes that are not committed and therefore not tested.
pub(super) fn commit(workspace: &Workspace) -> Result<String, String> {
    let git = |args: &[&str]| output(Command::new("git").current_dir(&workspace.root).args(args));
    let commit = git(&["log", "-1", "--format=%h %s"])?;
    let changed = git(&["status", "--porcelain"])?.lines().count();
    let beside = if changed > 0 {
        format!(" (without the uncommitted changes to {changed} files)")
    } else {
        String::new()
    };
    Ok(format!("{}{beside}", commit.trim()))
}

/// The toolchain's directory: cargo and rustc must be in its `bin`.
pub(super) fn toolchain() -> Result<PathBuf, String> {
    let sysroot = PathBuf::from(output(Command::new("rustc").args(["--print", "sysroot"]))?.trim());
    match sysroot.join("bin/cargo").is_file() && sysroot != Path::new("/usr") {
        true => Ok(sysroot),
        false => Err(format!(
            "the Rust toolchain in {} is not from rustup and cannot be mounted in the root; install rustup",
            sysroot.display()
        )),
    }
}

fn cargo_home() -> Result<PathBuf, String> {
    let own = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(own)
        .ok_or("neither $CARGO_HOME nor $HOME is set".to_owned())
}

fn copy_if_there(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_file() {
        return Ok(());
    }
    make(to.parent().ok_or("a file has a directory")?)?;
    fs::copy(from, to).map(drop).map_err(|error| format!("cannot copy {}: {error}", from.display()))
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The standard output of a command that must succeed.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
