//! `ttctl completions`: what makes a shell complete our command lines.

use crate::cli::{Cli, CompletionsArgs};
use crate::error::Error;
use crate::output::Output;
use clap::CommandFactory;

pub(crate) fn completions(args: &CompletionsArgs, output: &mut Output) -> Result<(), Error> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ttctl", &mut text);
    let text = String::from_utf8(text).map_err(|error| Error::internal(error.to_string()))?;
    output.text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;
    use clap_complete::Shell;

    #[test]
    fn every_shell_learns_every_verb() {
        let verbs: Vec<String> =
            Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        for shell in Shell::value_variants() {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "ttctl", &mut text);
            let text = String::from_utf8(text).unwrap();
            for verb in &verbs {
                assert!(text.contains(verb.as_str()), "{shell}: {verb}");
            }
        }
    }
}
