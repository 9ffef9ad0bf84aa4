//! `ttctl sign`: its arguments and its help.

use super::names;
use clap::Args;
use clap_complete::ArgValueCompleter;
use std::path::PathBuf;

/// `ttctl sign`
#[derive(Debug, Args)]
#[command(after_help = "\
WHAT is the name of something that is shared from this machine: ttd gets the
signature and passes it on. Or it is the path of a .tinytorrent file (with a \"/\"
or that suffix): the signature is written beside it, as WHAT.minisig, and no ttd
is needed.

Signatures have the format of minisign: `minisign -Vm MANIFEST -p KEY.pub`
checks one. A signature by `minisign -Sm MANIFEST -s KEY` is as good, and
`minisign -G` makes a pair of keys.

If KEY has a password, it is asked for at the terminal, else read from the first
line of the standard input.

Examples:
  ttctl sign lab-2025.img -s ~/.minisign/minisign.key
  ttctl sign lab-2025.img.tinytorrent -s ~/.minisign/minisign.key
  ttctl sign *.tinytorrent -s release.key < password")]
pub struct SignArgs {
    /// What to sign: names that are shared here, or .tinytorrent files
    #[arg(value_name = "NAME|MANIFEST", required = true, add = ArgValueCompleter::new(names::to_sign))]
    pub what: Vec<PathBuf>,
    /// The file with a secret key of minisign
    #[arg(short, long = "secret-key", value_name = "KEY")]
    pub secret_key: PathBuf,
}
