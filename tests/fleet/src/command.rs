//! Runs commands outside and inside machines, with a limit on their time.

use cluster::process::{Output, run_capped};
use std::process::Command;
use std::time::Duration;

/// The longest that one command may take; then it fails.
pub(crate) const CAP: Duration = Duration::from_secs(120);

/// Runs a command that must succeed; the result is what it wrote to stdout.
pub(crate) fn must(command: Command) -> Result<String, String> {
    let described = describe(&command);
    let output = run(command)?;
    match output.code {
        0 => Ok(output.stdout),
        code => Err(format!("{described} ended with {code}:\n{}{}", output.stdout, output.stderr)),
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<Output, String> {
    run_capped(command, CAP).map_err(|error| error.to_string())
}

/// A command of words.
pub(crate) fn words(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Waits until there is a value. The error says what was waited for and what was seen last.
pub(crate) fn wait_for<T>(
    what: &str,
    cap: Duration,
    mut value: impl FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let begin = std::time::Instant::now();
    loop {
        match value() {
            Ok(value) => return Ok(value),
            Err(seen) if begin.elapsed() > cap => {
                return Err(format!("waited {cap:?} in vain: {what}; last seen: {seen}"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn describe(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
