//! `ttctl sign`: its arguments and its help.

use clap::Args;
use std::path::PathBuf;

/// `ttctl sign`
#[derive(Debug, Args)]
#[command(after_help = "\
The signature is written beside the manifest, as MANIFEST.minisig, in the format
of minisign. `minisign -Vm MANIFEST -p KEY.pub` checks it. A signature by
`minisign -Sm MANIFEST -s KEY` is as good. `minisign -G` makes a pair of keys.

If KEY has a password, it is asked for at the terminal, else read from the first
line of the standard input.

Examples:
  ttctl sign lab-2025.img.tinytorrent -s ~/.minisign/minisign.key
  ttctl sign *.tinytorrent -s release.key < password")]
pub struct SignArgs {
    /// The manifests, .tinytorrent files
    #[arg(value_name = "MANIFEST", required = true)]
    pub manifests: Vec<PathBuf>,
    /// The file with a secret key of minisign
    #[arg(short, long = "secret-key", value_name = "KEY")]
    pub secret_key: PathBuf,
}
