//! The options of all commands: which ttd is meant and how output looks. Also makes command lines for the same ttd, to
//! suggest them.

use clap::Args;
use shared::shell;
use std::path::PathBuf;

/// The options of all commands; they may stand before or after the command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Talk to the ttd that listens on this socket
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub socket: Option<PathBuf>,
    /// Talk to the ttd that was started with this shared directory
    #[arg(
        long = "directory",
        alias = "folder",
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub folder: Option<PathBuf>,
    /// Print JSON: one document, also on failure; with --watch, one per line
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Shorten nothing on a terminal: whole ids and names, all columns
    #[arg(long, global = true, help_heading = "Global options")]
    pub full: bool,
    /// Print only requested output, warnings and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Report details on standard error: which ttd answers, what a pattern matches
    #[arg(long, short, global = true, conflicts_with = "quiet", help_heading = "Global options")]
    pub verbose: bool,
    /// Show progress even if standard error is not a terminal
    #[arg(long, global = true, help_heading = "Global options")]
    pub progress: bool,
    /// Show no progress, even on a terminal
    #[arg(long, global = true, overrides_with = "progress", help_heading = "Global options")]
    pub no_progress: bool,
}

impl Global {
    /// The options that name the daemon, as they are typed: "--directory '/srv/my files'", or nothing.
    pub fn which_daemon(&self) -> String {
        let options = [("--socket", &self.socket), ("--directory", &self.folder)];
        let named = options.iter().filter_map(|(option, path)| {
            Some(format!("{option} {}", shell::word(&path.as_ref()?.to_string_lossy())))
        });
        named.collect::<Vec<_>>().join(" ")
    }

    /// Another command for the same daemon, as it is typed.
    ///
    /// ```
    /// use ctl::cli::Global;
    ///
    /// let global = Global { folder: Some("/srv/my files".into()), ..Global::default() };
    /// assert_eq!(global.command("status", "a b"), "ttctl --directory '/srv/my files' status 'a b'");
    /// ```
    pub fn command(&self, verb: &str, what: &str) -> String {
        let words = ["ttctl".to_owned(), self.which_daemon(), verb.to_owned(), shell::word(what)];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
