//! `ttctl completions`: prints a script with which a shell asks ttctl how a command line may continue, and answers
//! these questions.

use crate::cli::{Cli, CompletionsArgs};
use crate::error::Error;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh};

/// bash has a script of our own: that of the library splits names at blanks and colons.
const BASH: &str = include_str!("ttctl.bash");

/// The environment variable that the scripts set when they ask.
const VARIABLE: &str = "TTCTL_COMPLETE";

pub(crate) fn completions(args: &CompletionsArgs, output: &mut Output) -> Result<(), Error> {
    output.text(&script(args.shell)?)
}

fn script(shell: Shell) -> Result<String, Error> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => return Ok(BASH.to_owned()),
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Elvish => &Elvish,
        Shell::PowerShell => &Powershell,
        other => return Err(Error::usage(format!("there are no completions for {other}"))),
    };
    let mut text = Vec::new();
    completer
        .write_registration(VARIABLE, "ttctl", "ttctl", "ttctl", &mut text)
        .map_err(|error| Error::io("cannot write the script", &error))?;
    String::from_utf8(text).map_err(|error| Error::internal(error.to_string()))
}

/// Answers a shell that asks how a command line may continue, and ends the process. Otherwise it returns and does
/// nothing.
pub(crate) fn answer_shell() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_has_a_script_that_asks_ttctl() {
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains("ttctl") && script.contains(VARIABLE), "{shell}: {script}");
        }
        assert!(script(Shell::Zsh).unwrap().starts_with("#compdef ttctl"));
    }
}
