//! `ttctl share`: its arguments and its help.

use super::TreeArgs;
use clap::Args;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// `ttctl share`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints each id and the path of its manifest. What lies in the shared directory
is shared in place; anything else is copied into it, and read with your own
permissions. To share from another directory without copies, run a second ttd on
it (ttd@NAME.service).

A directory DIR is shared as DIR.tar, and is a directory on every machine that
gets it: its files, directories and symbolic links with their permissions and
times, without owners. WHICH is \"inside\" (a link that leads outside is refused),
\"any\" (all are carried) or \"skip\" (those that lead outside are left out).

With --move, the file is renamed into the shared directory if that is on the
same file system and you are root, or own both the directory and the file.
Otherwise it is copied, and deleted once the copy is verified and shared.

With --replace, a directory from elsewhere takes the place of the one that has
its name when the command begins. Files there that were not part of it, and
edited ones that the new one does not have, are kept beside it, as DIR.kept.

A name that another machine shares with different content needs --replace. The
exit code is 4 if no tracker publishes a file under its name; the error and
`ttctl status` say why. Unreachable trackers are told later.

With --sign, the manifest is signed with a secret key of minisign before any
tracker publishes the file. `ttctl sign --help` has more about keys.

Examples:
  ttctl share /srv/images/lab-2025.img
  ttctl share forecast-*.grib2 --tracker tt://tracker.example
  ttctl share /srv/app-2.3
  ttctl share --move /srv/build/lab-2025.img
  ttctl share --sign ~/.minisign/minisign.key /srv/images/lab-2025.img")]
pub struct ShareArgs {
    /// The files and directories to share
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Tracker to use, as tt://HOST:PORT, instead of those in ttd.toml; may be repeated [env: TT_TRACKERS]
    #[arg(long = "tracker", value_name = "URL")]
    pub trackers: Vec<TrackerUrl>,
    /// Replace other content of the same name, here and at the trackers
    #[arg(long, short = 'f', visible_alias = "force")]
    pub replace: bool,
    /// Move the files into the shared directory instead of copying them
    #[arg(long = "move")]
    pub moves: bool,
    /// Sign the manifests with the secret key of minisign in this file
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// What becomes part of a directory's tar.
    #[command(flatten)]
    pub tree: TreeArgs,
}
