//! Gives a test and all processes that it starts a time of day of their own, which the test sets. Monotonic time stays
//! untouched.

use crate::again::{run_once_more, test_name};
use crate::program;
use crate::skip::skipped;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set inside the second run of the test, to the path of the clock.
const INSIDE: &str = "TT_OWN_CLOCK";

/// A clock that a test can set forwards and backwards.
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// Sets the clock to `hours` hours ahead of the machine's; behind it if negative.
    #[track_caller]
    pub fn set(&self, hours: i32) {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{hours:+}h\n")).expect("a file of the test's own");
        fs::rename(&next, &self.file).expect("it is replaced at once");
    }

    /// What `env` gives a program whose clock is `hours` hours ahead of the machine's, whatever this one says.
    pub fn another(&self, hours: i32) -> String {
        let file = self.file.with_extension("another");
        fs::write(&file, format!("{hours:+}h\n")).expect("a file of the test's own");
        format!("FAKETIME_TIMESTAMP_FILE={}", file.display())
    }
}

/// Runs the calling test once more with a clock of its own, and returns the clock inside that run. Returns `None`
/// outside it, when that run is done or, with a message, if it is impossible here.
#[track_caller]
pub fn own_clock() -> Option<Clock> {
    if let Some(file) = env::var_os(INSIDE) {
        return Some(Clock { file: file.into() });
    }
    if library().is_none() {
        skipped("it needs libfaketime (apt-get install libfaketime)");
        return None;
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let clock = Clock { file: home.path().join("clock") };
    clock.set(0);
    let binaries = program("ttd");
    let mut command = Command::new(env::current_exe().expect("the test's own program"));
    command.env(INSIDE, &clock.file).env("TT_BIN", binaries.parent().expect("it is in a folder"));
    run_once_more(&mut command, &test_name());
    None
}

/// The variables that make a process use the test's clock; empty if the test has none.
pub(crate) fn environment() -> Vec<(&'static str, OsString)> {
    let Some((file, library)) = env::var_os(INSIDE).zip(library()) else { return Vec::new() };
    vec![
        ("LD_PRELOAD", library.into()),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("NO_FAKE_STAT", "1".into()),
    ]
}

/// The path of Debian's libfaketime.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let library = |folder: PathBuf| folder.join("faketime/libfaketime.so.1");
    folders.map(library).find(|path: &PathBuf| Path::exists(path))
}
