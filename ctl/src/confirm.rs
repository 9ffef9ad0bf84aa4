//! Asks for confirmation before files or names are taken away that the user did not name one by one.

use crate::error::{Error, Kind};
use crate::human;
use crate::output::Output;
use crate::targets::Targets;
use crate::width::width;
use std::io::{self, BufRead, Write};

/// Limits the columns of the names in a question; of more files it says only the number. With 50 the question fits on a
/// line.
const NAMES_COLUMNS_MAX: usize = 50;

/// Asks for confirmation with the names or the number of files, if they are meant by a pattern or by --all. A user who
/// names each file is not asked. `question` makes the question of "12 files" or of what [`files`] says.
///
/// The number does not matter: whether a script needs `--yes` must not depend on how many files are here.
pub(crate) fn confirm_several(
    targets: &Targets,
    is_all: bool,
    question: impl FnOnce(&str) -> String,
    output: &Output,
) -> Result<(), Error> {
    if targets.count() == 0 || !(is_all || targets.has_any_by_pattern()) {
        return Ok(());
    }
    confirm(&question(&files(&targets.names())), output)
}

/// "lab.img", "2 files (a.img and b.img)", "12 files". Where names are listed, one that could be taken for two is quoted.
fn files(names: &[&str]) -> String {
    let count = human::count(names.len() as u64, "file");
    let quoted = |name: &&str| match name.contains(',') || name.contains(" and ") {
        true => format!("\"{}\"", human::clean(name)),
        false => human::clean(name),
    };
    let named = match names {
        [one] => return human::clean(one),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(quoted).collect();
            format!("{} and {}", first.join(", "), quoted(last))
        }
        [] => return count,
    };
    if width(&named) <= NAMES_COLUMNS_MAX { format!("{count} ({named})") } else { count }
}

/// Asks at the terminal. Without a yes the command does nothing and fails. If there is no terminal, the command line
/// needs `--yes`.
fn confirm(question: &str, output: &Output) -> Result<(), Error> {
    if !output.can_ask() {
        return Err(
            Error::usage(format!("there is no terminal to ask: {question}?")).hint("use --yes to confirm")
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
    fn few_files_are_named() {
        assert_eq!(files(&["a\u{1b}"]), "a\\u{1b}");
        assert_eq!(files(&["a", "b"]), "2 files (a and b)");
        assert_eq!(files(&["a", "b", "c"]), "3 files (a, b and c)");
        assert_eq!(files(&["lab-2025.img"; 4]), "4 files");
        assert_eq!(files(&["a and b", "c, d"]), "2 files (\"a and b\" and \"c, d\")");
        assert_eq!(files(&["a and b"]), "a and b");
    }

    #[test]
    fn only_a_yes_is_one() {
        assert!(is_yes("y\n") && is_yes(" YES \n"));
        assert!(["", "\n", "n\n", "no\n", "yesterday\n", "j\n"].iter().all(|answer| !is_yes(answer)));
    }
}
