//! `ttctl get`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCandidates;
use shared::host::config::Span;
use std::path::PathBuf;

/// `ttctl get`
#[derive(Debug, Args)]
#[command(after_help = "\
WHAT is one of
  a path to a .tinytorrent file (it has a \"/\", or that suffix)
  an http:// or https:// address of one; the proxy is that of $HTTPS_PROXY and
  its like, the certificates are the machine's, or those in $SSL_CERT_FILE
  tt://HOST:PORT/NAME or tt://HOST:PORT/ID, from that tracker's catalogue
  a name, an id or the first 8 or more digits of one, or a pattern such as
  'lab-*', from the catalogues of the trackers that ttd knows

Several downloads begin together. One that fails does not keep the others back;
the exit code is that of the first that failed, in the order of the command line.
A ttd that is restarted is waited for: until --timeout, else for 2 minutes.

^C and --timeout end the waiting, never the download. With \"-o -\" nothing but the
file goes to the standard output, and that only when all of it was verified.

Examples:
  ttctl get lab-2025.img
  ttctl get 'lab-*' -o /srv/images/
  ttctl get ./lab-2025.img.tinytorrent -o /tmp/ --timeout 10min
  ttctl get app.tar.gz -o - | tar xz
  ttctl get tt://tracker.example/lab-2025.img --detach
  ttctl get https://files.example/lab-2025.img.tinytorrent")]
pub struct GetArgs {
    /// What to fetch
    #[arg(required = true, add = ArgValueCandidates::new(names::published))]
    pub what: Vec<String>,
    /// Copy the complete file to this path, or into this directory, with your own rights; "-" is the standard output
    #[arg(short, long, value_name = "PATH", conflicts_with = "detach")]
    pub output: Option<PathBuf>,
    /// Return as soon as the download is accepted
    #[arg(long)]
    pub detach: bool,
    /// Replace other content of the same name (and the file at PATH)
    #[arg(long, short = 'f', visible_alias = "force")]
    pub replace: bool,
    /// Wait no longer than this, as in "90s", "10min" or "1h30m"
    #[arg(long, value_name = "DURATION", conflicts_with = "detach")]
    pub timeout: Option<Span>,
}
