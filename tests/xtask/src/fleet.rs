//! `cargo xtask fleet`: makes the packages in two versions and installs them on machines in containers.

use crate::cargo::Workspace;
use crate::dist::{NoPackages, make_packages, prepare};
use std::fs;
use std::process::Command;

/// The exit code of the fleet if this machine cannot run it.
const CANNOT: i32 = 77;

/// Runs this set of machines. Returns `Ok(false)`, after a message, if this machine cannot run it.
pub(crate) fn run(set: &str) -> Result<bool, String> {
    let workspace = Workspace::find()?;
    match prepare(&workspace) {
        Ok(()) => (),
        Err(NoPackages::NotDebian) => {
            println!(
                "the fleet needs Debian packages, and dpkg-deb and dpkg-shlibdeps are not installed \
                 (on Debian: apt-get install dpkg-dev)"
            );
            return Ok(false);
        }
        Err(NoPackages::Failed(error)) => return Err(error),
    }
    let binaries = workspace.build_release()?;
    let dist = workspace.target.join("dist/fleet");
    fs::create_dir_all(&dist).map_err(|error| format!("cannot create {}: {error}", dist.display()))?;
    let later = format!("{}+fleet1", workspace.version);
    let later = make_packages(&workspace, &binaries, &dist, &later)?;
    let first = make_packages(&workspace, &binaries, &dist, &workspace.version)?;
    let mut command: Command = workspace.cargo();
    command.args(["run", "--package", "fleet", "--", "--set", set]);
    command.arg("--daemon").arg(first.daemon).arg("--tracker").arg(first.tracker);
    command.arg("--upgrade").arg(later.daemon);
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(CANNOT) => Ok(false),
        _ => Err("the fleet failed; the reason is printed above".to_owned()),
    }
}
