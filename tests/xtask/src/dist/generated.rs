//! Generates man pages and shell completions from the programs.

use crate::cargo::{Workspace, must};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Each shell, and the name of its completion file for ttctl.
pub(super) const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "ttctl"), ("zsh", "_ttctl"), ("fish", "ttctl.fish")];

/// Makes `PACKAGE/manN/PAGE.N` for both packages and `completions/FILE` for each shell, in a new directory.
pub(super) fn make(workspace: &Workspace, binaries: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot fill {}: {error}", to.display());
    if to.exists() {
        fs::remove_dir_all(to).map_err(failed)?;
    }
    println!("generating man pages and completions ...");
    must(workspace.cargo().args(["run", "--quiet", "--release", "--package", "manual", "--"]).arg(to))?;
    fs::create_dir_all(to.join("completions")).map_err(failed)?;
    for (shell, name) in COMPLETIONS {
        let output = Command::new(binaries.join("ttctl")).args(["completions", shell]).output();
        let output = output.map_err(|error| format!("cannot run ttctl: {error}"))?;
        if !output.status.success() || output.stdout.is_empty() {
            return Err(format!("ttctl completions {shell} printed nothing, {}", output.status));
        }
        fs::write(to.join("completions").join(name), output.stdout).map_err(failed)?;
    }
    Ok(())
}
