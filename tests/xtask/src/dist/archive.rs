//! Makes the release archive, with the same bytes for the same binaries on every machine.

use super::generated;
use crate::cargo::{Workspace, must};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files and directories of the repository that go into the archive.
const CONTENTS: [&str; 9] = [
    "config",
    "systemd",
    "docs",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

const PROGRAMS: [&str; 3] = ["ttd", "ttctl", "tt-tracker"];

/// The directory in which each shell looks for completions, below /usr/local or /usr.
const SHELLS: [(&str, &str); 3] = [
    ("ttctl", "share/bash-completion/completions"),
    ("_ttctl", "share/zsh/site-functions"),
    ("ttctl.fish", "share/fish/vendor_completions.d"),
];

/// Makes the archive of these binaries and returns its path. Its directories `bin` and `share` belong into /usr/local.
pub(super) fn make(workspace: &Workspace, binaries: &Path, dist: &Path) -> Result<PathBuf, String> {
    let top = format!("tinytorrent-{}", workspace.version);
    let name = format!("{top}-{}-{}.tar.gz", std::env::consts::OS, std::env::consts::ARCH);

    let generated = binaries.join("generated");
    generated::make(workspace, binaries, &generated)?;
    stage(&workspace.root, binaries, &generated, &dist.join(&top))
        .map_err(|error| format!("cannot fill {}: {error}", dist.display()))?;
    // Without the symbols that only a debugger reads.
    let bin = dist.join(&top).join("bin");
    must(Command::new("strip").args(PROGRAMS.map(|name| bin.join(name))))?;
    let archive = dist.join(&name);
    let tar = dist.join(format!("{name}.part"));
    let owner = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=ustar"];
    let mut command = Command::new("tar");
    command.current_dir(dist).args(owner).arg(format!("--mtime=@{}", time(workspace)));
    must(
        command
            .args(["--use-compress-program", "gzip --best --no-name", "--create", "--file"])
            .arg(&tar)
            .arg(&top),
    )?;
    fs::rename(&tar, &archive).map_err(|error| format!("cannot create {}: {error}", archive.display()))?;

    Ok(archive)
}

fn stage(root: &Path, binaries: &Path, generated: &Path, top: &Path) -> std::io::Result<()> {
    if top.exists() {
        fs::remove_dir_all(top)?;
    }
    fs::create_dir_all(top.join("bin"))?;
    for name in PROGRAMS {
        put(&binaries.join(name), &top.join("bin").join(name), 0o755)?;
    }
    for name in CONTENTS {
        let from = root.join(name);
        if from.exists() {
            put_all(&from, &top.join(name))?;
        }
    }
    for package in ["tinytorrent", "tinytorrent-tracker"] {
        put_all(&generated.join(package), &top.join("share/man"))?;
    }
    for (name, folder) in SHELLS {
        fs::create_dir_all(top.join(folder))?;
        put(&generated.join("completions").join(name), &top.join(folder).join(name), 0o644)?;
    }
    for folder in ["", "bin", "share", "share/zsh", "share/fish", "share/bash-completion"] {
        fs::set_permissions(top.join(folder), fs::Permissions::from_mode(0o755))?;
    }
    SHELLS
        .iter()
        .try_for_each(|(_, folder)| fs::set_permissions(top.join(folder), fs::Permissions::from_mode(0o755)))
}

fn put_all(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return put(from, to, 0o644);
    }
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        put_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn put(from: &Path, to: &Path, mode: u32) -> std::io::Result<()> {
    fs::copy(from, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))
}

/// The modification time of all files in the archive: the builder's variable, or the time of the last commit, or that
/// of the lock file. It is never missing, because lintian refuses a package with files of 1970.
pub(super) fn time(workspace: &Workspace) -> String {
    if let Ok(time) = std::env::var("SOURCE_DATE_EPOCH") {
        return time;
    }
    time_of_commit(&workspace.root).unwrap_or_else(|| time_of_file(&workspace.root.join("Cargo.lock")))
}

/// Returns `None` without git or outside a repository.
fn time_of_commit(root: &Path) -> Option<String> {
    let git = Command::new("git").current_dir(root).args(["log", "-1", "--format=%ct"]).output();
    let time = String::from_utf8(git.ok()?.stdout).ok()?.trim().to_owned();
    Some(time).filter(|time| !time.is_empty())
}

fn time_of_file(path: &Path) -> String {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let since = modified.and_then(|modified| modified.duration_since(std::time::UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_programs_pages_and_completions_where_they_belong() {
        let folder = tempfile::tempdir().unwrap();
        let (root, binaries) = (folder.path().join("root"), folder.path().join("binaries"));
        let (generated, top) = (folder.path().join("generated"), folder.path().join("top"));
        let write = |path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        };
        CONTENTS.iter().for_each(|name| write(root.join(name)));
        PROGRAMS.iter().for_each(|name| write(binaries.join(name)));
        write(generated.join("tinytorrent/man1/ttctl.1"));
        write(generated.join("tinytorrent-tracker/man1/tt-tracker.1"));
        SHELLS.iter().for_each(|(name, _)| write(generated.join("completions").join(name)));
        stage(&root, &binaries, &generated, &top).unwrap();
        for path in [
            "bin/ttd",
            "share/man/man1/ttctl.1",
            "share/man/man1/tt-tracker.1",
            "share/zsh/site-functions/_ttctl",
            "LICENSE-MIT",
        ] {
            assert!(top.join(path).is_file(), "{path}");
        }
        let mode = |path: &str| fs::metadata(top.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            [mode("bin/ttd"), mode("share/man"), mode("share/man/man1/ttctl.1")],
            [0o755, 0o755, 0o644]
        );
    }

    /// A reader of the archive finds what README.md links to.
    #[test]
    fn the_archive_has_what_readme_links_to() {
        let readme = include_str!("../../../../README.md");
        let links: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        for link in links.iter().filter(|link| !link.contains("://")) {
            let first = link.split('/').next().unwrap_or(link);
            assert!(CONTENTS.contains(&first), "{link}");
        }
        assert!(links.len() > 10);
    }

    #[test]
    fn a_tree_without_git_has_a_time_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Cargo.lock"), "").unwrap();
        let time: u64 = time_of_file(&folder.path().join("Cargo.lock")).parse().unwrap();
        assert!(time > 1_700_000_000, "{time}");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(time_of_commit(&root).is_none_or(|time| time.parse::<u64>().is_ok()));
    }
}
