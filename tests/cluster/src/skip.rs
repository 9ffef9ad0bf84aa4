//! Skips tests that cannot run on this machine, and records that. Where everything must run, as in CI, a skip is a
//! failure.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// If this variable is set to anything but 0, nothing may be skipped.
pub const MUST_RUN: &str = "TT_MUST_RUN";

/// Names a file that receives a line for each skipped test, because the test harness hides the output of tests that
/// pass.
pub const LIST: &str = "TT_SKIPPED";

static OWN_LIST: OnceLock<PathBuf> = OnceLock::new();

/// Records skips in this file, regardless of the environment.
pub fn use_list(path: &Path) {
    OWN_LIST.get_or_init(|| path.to_owned());
}

/// The file in which skips are recorded.
pub fn list() -> Option<PathBuf> {
    OWN_LIST.get().cloned().or_else(|| env::var_os(LIST).map(PathBuf::from))
}

/// Whether a skip is a failure.
pub fn must_run() -> bool {
    env::var_os(MUST_RUN).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Records that the running test, or the rest of it, cannot run here. Panics where everything must run.
#[track_caller]
pub fn skipped(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(!must_run(), "{test} must run here ({MUST_RUN} is set), and cannot: {why}");
    eprintln!("SKIPPED: {test}: {why}");
    note(&format!("{test}: {why}"));
}

/// The same for what this kernel does not have. Nothing that could be installed changes that, so it is recorded and no
/// failure, also where everything must run.
pub fn not_in_this_kernel(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED: {test}: {why}");
    note(&format!("{test}: {why}"));
}

/// The same for a chore or a part of one: an error where everything must run.
pub fn chore(what: &str, why: &str) -> Result<(), String> {
    if must_run() {
        return Err(format!("{what} cannot run: {why}; unset {MUST_RUN} to skip it"));
    }
    eprintln!("SKIPPED: {what}: {why}");
    note(&format!("{what}: {why}"));
    Ok(())
}

/// Adds a line to the list, if there is one.
fn note(line: &str) {
    let Some(list) = list() else { return };
    let list = OpenOptions::new().create(true).append(true).open(list);
    list.and_then(|mut list| writeln!(list, "{line}")).expect("the list of what was skipped takes a line");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const INSIDE: &str = "TT_SKIP_TEST";

    #[test]
    fn what_is_skipped_is_in_the_list_and_fails_where_all_must_run() {
        if env::var_os(INSIDE).is_some() {
            return skipped("there is no such disk");
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let list = folder.path().join("skipped");
        let test = crate::again::test_name();
        let mut command = Command::new(env::current_exe().expect("the test's own program"));
        command.args(["--exact", &test]).env(INSIDE, "1").env(LIST, &list);
        assert!(command.env_remove(MUST_RUN).output().expect("it runs").status.success());
        let told = std::fs::read_to_string(&list).expect("a list");
        assert_eq!(told, format!("{test}: there is no such disk\n"));
        assert!(!command.env(MUST_RUN, "1").output().expect("it runs").status.success());
        assert_eq!(std::fs::read_to_string(&list).expect("a list"), told, "a failure is no skip");
    }
}
