//! The Debian packages: what cargo-deb needs beside the binaries (man pages, completions, changelogs) is generated
//! into target/release/package, where the `[package.metadata.deb]` of the crates look for it.

use super::archive::time;
use crate::cargo::{Workspace, must};
use crate::tools;
use cluster::skip;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where each shell looks, and what it is called there.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "ttctl"), ("zsh", "_ttctl"), ("fish", "ttctl.fish")];

/// The packages that were made.
pub(crate) struct Packages {
    /// ttd and ttctl.
    pub(crate) daemon: PathBuf,
    /// tt-tracker.
    pub(crate) tracker: PathBuf,
}

/// Why there are no packages.
pub(crate) enum NoPackages {
    /// This machine cannot make any.
    NotDebian,
    /// Something went wrong.
    Failed(String),
}

impl From<String> for NoPackages {
    fn from(error: String) -> NoPackages {
        NoPackages::Failed(error)
    }
}

/// Looks for what makes the packages, and installs what cargo can: before a build of minutes begins.
pub(crate) fn prepare(workspace: &Workspace) -> Result<(), NoPackages> {
    if !is_there("dpkg-deb") || !is_there("dpkg-shlibdeps") {
        return Err(NoPackages::NotDebian);
    }
    Ok(tools::CARGO_DEB.provide(workspace)?)
}

/// Makes both packages of these binaries, with this version. To be prepared first.
pub(crate) fn make(
    workspace: &Workspace,
    binaries: &Path,
    dist: &Path,
    version: &str,
) -> Result<Packages, String> {
    let generated = binaries.join("package");
    generate(workspace, binaries, &generated, version)?;
    let pack = |package: &str, name: &str| {
        println!("packing {name} {version} ...");
        let mut command = workspace.cargo();
        command.args([
            "deb",
            "--quiet",
            "--no-build",
            "--strip",
            "--package",
            package,
            "--deb-version",
            version,
        ]);
        must(command.arg("--output").arg(dist).env("SOURCE_DATE_EPOCH", time(workspace)))?;
        let path = dist.join(format!("{name}_{version}_{}.deb", architecture()?));
        if path.is_file() { Ok(path) } else { Err(format!("cargo-deb has not made {}", path.display())) }
    };
    Ok(Packages { daemon: pack("daemon", "tinytorrent")?, tracker: pack("tracker", "tinytorrent-tracker")? })
}

/// What Debian thinks of the packages: errors are ours, the rest is told.
pub(super) fn lint(packages: &Packages) -> Result<(), String> {
    if !is_there("lintian") {
        return skip::chore(
            "what lintian says of the packages",
            "lintian is not installed (apt-get install lintian)",
        );
    }
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error", "--tag-display-limit", "0"]);
    must(lintian.arg(&packages.daemon).arg(&packages.tracker))
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn generate(workspace: &Workspace, binaries: &Path, to: &Path, version: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    if to.exists() {
        fs::remove_dir_all(to).map_err(failed)?;
    }
    println!("generating man pages and completions ...");
    must(workspace.cargo().args(["run", "--release", "--package", "manual", "--"]).arg(to))?;
    fs::create_dir_all(to.join("completions")).map_err(failed)?;
    for (shell, name) in COMPLETIONS {
        let output = Command::new(binaries.join("ttctl")).args(["completions", shell]).output();
        let output = output.map_err(|error| format!("cannot run ttctl: {error}"))?;
        if !output.status.success() || output.stdout.is_empty() {
            return Err(format!("ttctl completions {shell} ended with {}", output.status));
        }
        fs::write(to.join("completions").join(name), output.stdout).map_err(failed)?;
    }
    for package in ["tinytorrent", "tinytorrent-tracker"] {
        let path = to.join(package).join("changelog");
        fs::write(&path, changelog(workspace, package, version)?).map_err(failed)?;
        // Debian wants changelogs and man pages compressed
        must(Command::new("gzip").args(["--best", "--no-name", "--recursive"]).arg(to.join(package)))?;
    }
    Ok(())
}

/// Debian's form of it: one entry, which points to the project's own.
fn changelog(workspace: &Workspace, package: &str, version: &str) -> Result<String, String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", &format!("--date=@{}", time(workspace))]);
    let output = date.output().map_err(|error| format!("cannot run date: {error}"))?;
    let date = String::from_utf8_lossy(&output.stdout);
    Ok(format!(
        "{package} ({version}) unstable; urgency=medium\n\n  * See CHANGELOG.md of version {}.\n\n -- TinyTorrent maintainers <maintainers@tinytorrent.invalid>  {}\n",
        workspace.version,
        date.trim()
    ))
}

fn architecture() -> Result<String, String> {
    let output = Command::new("dpkg").arg("--print-architecture").output();
    let output = output.map_err(|error| format!("cannot run dpkg: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
