//! What cannot be part of a tree, and what is left out.

use super::directory::{self, OPTIONS, app, write};
use crate::host::tree::{Noted, TreeError};
use crate::tree::{Entry, EntryKind, Symlinks, TreeOptions, TreePath};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

const INSIDE: TreeOptions = TreeOptions { symlinks: Symlinks::Inside, ..OPTIONS };

fn refused(app: &Path, options: TreeOptions) -> String {
    match directory::hash(app, options) {
        Err(error @ TreeError::Refused { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn paths(app: &Path, options: TreeOptions) -> Vec<String> {
    let tree = directory::hash(app, options).expect("it is a tree");
    tree.walked.layout.listing().entries().map(|entry| entry.path.to_string()).collect()
}

#[test]
fn links_that_lead_outside_are_refused_carried_or_left_out() {
    let (_room, app) = app();
    write(&app.join("sub/file"), b"x");
    symlink("sub/file", app.join("inside")).expect("a link");
    symlink("/etc/passwd", app.join("absolute")).expect("a link");
    symlink("../../other", app.join("sub/up")).expect("a link");
    assert_eq!(refused(&app, INSIDE), "absolute: the symbolic link leads outside of the directory");
    let all = ["", "absolute", "inside", "sub", "sub/file", "sub/up"];
    assert_eq!(paths(&app, OPTIONS), all);
    let skip = TreeOptions { symlinks: Symlinks::Skip, ..OPTIONS };
    assert_eq!(paths(&app, skip), ["", "inside", "sub", "sub/file"]);
    let tree = directory::hash(&app, skip).expect("it is a tree");
    assert_eq!(tree.walked.notes.links, Noted { count: 2, first: "absolute".to_owned() });
    assert_eq!(tree.walked.seen.len(), 4);
}

#[test]
fn what_is_no_file_is_refused_or_left_out() {
    let (_room, app) = app();
    let _socket = UnixListener::bind(app.join("socket")).expect("a socket");
    assert_eq!(refused(&app, INSIDE), "socket: it is a socket, not a file");
    let skip = TreeOptions { skip_special: true, ..INSIDE };
    assert_eq!(paths(&app, skip), [""]);
    let notes = directory::hash(&app, skip).expect("it is a tree").walked.notes;
    assert_eq!(notes.special, Noted { count: 1, first: "socket".to_owned() });
    fs::remove_file(app.join("socket")).expect("it goes away");
    rustix::fs::mkfifoat(rustix::fs::CWD, app.join("fifo"), rustix::fs::Mode::RWXU).expect("a FIFO");
    assert_eq!(refused(&app, INSIDE), "fifo: it is a FIFO, not a file");
}

#[test]
fn names_that_are_not_text_are_refused_with_their_path() {
    for (name, message) in [
        (&b"a\nb"[..], "sub/a\\nb: the name contains a control character"),
        (b"bell\x07", "sub/bell\\u{7}: the name contains a control character"),
        (b"latin\xe9", "sub/latin\\xe9: the name is not UTF-8"),
        (b"\xff", "sub/\\xff: the name is not UTF-8"),
    ] {
        let (_room, app) = app();
        write(&app.join("sub").join(OsStr::from_bytes(name)), b"x");
        assert_eq!(refused(&app, INSIDE), message);
    }
    let (_room, app) = app();
    symlink(OsStr::from_bytes(b"\xff"), app.join("link")).expect("a link");
    assert_eq!(refused(&app, INSIDE), "link: the target of this symbolic link is not UTF-8");
}

#[test]
fn what_is_too_deep_is_refused_with_its_path() {
    let (_room, app) = app();
    let deepest = ["d"; 64].join("/");
    fs::create_dir_all(app.join(&deepest)).expect("64 directories");
    assert_eq!(paths(&app, INSIDE).len(), 65);
    write(&app.join(&deepest).join("file"), b"x");
    assert_eq!(refused(&app, INSIDE), format!("{deepest}/file: it is more than 64 directories deep"));
}

#[test]
fn bits_that_are_not_carried_are_noted() {
    let (_room, app) = app();
    write(&app.join("tool"), b"x");
    fs::set_permissions(app.join("tool"), Permissions::from_mode(0o6755)).expect("permissions");
    fs::set_permissions(&app, Permissions::from_mode(0o1777)).expect("permissions");
    let tree = directory::hash(&app, INSIDE).expect("it is a tree");
    let listing = tree.walked.layout.listing();
    assert_eq!(listing.entries().map(|entry| entry.mode).collect::<Vec<_>>(), [0o777, 0o755]);
    assert_eq!(tree.walked.notes.bits, Noted { count: 2, first: String::new() });
    // In a shared directory with the setgid bit every directory has it.
    fs::set_permissions(&app, Permissions::from_mode(0o2755)).expect("permissions");
    let notes = directory::hash(&app, INSIDE).expect("it is a tree").walked.notes;
    assert_eq!(notes.bits, Noted { count: 1, first: "tool".to_owned() });
}

#[test]
fn hard_links_become_files() {
    let (_room, app) = app();
    write(&app.join("a"), b"same");
    fs::hard_link(app.join("a"), app.join("b")).expect("a second name");
    let tree = directory::hash(&app, INSIDE).expect("it is a tree");
    let kinds = tree.walked.layout.listing().entries().map(|entry| entry.kind);
    let file = EntryKind::File { bytes: 4 };
    assert_eq!(kinds.collect::<Vec<_>>(), [EntryKind::Directory, file, file]);
}

#[test]
fn without_times_the_same_content_is_the_same_resource() {
    let resource = |seconds| {
        let (_room, app) = app();
        write(&app.join("file"), b"x");
        for path in [app.join("file"), app.clone()] {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::open(path).expect("it opens").set_modified(time).expect("a time");
        }
        let without = TreeOptions { has_times: false, ..INSIDE };
        let tree = directory::hash(&app, without).expect("it is a tree");
        let listing = tree.walked.layout.listing();
        assert!(listing.entries().all(|entry: Entry<'_>| entry.time.is_none()));
        assert!(listing.find(TreePath::new("file").expect("a path")).is_some());
        (tree.hashed.resource, directory::hash(&app, INSIDE).expect("it is a tree").hashed.resource)
    };
    let (first, second) = (resource(1), resource(2));
    assert_eq!(first.0, second.0);
    assert_ne!(first.1, second.1);
}
