//! Runs cargo for all commands.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that are delivered. They are the default members of the workspace, so that `cargo build --release`
/// builds the same crates with the same features.
const DELIVERED: [&str; 6] = ["--package", "daemon", "--package", "ctl", "--package", "tracker"];

/// The directories of the workspace and of its build products.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) version: String,
}

impl Workspace {
    /// Asks cargo, which considers CARGO_TARGET_DIR and its own configuration.
    pub(crate) fn find() -> Result<Workspace, String> {
        // Cargo is asked now, not when this was built: the repository may have moved since, or two of them share a
        // target directory.
        let built_in = || env!("CARGO_MANIFEST_DIR").into();
        let manifest_dir = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built_in));
        let output = cargo(&manifest_dir)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
        let path = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).ok_or(format!("cargo metadata names no {key}"))
        };
        Ok(Workspace {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// A cargo command in the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// Builds the release binaries and returns their directory.
    pub(crate) fn build_release(&self) -> Result<PathBuf, String> {
        self.build_release_with(&[])
    }

    /// The same with further packages.
    pub(crate) fn build_release_with(&self, packages: &[&str]) -> Result<PathBuf, String> {
        println!("building the release binaries (minutes the first time, seconds later) ...");
        must(self.cargo().args(["build", "--release", "--bins"]).args(DELIVERED).args(packages))?;
        Ok(self.target.join("release"))
    }
}

/// Runs a command that must succeed. It writes to our stdout and stderr.
pub(crate) fn must(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} failed with {status}")),
        Err(error) => Err(format!("cannot run {program}: {error}")),
    }
}

fn cargo(dir: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(dir);
    command
}
