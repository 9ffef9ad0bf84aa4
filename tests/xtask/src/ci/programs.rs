//! Runs `cargo test`, and measures each of the programs that it runs.

use super::times::Parts;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// Limits the wait for what was written before cargo ended. A process that a failed test left behind may keep the pipe
/// open for ever.
const REST_MAX: Duration = Duration::from_secs(1);

/// Runs a `cargo test` that must succeed. What it writes to either output goes to our stdout.
pub(super) fn must_pass(command: &mut Command, parts: &mut Parts) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot run cargo test: {error}");
    let (output, input) = io::pipe().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(input.try_clone().map_err(failed)?).stderr(input);
    let mut child = command.spawn().map_err(failed)?;
    command.stdout(Stdio::null()).stderr(Stdio::null()); // closes our copies of the pipe's end

    let measured = Arc::new(Mutex::new(std::mem::take(parts)));
    let (ended, end) = mpsc::channel::<()>();
    let measuring = measured.clone();
    std::thread::spawn(move || {
        pass_on(output, &measuring);
        drop(ended);
    });
    let status = child.wait().map_err(failed)?;
    let _ = end.recv_timeout(REST_MAX);
    *parts = std::mem::take(&mut measured.lock().unwrap_or_else(PoisonError::into_inner));
    match status.success() {
        true => Ok(()),
        false => Err(format!("cargo test failed with {status}")),
    }
}

/// Writes all lines to stdout, and notes where a program begins.
fn pass_on(output: PipeReader, parts: &Mutex<Parts>) {
    let (mut lines, mut line) = (BufReader::new(output), Vec::new());
    while lines.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        if let Some(name) = program_of(&text) {
            parts.lock().unwrap_or_else(PoisonError::into_inner).begin(name);
        }
        line.clear();
    }
}

/// The name of a program of tests, if this is the line with which cargo says that it begins.
fn program_of(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(krate) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{krate} (examples in its documentation)"));
    }
    let (source, path) = line.strip_prefix("Running ")?.strip_suffix(')')?.split_once(" (")?;
    let (_, file) = path.rsplit_once("/deps/")?;
    let (name, _hash) = file.rsplit_once('-')?;
    Some(format!("{name} ({})", source.strip_prefix("unittests ").unwrap_or(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_from_other_lines() {
        let unit = "     Running unittests src/lib.rs (target/debug/deps/daemon-0f87157f1ccdf590)\n";
        assert_eq!(program_of(unit).as_deref(), Some("daemon (src/lib.rs)"));
        let tool = "     Running unittests src/main.rs (/ci/target/debug/deps/tt_tracker-318ec6bdd070410a)";
        assert_eq!(program_of(tool).as_deref(), Some("tt_tracker (src/main.rs)"));
        let scenarios = "     Running tests/scenarios/main.rs (target/debug/deps/scenarios-3bc00f5b06339b59)";
        assert_eq!(program_of(scenarios).as_deref(), Some("scenarios (tests/scenarios/main.rs)"));
        let examples = "   Doc-tests shared\n";
        assert_eq!(program_of(examples).as_deref(), Some("shared (examples in its documentation)"));
        for other in
            ["running 12 tests", "test a::b ... ok", "     Running `target/debug/xtask ci`", "Running (x)"]
        {
            assert_eq!(program_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_process_that_keeps_the_output_open_holds_nobody_up() {
        let begins = "     Running unittests src/lib.rs (target/debug/deps/none-1)";
        let mut command = Command::new("sh");
        command.args(["-c", "echo \"$0\"; sleep 10 & exit 7", begins]);
        let mut parts = Parts::default();
        let error = must_pass(&mut command, &mut parts).unwrap_err();
        assert!(error.contains("exit status: 7"), "{error}");
        let parts = parts.ended();
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].0, "none (src/lib.rs)");
        assert!(parts[0].1 < Duration::from_secs(10), "it waited for the process");
    }
}
