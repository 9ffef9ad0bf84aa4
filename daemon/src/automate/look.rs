//! Looks at what lies in the watched directory: at one name, or at all of them. Blocks.

use super::arrivals::NAMES_MAX;
use super::print::{NoPrint, print};
use super::seen::{Print, Seen, Sight};
use crate::store::FileIdentity;
use shared::host::config::Glob;
use shared::name::{BadName, ResourceName};
use shared::tree::TreeName;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Limits the names that no resource can have of which it is told why. More are only counted.
pub(super) const BAD_MAX: usize = 32;

/// What lies in the directory.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// By their names, those that are ignored left out; at most [`NAMES_MAX`].
    pub(super) sights: BTreeMap<ResourceName, Sight>,
    /// How many more there are.
    pub(super) more: usize,
    /// Names that no resource can have, and why; at most [`BAD_MAX`].
    pub(super) bad: Vec<(String, String)>,
    /// How many of these there are.
    pub(super) bad_count: usize,
}

/// What a name in the directory means for the watch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It may be shared.
    Name(ResourceName),
    /// It is ours, or nobody wants it to be shared.
    Ignored,
    /// No resource can have it.
    Bad(String),
}

/// What the name of a file means; `ignore` are the patterns of names that are not shared.
pub(super) fn named(file: &OsStr, ignore: &[Glob]) -> Named {
    let Some(text) = file.to_str() else { return Named::Bad("the name is not UTF-8".to_owned()) };
    if ignore.iter().any(|glob| glob.matches(text)) {
        return Named::Ignored;
    }
    match text.parse::<ResourceName>() {
        Ok(name) => Named::Name(name),
        Err(BadName::Reserved | BadName::Suffix | BadName::Signature) => Named::Ignored,
        Err(why) => Named::Bad(why.to_string()),
    }
}

/// Lists a directory, with the directories in it if `has_trees`.
///
/// # Errors
/// When it cannot be read.
pub(super) fn list(folder: &Path, ignore: &[Glob], has_trees: bool) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let name = match named(&file, ignore) {
            Named::Ignored => continue,
            Named::Name(name) => name,
            Named::Bad(why) => {
                listing.bad_count += 1;
                if listing.bad.len() < BAD_MAX {
                    let shown = file.to_string_lossy().replace(char::is_control, "\u{fffd}");
                    listing.bad.push((shown, why));
                }
                continue;
            }
        };
        if listing.sights.len() >= NAMES_MAX {
            listing.more += 1;
            continue;
        }
        // What is gone since is not there; what else fails is found out when it is shared.
        match entry.metadata().map(|metadata| sight(&entry.path(), &metadata, has_trees)) {
            Ok(Sight::Gone) | Err(_) => {}
            Ok(sight) => _ = listing.sights.insert(name, sight),
        }
    }
    Ok(listing)
}

/// Looks at one name.
pub(super) fn look(folder: &Path, name: &ResourceName, has_trees: bool) -> Sight {
    let path = folder.join(name.as_str());
    fs::symlink_metadata(&path).map_or(Sight::Gone, |metadata| sight(&path, &metadata, has_trees))
}

fn sight(path: &Path, metadata: &Metadata, has_trees: bool) -> Sight {
    let kind = metadata.file_type();
    if kind.is_file() {
        let identity = FileIdentity::of_metadata(metadata);
        let seen = Seen { identity, print: Print(metadata.ctime(), metadata.ctime_nsec()), is_tree: false };
        return Sight::There { seen, has_links: metadata.nlink() > 1 };
    }
    if kind.is_dir() {
        return if has_trees { tree(path, metadata) } else { Sight::Gone };
    }
    Sight::Never(match () {
        () if kind.is_symlink() => "it is a symbolic link",
        () if kind.is_fifo() => "it is a FIFO",
        () if kind.is_socket() => "it is a socket",
        () => "it is a device",
    })
}

