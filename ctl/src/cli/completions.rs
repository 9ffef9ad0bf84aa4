//! `ttctl completions`: its arguments and its help.

use clap::Args;

/// `ttctl completions`
#[derive(Debug, Args)]
#[command(after_help = "\
The Debian package installs these scripts. Elsewhere:
  ttctl completions bash > ~/.local/share/bash-completion/completions/ttctl
  ttctl completions zsh > ~/.zfunc/_ttctl     (with ~/.zfunc in $fpath)
  ttctl completions fish > ~/.config/fish/completions/ttctl.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
