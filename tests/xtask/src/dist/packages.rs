//! Makes the Debian packages. Everything that cargo-deb needs besides the binaries (man pages, completions, changelogs,
//! README.md) is generated into target/release/package, where the `[package.metadata.deb]` of the crates look for it.

use super::archive::time;
use super::{changelog, documents, generated};
use crate::cargo::{Workspace, must};
use crate::tools;
use cluster::skip;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The packages that were made.
pub(crate) struct Packages {
    /// ttd and ttctl.
    pub(crate) daemon: PathBuf,
    /// tt-tracker.
    pub(crate) tracker: PathBuf,
}

/// Why there are no packages.
pub(crate) enum NoPackages {
    /// This machine lacks something for it.
    NotDebian,
    /// A step failed.
    Failed(String),
}

impl From<String> for NoPackages {
    fn from(error: String) -> NoPackages {
        NoPackages::Failed(error)
    }
}

/// Checks for the packaging tools, and installs those that cargo can, before a build of minutes begins.
pub(crate) fn prepare(workspace: &Workspace) -> Result<(), NoPackages> {
    if !is_there("dpkg-deb") || !is_there("dpkg-shlibdeps") {
        return Err(NoPackages::NotDebian);
    }
    Ok(tools::CARGO_DEB.provide(workspace)?)
}

/// Makes both packages of these binaries, with this version, after [`prepare`].
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
        if path.is_file() { Ok(path) } else { Err(format!("cargo-deb did not create {}", path.display())) }
    };
    Ok(Packages { daemon: pack("daemon", "tinytorrent")?, tracker: pack("tracker", "tinytorrent-tracker")? })
}

/// Runs lintian on the packages. An error that it reports is an error; everything else is only printed.
pub(super) fn lint(packages: &Packages) -> Result<(), String> {
    if !is_there("lintian") {
        return skip::chore(
            "lintian on the packages",
            "lintian is not installed (on Debian: apt-get install lintian)",
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

/// Generates what cargo-deb needs besides the binaries.
fn generate(workspace: &Workspace, binaries: &Path, to: &Path, version: &str) -> Result<(), String> {
    generated::make(workspace, binaries, to)?;
    let failed = |error: std::io::Error| format!("cannot fill {}: {error}", to.display());
    let read = |name: &str| {
        let path = workspace.root.join(name);
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    fs::create_dir_all(to.join("documents")).map_err(failed)?;
    fs::write(to.join("documents/README.md"), documents::readme(&read("README.md")?)).map_err(failed)?;
    let (changes, date) = (read("CHANGELOG.md")?, date(workspace)?);
    for package in ["tinytorrent", "tinytorrent-tracker"] {
        let text = changelog::debian(&changes, package, &workspace.version, version, &date)?;
        fs::write(to.join(package).join("changelog"), text).map_err(failed)?;
        // Debian wants changelogs and man pages compressed
        must(Command::new("gzip").args(["--best", "--no-name", "--recursive"]).arg(to.join(package)))?;
    }
    Ok(())
}

/// The date of this version, in the format of RFC 5322.
fn date(workspace: &Workspace) -> Result<String, String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", &format!("--date=@{}", time(workspace))]);
    let output = date.output().map_err(|error| format!("cannot run date: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn architecture() -> Result<String, String> {
    let output = Command::new("dpkg").arg("--print-architecture").output();
    let output = output.map_err(|error| format!("cannot run dpkg: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
