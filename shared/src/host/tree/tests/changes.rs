//! Directories that change while they are read.

use super::directory::{self, OPTIONS, app, silent, write};
use crate::host::tree::hash::{hash_tree, hash_walked};
use crate::host::tree::{TreeError, TreeFiles, open_top, walk};
use crate::tree::{EntryKind, TreePath};
use std::fs;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// What happens when a directory is changed between the walk and the reading.
fn changed(app: &Path, change: impl FnOnce()) -> String {
    let files = TreeFiles::new(open_top(app).expect("it opens"));
    let walked = walk(files.top(), directory::name(), OPTIONS, &|_| ControlFlow::Continue(()));
    let walked = walked.expect("it is a tree");
    change();
    match hash_walked(&files, walked, &silent) {
        Err(TreeError::Changed { path }) => path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_not_what_it_was_is_named() {
    let (_room, app) = app();
    let file = app.join("sub/file");
    let fresh = || {
        let _ = fs::remove_dir_all(app.join("sub"));
        let _ = fs::remove_file(app.join("sub"));
        write(&file, b"content");
    };
    fresh();
    assert_eq!(changed(&app, || fs::write(&file, b"CONTENT").expect("it is written")), "sub/file");
    fresh();
    assert_eq!(changed(&app, || fs::write(&file, b"longer content").expect("it is written")), "sub/file");
    fresh();
    assert_eq!(changed(&app, || fs::write(&file, b"").expect("it is written")), "sub/file");
    fresh();
    assert_eq!(changed(&app, || fs::remove_file(&file).expect("it goes away")), "sub/file");
    fresh();
    let into_link = || {
        fs::remove_file(&file).expect("it goes away");
        symlink("/etc/passwd", &file).expect("a link");
    };
    assert_eq!(changed(&app, into_link), "sub/file");
    fresh();
    let directory_into_link = || {
        fs::rename(app.join("sub"), app.join("moved")).expect("it moves");
        symlink("moved", app.join("sub")).expect("a link");
    };
    assert_eq!(changed(&app, directory_into_link), "sub/file");
    fs::remove_dir_all(app.join("moved")).expect("it goes away");
    fresh();
    let into_fifo = || {
        fs::remove_file(&file).expect("it goes away");
        rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RWXU).expect("a FIFO");
    };
    assert_eq!(changed(&app, into_fifo), "sub/file");
}

#[test]
fn a_change_is_tried_once_more() {
    let (_room, app) = app();
    let file = app.join("file");
    fs::write(&file, directory::bytes(20 << 20)).expect("it is written");
    let hash = |changes: u32| {
        let changed = AtomicU32::new(0);
        let progress = |bytes: u64, _total| {
            if bytes == 1 << 20 && changed.fetch_add(1, SeqCst) < changes {
                fs::write(&file, directory::bytes((20 << 20) - 1)).expect("it is written");
            }
            ControlFlow::Continue(())
        };
        hash_tree(open_top(&app).expect("it opens"), &directory::name(), OPTIONS, &progress)
    };
    let tree = hash(1).expect("the second time nobody writes");
    let size = EntryKind::File { bytes: (20 << 20) - 1 };
    assert!(tree.walked.layout.listing().entries().any(|entry| entry.kind == size));
    match hash(2) {
        Err(TreeError::Changed { path }) => assert_eq!(path, "file"),
        other => panic!("{other:?}"),
    }
}

/// Somebody swaps a directory with a link to one outside, again and again. Nothing from there is ever read.
#[test]
fn no_swap_of_a_directory_leads_outside() {
    let (room, app) = app();
    let outside = room.path().join("outside");
    write(&outside.join("file"), b"secret!");
    write(&app.join("sub/file"), b"content");
    symlink(&outside, room.path().join("trap")).expect("a link");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !is_over.load(SeqCst) {
                let (one, other) = (app.join("sub"), room.path().join("trap"));
                let cwd = rustix::fs::CWD;
                rustix::fs::renameat_with(cwd, &one, cwd, &other, exchange).expect("they change places");
            }
        });
        let mut hashed = 0;
        for _ in 0..2000 {
            let top = open_top(&app).expect("it opens");
            if let Ok(tree) = hash_tree(top, &directory::name(), OPTIONS, &silent) {
                let listing = tree.walked.layout.listing();
                match listing.find(TreePath::new("sub/file").expect("a path")) {
                    Some(index) => {
                        let expected = crate::id::ResourceId::of(b"content");
                        assert_eq!(tree.sums.hash(index), expected, "it is not the file outside");
                        hashed += 1;
                    }
                    None => {
                        let sub = listing.find(TreePath::new("sub").expect("a path")).expect("it is there");
                        assert!(matches!(listing.entry(sub).kind, EntryKind::Symlink { .. }));
                    }
                }
            }
        }
        is_over.store(true, SeqCst);
        assert!(hashed > 0, "it was a directory sometimes");
    });
}

/// Where the kernel has no openat2, or a sandbox refuses it, the steps find the same file and follow no link either.
#[test]
fn one_step_after_the_other_opens_the_same() {
    let (_room, app) = app();
    write(&app.join("a/b/file"), b"content");
    symlink("a", app.join("link")).expect("a link");
    symlink("file", app.join("a/b/link")).expect("a link");
    let files = TreeFiles::new(open_top(&app).expect("it opens"));
    let path = |path| TreePath::new(path).expect("a path");
    for open in [TreeFiles::open, TreeFiles::open_in_steps] {
        let mut text = String::new();
        open(&files, path("a/b/file")).expect("it opens").read_to_string(&mut text).expect("it reads");
        assert_eq!(text, "content");
        for bad in ["link/b/file", "a/b/link", "a/none", "a/b/file/c"] {
            assert!(open(&files, path(bad)).is_err(), "{bad}");
        }
    }
}
