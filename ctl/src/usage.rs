//! Reports an invalid command line: to people as clap does, and to scripts as JSON.

use crate::cli::Global;
use crate::error::{Error, Kind};
use crate::output::{Output, err_line};
use crate::terminal;
use crate::width::width;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::io::{self, IsTerminal};

/// Reports why a command line is invalid. Also answers --help and --version, which are no errors.
pub(crate) fn tell(error: &clap::Error, args: &[OsString]) -> Result<(), Error> {
    if !error.use_stderr() {
        let _ = error.print(); // nobody may read it
        return Ok(());
    }
    print(error);
    let json = wants_json(args);
    Output::of_process(&Global { json, ..Global::default() }).end(Err(described(error)))
}

/// Prints the error as clap does, with lines that are too wide for the terminal wrapped.
fn print(error: &clap::Error) {
    let text = error.to_string();
    let columns = terminal::size(io::stderr()).columns;
    if !io::stderr().is_terminal() || text.lines().all(|line| width(line) <= columns) {
        let _ = error.print(); // nobody may read it
        return;
    }
    let output = Output::of_process(&Global::default());
    for line in text.trim_end().lines() {
        match line.strip_prefix("error: ") {
            Some(message) => output.error(&Error::usage(message)),
            None if width(line) > columns => err_line(line.trim_start()),
            None => err_line(line),
        }
    }
}

/// Converts clap's paragraphs to one message and a hint.
fn described(error: &clap::Error) -> Error {
    let lacks_verb = [ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand, ErrorKind::MissingSubcommand];
    if lacks_verb.contains(&error.kind()) {
        return Error::usage("no command is given").hint("`ttctl --help` lists the commands").told();
    }
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n").map(in_one_line);
    let message = paragraphs.next().unwrap_or_default();
    let rest: Vec<String> = paragraphs.collect();
    let hint = ["tip: ", "Usage: "]
        .iter()
        .find_map(|kind| rest.iter().find(|paragraph| paragraph.starts_with(kind)))
        .map(|paragraph| paragraph.trim_start_matches("tip: ").to_owned());
    let message = message.trim_start_matches("error: ").to_owned();
    Error { hint, ..Error::new(Kind::Usage, message).told() }
}

/// A usage of several lines has one form of the command on each.
fn in_one_line(paragraph: &str) -> String {
    let paragraph = paragraph.replace("\n       ttctl ", ", or: ttctl ");
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether an invalid command line asks for JSON.
fn wants_json(args: &[OsString]) -> bool {
    let options = args.iter().skip(1).filter_map(|arg| arg.to_str()).take_while(|arg| *arg != "--");
    options.into_iter().any(|arg| match arg.strip_prefix('-') {
        Some("-json") => true,
        Some(letters) if !letters.starts_with('-') => {
            // after the letter of an option with a value comes its value
            letters.chars().take_while(|&letter| letter != 'o').any(|letter| letter == 'j')
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn usage_error(line: &str) -> Error {
        described(&Cli::try_parse_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn what_clap_says_becomes_a_message_and_a_hint() {
        let error = usage_error("ttctl share");
        assert_eq!(error.message, "the following required arguments were not provided: <PATH>...");
        assert!(error.hint.unwrap().starts_with("Usage: ttctl share"));
        let error = usage_error("ttctl pause");
        assert_eq!(error.hint.unwrap(), "Usage: ttctl pause NAME|ID..., or: ttctl pause --all");
        let error = usage_error("ttctl pasue x");
        assert_eq!(error.message, "unrecognized subcommand 'pasue'");
        assert!(error.hint.unwrap().contains("'pause'"));
        for line in ["ttctl", "ttctl -j"] {
            let error = usage_error(line);
            assert_eq!((error.exit_code(), error.message.as_str()), (2, "no command is given"));
        }
        let error = usage_error("ttctl get x --timeout soon");
        assert!(error.message.starts_with("invalid value 'soon' for '--timeout <DURATION>': "), "{error:?}");
    }

    #[test]
    fn json_is_seen_in_a_line_that_is_wrong() {
        let wants = |line: &str| wants_json(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["ttctl --json", "ttctl get -j --nonsense", "ttctl status -wj", "ttctl x -qj y"] {
            assert!(wants(line), "{line}");
        }
        for line in ["ttctl get x", "ttctl get -oj", "ttctl get -- --json", "ttctl json j", "ttctl --jason"] {
            assert!(!wants(line), "{line}");
        }
    }
}
