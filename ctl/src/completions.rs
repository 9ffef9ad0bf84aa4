//! `ttctl completions`: a script that has a shell ask ttctl what a command line may go on with; and the answers.

use crate::cli::{Cli, CompletionsArgs};
use crate::error::Error;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Zsh};

/// bash has a script of our own: the library's splits names at blanks and colons.
const BASH: &str = include_str!("ttctl.bash");

/// What the scripts set when they ask.
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

/// Answers a shell that asks what a command line may go on with. Only then it does not return.
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
