//! `cargo xtask dist`: the release archive, the Debian packages and their SHA-256, in target/dist.

mod archive;
mod changelog;
mod documents;
mod generated;
mod packages;
mod sums;

pub(crate) use packages::{NoPackages, make as make_packages, prepare};

use crate::cargo::Workspace;
use cluster::skip;
use std::fs;

/// Builds everything and prints paths, sizes and SHA-256. The hashes are also written to a file.
pub(crate) fn run() -> Result<(), String> {
    let workspace = Workspace::find()?;
    let can_pack = match prepare(&workspace) {
        Ok(()) => true,
        Err(NoPackages::NotDebian) => {
            skip::chore(
                "the Debian packages",
                "dpkg-deb and dpkg-shlibdeps are not installed (on Debian: apt-get install dpkg-dev)",
            )?;
            false
        }
        Err(NoPackages::Failed(error)) => return Err(error),
    };
    let binaries = workspace.build_release()?;
    let dist = workspace.target.join("dist");
    fs::create_dir_all(&dist).map_err(|error| format!("cannot create {}: {error}", dist.display()))?;
    let mut made = vec![archive::make(&workspace, &binaries, &dist)?];
    if can_pack {
        let packages = packages::make(&workspace, &binaries, &dist, &workspace.version)?;
        packages::lint(&packages)?;
        made.extend([packages.daemon, packages.tracker]);
    }
    for path in &made {
        let bytes =
            fs::metadata(path).map_err(|error| format!("cannot open {}: {error}", path.display()))?.len();
        println!("{}: {bytes} bytes", path.display());
    }
    let sums = sums::write(&dist, &made)?;
    print!("{}:\n{}", dist.join(sums::NAME).display(), sums);
    Ok(())
}
