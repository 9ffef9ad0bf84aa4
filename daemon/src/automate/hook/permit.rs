//! Whether a program may be run as a hook: only what nobody but root and ttd's own user can change. `judge` is pure, and `look`
//! finds the facts.

use shared::plain::io_error;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Limits the symbolic links on the way to a program, as Linux does. Beyond it they probably form a circle.
const LINKS_MAX: usize = 40;

/// Who may write to a file or directory besides its owner.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, FIFO or socket.
    Other,
}

/// A file or directory on the way to a program. Symbolic links are followed, and the directories on their way count as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its path without links.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The user that owns it.
    pub owner: u32,
    /// Its permissions.
    pub mode: u32,
}

/// All that is known of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From `/` to the program.
    pub way: Vec<Fact>,
    /// Whether ttd may execute it, as the system says: no on a file system that was mounted with `noexec`.
    pub is_executable: bool,
}

/// Why a program may not be run as a hook. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// The configured path is not absolute.
    NotAbsolute(PathBuf),
    /// It cannot be looked at.
    Unseen(PathBuf, String),
    /// It leads through too many symbolic links.
    ManyLinks(PathBuf),
    /// It is no regular file.
    NoFile(Fact),
    /// It, or a directory on its way, has an owner who is neither root nor ttd's user.
    Owner(Fact),
    /// It, or a directory on its way, is writable by others.
    Writable(Fact),
    /// ttd may not execute it.
    NotExecutable(Fact),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NotAbsolute(path) => {
                write!(f, "{} is not an absolute path; begin it with /", path.display())
            }
            Unfit::Unseen(path, why) => write!(f, "{}: {why}", path.display()),
            Unfit::ManyLinks(path) => {
                write!(f, "{} leads through more than {LINKS_MAX} symbolic links", path.display())
            }
            Unfit::NoFile(fact) => {
                let what = if fact.kind == Kind::Directory { "a directory" } else { "no regular file" };
                write!(f, "{} is {what}; name a program", fact.path.display())
            }
            Unfit::Owner(Fact { path, owner, .. }) => {
                let path = path.display();
                write!(f, "{path} belongs to uid {owner}, who could replace the hook; `chown root {path}`")
            }
            Unfit::Writable(Fact { path, mode, .. }) => {
                let (whom, path) =
                    (if mode & OTHERS_WRITE == 0 { "its group" } else { "everybody" }, path.display());
                write!(f, "{path} is writable by {whom} (mode {:04o}); `chmod go-w {path}`", mode & 0o7777)
            }
            Unfit::NotExecutable(Fact { path, mode, .. }) => {
                let path = path.display();
                write!(
                    f,
                    "{path} cannot be executed by ttd's user (mode {:04o}); `chmod a+rx {path}`, and its file system must not \
                     be mounted with noexec",
                    mode & 0o7777
                )
            }
        }
    }
}

impl std::error::Error for Unfit {}

/// Whether a program may be run by ttd, whose user is `own`.
///
/// # Errors
/// Why not.
pub fn judge(facts: &Facts, own: u32) -> Result<(), Unfit> {
    for fact in &facts.way {
        if fact.owner != 0 && fact.owner != own {
            return Err(Unfit::Owner(fact.clone()));
        }
        if fact.mode & (GROUP_WRITES | OTHERS_WRITE) != 0 {
            return Err(Unfit::Writable(fact.clone()));
        }
    }
    let program = facts.way.last().expect("the way begins with /");
    match program.kind {
        Kind::File if facts.is_executable => Ok(()),
        Kind::File => Err(Unfit::NotExecutable(program.clone())),
        _ => Err(Unfit::NoFile(program.clone())),
    }
}

/// Finds out what `judge` asks for. It touches the disk.
///
/// # Errors
/// When the path is not absolute, or something on it cannot be looked at.
pub fn look(program: &Path) -> Result<Facts, Unfit> {
    if !program.is_absolute() {
        return Err(Unfit::NotAbsolute(program.to_owned()));
    }
    let unseen = |path: &Path, error: &io::Error| Unfit::Unseen(path.to_owned(), io_error(error));
    let mut at = PathBuf::from("/");
    let mut ahead = steps(program);
    let mut links = 0;
    let mut way = vec![fact(&at).map_err(|error| unseen(&at, &error))?];
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&step);
        let found = std::fs::symlink_metadata(&next).map_err(|error| unseen(&next, &error))?;
        if found.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(Unfit::ManyLinks(program.to_owned()));
            }
            let target = std::fs::read_link(&next).map_err(|error| unseen(&next, &error))?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for step in steps(&target).into_iter().rev() {
                ahead.push_front(step);
            }
            continue;
        }
        way.push(fact(&next).map_err(|error| unseen(&next, &error))?);
        at = next;
    }
    // `..` may lead back to a directory that was passed before.
    if way.last().is_some_and(|last| last.path != at) {
        way.push(fact(&at).map_err(|error| unseen(&at, &error))?);
    }
    let is_executable = rustix::fs::access(&at, rustix::fs::Access::EXEC_OK).is_ok();
    Ok(Facts { way, is_executable })
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let is_step =
        |component: &Component<'_>| matches!(component, Component::Normal(_) | Component::ParentDir);
    path.components().filter(is_step).map(|step| AsRef::<OsStr>::as_ref(&step).to_owned()).collect()
}

