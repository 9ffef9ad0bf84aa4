//! `ttctl join` and `ttctl identity`: their arguments and their help.

use clap::Args;
use shared::identity::NodeName;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl join`
#[derive(Debug, Args)]
#[command(after_help = "\
`ttctl ca token` on the tracker's machine prints the whole command line. ttd
makes this machine's key, which never leaves it; the tracker's authority
certifies the key, and ttd renews the certificate from then on. Nothing has to
be restarted.

The token admits whoever has it. Other users of this machine may see a command
line: with --token-file, or with - and the token on the standard input, they
do not see the token.

Joining again with the same name keeps the key, and costs no further use of the
token.

Exit codes: 4 if the tracker does not admit this machine or is not the one that
the token names, 8 if the tracker does not answer.

Examples:
  ttctl join tt1.… --tracker tt://tracker.example
  ttctl join --token-file /root/token --tracker tt://tracker.example
  ttctl join - --tracker tt://tracker.example < token")]
pub struct JoinArgs {
    /// The token, as `ttctl ca token` printed it; - reads it from the standard input
    #[arg(value_name = "TOKEN", required_unless_present = "token_file", conflicts_with = "token_file")]
    pub token: Option<String>,
    /// A file with the token; - is the standard input
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The tracker that has the fleet's authority, as tt://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub tracker: TrackerUrl,
    /// The name of this machine in the fleet [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub node: Option<NodeName>,
    /// Give up the name or the fleet that this machine has joined with before, and make a new key
    #[arg(long)]
    pub replace: bool,
}
