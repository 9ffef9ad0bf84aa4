//! `ttctl completions`: prints a script with which a shell asks ttctl how a command line may continue, and answers
//! these questions.

use crate::cli::{Cli, CompletionsArgs};
use crate::error::Error;
use crate::output::Output;
use clap::builder::Resettable;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

/// Scripts of our own: those of the library ask with the words as they are typed, with quotes and backslashes, so that no
/// name with a blank is found. That of bash also splits names at colons.
const BASH: &str = include_str!("ttctl.bash");
const ZSH: &str = include_str!("ttctl.zsh");
const FISH: &str = include_str!("ttctl.fish");

/// The environment variable that the scripts set when they ask.
const VARIABLE: &str = "TTCTL_COMPLETE";

pub(crate) fn completions(args: &CompletionsArgs, output: &mut Output) -> Result<(), Error> {
    output.text(&script(args.shell)?)
}

fn script(shell: Shell) -> Result<String, Error> {
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => return Ok(BASH.to_owned()),
        Shell::Zsh => return Ok(ZSH.to_owned()),
        Shell::Fish => return Ok(FISH.to_owned()),
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
    let shells: [&dyn EnvCompleter; 5] = [
        &NamesFirst(Bash),
        &NamesFirst(Elvish),
        &NamesFirst(Fish),
        &NamesFirst(Powershell),
        &NamesFirst(Zsh),
    ];
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).shells(Shells(&shells)).complete();
}

/// Offers options only where a word is begun with a dash, or where nothing else may follow.
struct NamesFirst<Of>(Of);

impl<Of: EnvCompleter> EnvCompleter for NamesFirst<Of> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        self.0.write_registration(var, name, bin, completer, buf)
    }

    fn write_complete(
        &self,
        cmd: &mut Command,
        args: Vec<OsString>,
        current_dir: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        cmd.build();
        *cmd = without_aliases(cmd.clone(), &args);
        // The scripts send the words up to the cursor.
        if args.last().is_none_or(|word| word.is_empty()) {
            *cmd = options_last(cmd.clone());
        }
        self.0.write_complete(cmd, args, current_dir, buf)
    }
}

/// The command line without the other names of options: the library offers them as options of their own, hidden ones
/// too. A name that is typed stays, so that it is understood.
fn without_aliases(command: Command, words: &[OsString]) -> Command {
    let is_typed = |alias: &str| {
        words.iter().filter_map(|word| word.to_str()?.strip_prefix("--")).any(|word| {
            !word.is_empty() && alias.starts_with(word.split_once('=').map_or(word, |(name, _)| name))
        })
    };
    let command = command.mut_args(|arg| match arg.get_all_aliases() {
        Some(aliases) if !aliases.iter().any(|alias| is_typed(alias)) => arg.alias(Resettable::Reset),
        _ => arg,
    });
    command.mut_subcommands(|verb| without_aliases(verb, words))
}

/// The command line with options hidden where a name or a verb may stand: a hidden one is offered only if there is nothing
/// else. Other names of verbs are left out, because the library offers only the first name in the alphabet.
fn options_last(command: Command) -> Command {
    let command = command.visible_alias(Resettable::Reset).mut_subcommands(options_last);
    if command.get_positionals().next().is_none() && command.get_subcommands().next().is_none() {
        return command;
    }
    command.mut_args(|arg| if arg.is_positional() { arg } else { arg.hide(true) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    /// What is offered for a line whose last word is being typed.
    fn offered(line: &[&str]) -> Vec<String> {
        let words = [&["ttctl"], line].concat().into_iter().map(OsString::from).collect();
        let mut text = Vec::new();
        NamesFirst(Fish).write_complete(&mut Cli::command(), words, None, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn options_are_offered_where_a_dash_is_typed_or_nothing_else_may_stand() {
        let is_option = |word: &String| word.starts_with('-');
        let verbs = offered(&[""]);
        assert!(
            ["share", "status"].iter().all(|verb| verbs.contains(&(*verb).to_owned()))
                && !verbs.iter().any(is_option),
            "{verbs:?}"
        );
        let shells = offered(&["completions", ""]);
        assert!(shells.contains(&"fish".to_owned()) && !shells.iter().any(is_option), "{shells:?}");
        for line in [&["status", "-"][..], &["status", "--"], &["limit", ""], &["-"]] {
            let options = offered(line);
            assert!(options.len() > 2 && options.iter().all(is_option), "{line:?}: {options:?}");
        }
        let of_limit = offered(&["limit", ""]);
        assert!(of_limit.contains(&"--upload".to_owned()) && !of_limit.contains(&"--folder".to_owned()));
    }

    #[test]
    fn an_option_is_offered_under_one_name() {
        for line in [&["status", ""][..], &["status", "--"], &["share", "--"], &["get", "-"], &["limit", ""]]
        {
            let words = offered(line);
            for alias in ["--folder", "--force"] {
                assert!(!words.contains(&alias.to_owned()), "{line:?}: {words:?}");
            }
        }
        assert!(offered(&["share", "--"]).contains(&"--replace".to_owned()));
        assert_eq!(offered(&["share", "--forc"]), ["--force"], "somebody knows it by this name");
        let shells = offered(&["--folder", "/srv", "completions", ""]);
        assert!(shells.contains(&"fish".to_owned()), "{shells:?}");
    }

    #[test]
    fn every_shell_has_a_script_that_asks_ttctl() {
        for shell in Shell::value_variants() {
            let script = script(*shell).unwrap();
            assert!(script.contains("ttctl") && script.contains(VARIABLE), "{shell}: {script}");
        }
        assert!(script(Shell::Zsh).unwrap().starts_with("#compdef ttctl"));
    }
}
