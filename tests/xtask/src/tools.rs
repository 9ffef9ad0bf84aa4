//! The extensions of cargo: `cargo deb` makes the packages, `cargo deny` checks licenses and sources, `cargo mutants` tries
//! the tests.

use crate::cargo::{Workspace, must};
use std::process::Stdio;

/// A subcommand of cargo that is a program of its own.
pub(crate) struct Tool {
    subcommand: &'static str,
    package: &'static str,
    /// The accepted versions, in the form of `cargo install --version`, which refuses a bare "3".
    version: &'static str,
}

pub(crate) const CARGO_DEB: Tool = Tool { subcommand: "deb", package: "cargo-deb", version: "^3" };

pub(crate) const CARGO_DENY: Tool = Tool { subcommand: "deny", package: "cargo-deny", version: "^0.20" };

pub(crate) const CARGO_MUTANTS: Tool =
    Tool { subcommand: "mutants", package: "cargo-mutants", version: "^27" };

/// Settings for a fast build: the tools run for seconds, while their own profiles optimize for minutes.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

impl Tool {
    fn is_there(&self, workspace: &Workspace) -> bool {
        let mut version = workspace.cargo();
        version.args([self.subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        version.status().is_ok_and(|status| status.success())
    }

    /// Installs it unless some version is there, since somebody chose that one.
    pub(crate) fn provide(&self, workspace: &Workspace) -> Result<(), String> {
        if self.is_there(workspace) {
            return Ok(());
        }
        println!("installing {} {} (once; building it takes some minutes) ...", self.package, self.version);
        let mut install = workspace.cargo();
        install.args(["install", "--locked", self.package, "--version", self.version]);
        // One target directory for all tools, because they have many crates in common.
        install.env("CARGO_TARGET_DIR", workspace.target.join("tools")).envs(PROFILE);
        must(&mut install).map_err(|error| format!("cannot install {}: {error}", self.package))?;
        match self.is_there(workspace) {
            true => Ok(()),
            false => Err(format!(
                "{} was installed, but cargo does not find it: add cargo's bin directory (~/.cargo/bin) to $PATH",
                self.package
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cargo accepts a full version or a requirement with an operator.
    #[test]
    fn cargo_install_takes_the_versions() {
        for tool in [CARGO_DEB, CARGO_DENY, CARGO_MUTANTS] {
            let is_full = tool.version.split('.').count() == 3;
            let has_operator = tool.version.starts_with(['^', '~', '=', '<', '>']);
            assert!(is_full || has_operator, "cargo install {} --version {}", tool.package, tool.version);
        }
    }
}
