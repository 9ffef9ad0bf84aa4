//! Starts a test a second time in an environment of its own. The test harness exits with 0 even if no test has the
//! given name, so the output is read to find out whether the test ran.

use std::process::{Command, Output, Stdio};

/// The name of the test that this thread runs.
#[track_caller]
pub(crate) fn test_name() -> String {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main");
    name.expect("a test runs in a thread of its own name; without --test-threads=1 it does").to_owned()
}

/// Runs a command that starts this program again with the test's name. Panics unless exactly that test ran and passed.
#[track_caller]
pub(crate) fn run_once_more(command: &mut Command, test: &str) {
    command.args(["--exact", test, "--nocapture", "--include-ignored"]);
    let output = command.stdin(Stdio::null()).output().expect("the test runs once more");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(ran_and_passed(&output), "{test}, once more, {}:\n{out}{err}", output.status);
    eprint!("{err}"); // the figures of a test that measures
}

fn ran_and_passed(output: &Output) -> bool {
    let out = String::from_utf8_lossy(&output.stdout);
    output.status.success() && out.lines().any(|line| line.starts_with("test result: ok. 1 passed;"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once_more(test: &str) -> Output {
        let this = std::env::current_exe().expect("the test's own program");
        Command::new(this).args(["--exact", test]).output().expect("it runs")
    }

    #[test]
    fn a_test_that_was_renamed_has_not_run() {
        let other = "skip::tests::what_is_skipped_is_in_the_list_and_fails_where_all_must_run";
        assert!(ran_and_passed(&once_more(other)));
        let renamed = once_more("again::tests::no_such_test");
        assert!(renamed.status.success(), "the harness is content");
        assert!(!ran_and_passed(&renamed), "and we are not");
    }

    #[test]
    fn a_test_knows_its_name() {
        assert_eq!(test_name(), "again::tests::a_test_knows_its_name");
    }
}
