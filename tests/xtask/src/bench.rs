//! `cargo xtask bench`: builds the programs to measure, then becomes the harness in `tests/bench`, which is Python.

use crate::cargo::Workspace;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the harness with these arguments; returns only if something is missing. The harness replaces this process, so
/// that signals reach the one that has to clean up.
pub(crate) fn run(args: &[OsString]) -> Result<(), String> {
    let workspace = Workspace::find()?;
    check_python()?;
    let mut bench = harness(&workspace, args);
    if matches!(args.first().and_then(|arg| arg.to_str()), Some("run" | "create")) {
        // Checked before the build, which takes minutes. The harness has printed what is missing.
        if !harness(&workspace, &["check".into()]).status().is_ok_and(|status| status.success()) {
            std::process::exit(1);
        }
        if std::env::var_os("TT_BIN").is_none() {
            bench.env("TT_BIN", workspace.build_release()?).env("TT_COMMIT", commit(&workspace.root));
        }
    }
    Err(format!("cannot run python3: {}", bench.exec()))
}

/// The harness's own tests, which need neither root nor a network. `None` if there is no Python for them.
pub(crate) fn tests(workspace: &Workspace) -> Option<Command> {
    check_python().ok()?;
    let mut command = python(workspace);
    command.args(["-m", "unittest", "discover", "--quiet", "--start-directory"]);
    command.arg(workspace.root.join("tests/bench"));
    Some(command)
}

fn harness(workspace: &Workspace, args: &[OsString]) -> Command {
    let mut command = python(workspace);
    command.arg(workspace.root.join("tests/bench/bench.py")).args(args);
    command
}

fn python(workspace: &Workspace) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").current_dir(&workspace.root); // -B: leaves no compiled files in the source
    command
}

/// Checks for Python. The harness checks everything else.
fn check_python() -> Result<(), String> {
    let mut command = Command::new("python3");
    command.args(["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("python3 3.11 or newer is required; on Debian: `apt-get install python3`".to_owned()),
    }
}

/// The commit that was built, for the report; "unknown" outside of a repository.
fn commit(root: &Path) -> String {
    let git = Command::new("git").current_dir(root).args(["describe", "--always", "--dirty"]).output();
    let name = git.ok().filter(|output| output.status.success());
    name.and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or("unknown".to_owned(), |name| name.trim().to_owned())
}
