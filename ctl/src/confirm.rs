//! Asks for confirmation before something that cannot be undone.

use crate::error::{Error, Kind};
use crate::output::Output;
use std::io::{self, BufRead, Write};

/// Asks at the terminal. Without a yes the command does nothing and fails. If there is no terminal, the command line
/// needs `--yes`.
pub(crate) fn confirm(question: &str, output: &Output) -> Result<(), Error> {
    if !output.can_ask() {
        return Err(
            Error::usage(format!("cannot ask without a terminal: {question}?")).hint("use --yes to confirm")
        );
    }
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question}? [y/N] ").and_then(|()| err.flush()); // if it cannot be written, the answer is no
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Error::io("cannot read the answer", &error))?;
    match is_yes(&answer) {
        true => Ok(()),
        false => Err(Error::new(Kind::Interrupted, "nothing was done")),
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_one() {
        assert!(is_yes("y\n") && is_yes(" YES \n"));
        assert!(["", "\n", "n\n", "no\n", "yesterday\n", "j\n"].iter().all(|answer| !is_yes(answer)));
    }
}
