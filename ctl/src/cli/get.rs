//! `ttctl get`: its arguments and its help.

use super::names;
use super::tree::LinksArg;
use clap::Args;
use clap_complete::ArgValueCompleter;
use shared::host::config::Span;
use std::path::PathBuf;

/// `ttctl get`
#[derive(Debug, Args)]
#[command(after_help = "\
WHAT is one of
  a name, an id or the first 8 or more digits of one, or a pattern such as
    'lab-*' (quoted): looked up at the trackers that ttd is configured with
  tt://HOST:PORT/NAME or tt://HOST:PORT/ID: looked up at that tracker
  the path of a .tinytorrent file (with a \"/\" or that suffix)
  the http:// or https:// address of one; $HTTPS_PROXY and $SSL_CERT_FILE apply

Several downloads run at the same time. If some fail, the others continue, and
the exit code is that of the first on the command line that failed. If ttd is
restarted, ttctl waits for it: until --timeout, or 2 minutes without one.

^C and --timeout end the waiting; ttd continues the download. \"-o -\" writes the
file to the standard output once all of it is verified, and nothing else.

A directory may be called without its \".tar\". \"-o DIR\" copies it as \"cp -r\"
does: to DIR/app if DIR exists, else DIR is the copy. It appears when all of it
is copied. With --as-file, the copy is the tar file that the directory is sent
as; \"-o -\" writes that, too. --as-file without -o fetches the tar file instead
of the directory.

--replace replaces what has the name now, and nothing that comes later. Files in
a directory that are not part of it are kept beside the new one, as app.kept,
and so are edited ones that the new one does not have. A copy (-o) replaces a
directory with everything in it.

Examples:
  ttctl get lab-2025.img
  ttctl get 'lab-*' -o /srv/images/
  ttctl get ./lab-2025.img.tinytorrent -o /tmp/ --timeout 10min
  ttctl get app.tar.gz -o - | tar xz
  ttctl get app -o /srv/
  ttctl get app --as-file -o app.tar
  ttctl get tt://tracker.example/lab-2025.img --detach
  ttctl get https://files.example/lab-2025.img.tinytorrent")]
pub struct GetArgs {
    /// What to fetch: names, ids, patterns, tt:// addresses or manifests
    #[arg(required = true, add = ArgValueCompleter::new(names::to_get))]
    pub what: Vec<String>,
    /// Copy the complete file or directory to PATH, or into it if it is a directory; "-" is the standard output
    #[arg(short, long, value_name = "PATH", conflicts_with = "detach")]
    pub output: Option<PathBuf>,
    /// Exit as soon as ttd has accepted the download
    #[arg(long)]
    pub detach: bool,
    /// Replace a file or directory of the same name, here and at PATH
    #[arg(long, short = 'f', visible_alias = "force")]
    pub replace: bool,
    /// Do not take chunks from other files here
    #[arg(long)]
    pub no_reuse: bool,
    /// Take a version that was signed before one that was fetched here
    #[arg(long)]
    pub allow_older: bool,
    /// Fetch a directory as the tar file that it is sent as, or copy it as one
    #[arg(long)]
    pub as_file: bool,
    /// Directories: "any" also takes symbolic links that lead outside
    #[arg(long, value_enum, default_value_t = LinksArg::Inside, value_name = "WHICH", hide_possible_values = true)]
    pub symlinks: LinksArg,
    /// Wait no longer than this, as in "90s", "10min" or "1h30m"
    #[arg(long, value_name = "DURATION", conflicts_with = "detach")]
    pub timeout: Option<Span>,
}