fn fact(path: &Path) -> io::Result<Fact> {
    let found = std::fs::symlink_metadata(path)?;
    let kind = match found.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        _ => Kind::Other,
    };
    Ok(Fact { path: path.to_owned(), kind, owner: found.uid(), mode: found.mode() & 0o7777 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn fact_of(path: &str, kind: Kind, owner: u32, mode: u32) -> Fact {
        Fact { path: path.into(), kind, owner, mode }
    }

    fn told(way: Vec<Fact>, is_executable: bool) -> String {
        let root = fact_of("/", Kind::Directory, 0, 0o755);
        let way = [root].into_iter().chain(way).collect();
        judge(&Facts { way, is_executable }, 990).map_or_else(|why| why.to_string(), |()| "fit".to_owned())
    }

    #[test]
    fn each_program_that_somebody_else_could_change_is_refused_with_a_sentence() {
        use Kind::{Directory, File, Other};
        let folder = |owner, mode| fact_of("/h", Directory, owner, mode);
        let program = |owner, mode| fact_of("/h/x", File, owner, mode);
        for (way, is_executable, expected) in [
            (vec![folder(0, 0o755), program(0, 0o755)], true, "fit"),
            (vec![folder(990, 0o700), program(990, 0o4500)], true, "fit"),
            (
                vec![folder(0, 0o755), program(1000, 0o755)],
                true,
                "/h/x belongs to uid 1000, who could replace the hook; `chown root /h/x`",
            ),
            (
                vec![folder(1000, 0o755), program(0, 0o755)],
                true,
                "/h belongs to uid 1000, who could replace the hook; `chown root /h`",
            ),
            (
                vec![folder(0, 0o1777), program(0, 0o755)],
                true,
                "/h is writable by everybody (mode 1777); `chmod go-w /h`",
            ),
            (
                vec![folder(0, 0o755), program(0, 0o775)],
                true,
                "/h/x is writable by its group (mode 0775); `chmod go-w /h/x`",
            ),
            (
                vec![folder(0, 0o755), program(0, 0o644)],
                false,
                "/h/x cannot be executed by ttd's user (mode 0644); `chmod a+rx /h/x`, and its file system must not be \
                 mounted with noexec",
            ),
            (vec![folder(0, 0o755)], true, "/h is a directory; name a program"),
            (
                vec![folder(0, 0o755), fact_of("/h/x", Other, 0, 0o600)],
                true,
                "/h/x is no regular file; name a program",
            ),
        ] {
            assert_eq!(told(way, is_executable), expected);
        }
    }

    #[test]
    fn the_way_of_links_counts_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let make = |name: &str, mode: u32| {
            let path = root.join(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        for name in ["open", "shut", "shut/below"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let program = make("open/program", 0o755);
        fs::set_permissions(root.join("open"), Permissions::from_mode(0o777)).unwrap();
        symlink(&program, root.join("shut/link")).unwrap();
        symlink("below/../link", root.join("shut/again")).unwrap();
        symlink("round", root.join("shut/round")).unwrap();
        // Only what is below the test's own directory: others may write to /tmp.
        let way = |name: &str| {
            let facts = look(&root.join(name)).unwrap();
            let below = |fact: &Fact| Some(fact.path.strip_prefix(&root).ok()?.display().to_string());
            facts.way.iter().filter_map(below).collect::<Vec<_>>()
        };
        assert_eq!(way("open/program"), ["", "open", "open/program"]);
        for link in ["shut/link", "shut/again"] {
            assert!(
                way(link).contains(&"open".to_owned()) && way(link).contains(&"shut".to_owned()),
                "{link}"
            );
            assert_eq!(way(link).last().map(String::as_str), Some("open/program"));
        }
        assert_eq!(way("shut/below/..").last().map(String::as_str), Some("shut"), "a directory");
        assert_eq!(look(&root.join("shut/round")), Err(Unfit::ManyLinks(root.join("shut/round"))));
        assert!(matches!(look(&root.join("none")), Err(Unfit::Unseen(..))));
        assert!(matches!(look(&program.join("below")), Err(Unfit::Unseen(..))), "below a file");
        assert!(matches!(look(Path::new("bin/sh")), Err(Unfit::NotAbsolute(_))));
        assert!(look(&program).unwrap().is_executable);
        assert!(!look(&make("plain", 0o644)).unwrap().is_executable);
        assert_eq!(judge(&look(Path::new("/bin/sh")).unwrap(), 990), Ok(()));
    }
}