fn tree(path: &Path, metadata: &Metadata) -> Sight {
    let name = path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<TreeName>().ok());
    if name.is_none() {
        return Sight::Never("the name cannot be that of a shared directory");
    }
    match print(path, metadata) {
        Ok(print) => {
            let identity = FileIdentity::of_metadata(metadata);
            Sight::There { seen: Seen { identity, print, is_tree: true }, has_links: false }
        }
        Err(NoPrint::TooLarge) => Sight::Never("it has more than 1,000,000 entries"),
        Err(NoPrint::Unreadable) => Sight::Never("ttd cannot read all of it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn ignore() -> Vec<Glob> {
        shared::host::config::DaemonConfig::default().watch_ignore
    }

    #[test]
    fn our_own_files_and_those_that_are_not_finished_are_never_shared() {
        let own = ["x.tinytorrent", "x.tinytorrent.minisig", ".tinytorrent", ".tinytorrent-old"];
        let unfinished = [".x.swp", ".x.8Gq2Zb", "x~", "x.part", "x.tmp", "x.crdownload", "x.filepart"];
        for name in own.into_iter().chain(unfinished).chain([".nfs0001", "x.torrent"]) {
            assert_eq!(named(OsStr::new(name), &ignore()), Named::Ignored, "{name}");
        }
        for name in own {
            assert_eq!(named(OsStr::new(name), &[]), Named::Ignored, "{name}, whatever is configured");
        }
        assert_eq!(named(OsStr::new("x"), &ignore()), Named::Name("x".parse().unwrap()));
        assert_eq!(named(OsStr::new("x.part"), &[]), Named::Name("x.part".parse().unwrap()));
        for bad in [&b"x\xff"[..], b"x\ny", b"\xef\xbb\xbfx", &[b'a'; 250], &[b'a'; 64]] {
            assert!(matches!(named(OsStr::from_bytes(bad), &ignore()), Named::Bad(_)), "{bad:?}");
        }
    }

    #[test]
    fn only_regular_files_are_there_to_be_shared() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["one", "two", "x.part", "x.tinytorrent", "x\ny"] {
            fs::write(path(name), name).unwrap();
        }
        fs::hard_link(path("one"), path("link")).unwrap();
        symlink("one", path("symlink")).unwrap();
        symlink("nowhere", path("dangling")).unwrap();
        fs::create_dir(path("directory")).unwrap();
        let _listener = UnixListener::bind(path("socket")).unwrap();
        let listing = list(folder.path(), &ignore(), false).unwrap();
        let told: Vec<(&str, String)> = listing
            .sights
            .iter()
            .map(|(name, sight)| {
                let told = match sight {
                    Sight::There { has_links, .. } => format!("a file, linked: {has_links}"),
                    other => format!("{other:?}"),
                };
                (name.as_str(), told)
            })
            .collect();
        let expected = [
            ("dangling", "Never(\"it is a symbolic link\")"),
            ("link", "a file, linked: true"),
            ("one", "a file, linked: true"),
            ("socket", "Never(\"it is a socket\")"),
            ("symlink", "Never(\"it is a symbolic link\")"),
            ("two", "a file, linked: false"),
        ];
        assert_eq!(told, expected.map(|(name, told)| (name, told.to_owned())));
        assert_eq!((listing.bad_count, listing.bad.len(), listing.more), (1, 1, 0));
        for (name, sight) in &listing.sights {
            assert_eq!(look(folder.path(), name, false), *sight);
        }
        let tree = look(folder.path(), &"directory".parse().unwrap(), true);
        assert!(matches!(tree, Sight::There { seen: Seen { is_tree: true, .. }, .. }), "{tree:?}");
        assert!(list(folder.path(), &ignore(), true).unwrap().sights.values().any(|sight| *sight == tree));
        assert_eq!(look(folder.path(), &"nothing".parse().unwrap(), true), Sight::Gone);
    }
}
