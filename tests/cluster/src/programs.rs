//! Finds the binaries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with `ttd`, `ttctl` and `tt-tracker`.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// The programs in this folder. The error names the first missing one.
    pub fn in_dir(dir: &Path) -> Result<Programs, String> {
        let programs = Programs(dir.to_owned());
        for name in ["ttd", "ttctl", "tt-tracker"] {
            if !programs.path(name).is_file() {
                return Err(format!(
                    "{} is missing: build it with `cargo build --workspace --bins`",
                    programs.path(name).display()
                ));
            }
        }
        Ok(programs)
    }

    /// A program's path.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

static PROGRAMS: OnceLock<Programs> = OnceLock::new();

/// Uses these programs, regardless of the environment. Must be called before anything is started.
pub fn use_programs(programs: Programs) {
    PROGRAMS.get_or_init(|| programs);
}

/// A program's path for tests: in `$TT_BIN` if that is set, otherwise beside the test. There it is rebuilt when its
/// sources have changed, so that no scenario tests an old binary.
pub fn program(name: &str) -> PathBuf {
    let find = || match std::env::var_os("TT_BIN") {
        Some(dir) => Programs::in_dir(Path::new(&dir)),
        None => build(),
    };
    PROGRAMS.get_or_init(|| find().unwrap_or_else(|error| panic!("{error}"))).path(name)
}

fn build() -> Result<Programs, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let dir = test.parent().and_then(Path::parent).ok_or("the test is in no target directory")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo is asked now, because the repository may have moved since this was built.
    let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    cargo.current_dir(manifest_dir).args(["build", "--quiet", "--workspace", "--bins"]);
    if dir.file_name().is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    // The folder above the profile's, however the test was given it.
    cargo.arg("--target-dir").arg(dir.parent().ok_or("the test is in no target directory")?);
    match cargo.status() {
        Ok(status) if status.success() => Programs::in_dir(dir),
        Ok(status) => Err(format!("cargo cannot build the binaries: {status}")),
        // A test that was copied to another machine uses the programs beside it.
        Err(_) => Programs::in_dir(dir),
    }
}
