//! Tests `share --move` by the calls that the daemon receives and the files that are left.

use super::fake::{Fake, refused};
use super::{text, ttctl, ttctl_fails};
use shared::id::ResourceId;
use shared::rpc::control::{ControlError, ErrorKind, Shared, TaskState};

/// A file to move in its directory; the daemon's task for it ends with `ends`.
fn to_move(fake: &Fake, ends: TaskState) -> (tempfile::TempDir, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt;

    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("app.tar");
    std::fs::write(&path, "content").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    fake.state().tasks = [ends].into();
    (elsewhere, path)
}

fn is_shared() -> TaskState {
    TaskState::Shared(Shared {
        name: "app.tar".parse().unwrap(),
        resource: ResourceId::of(b"content"),
        manifest: "/app.tar.tinytorrent".into(),
        warnings: Vec::new(),
        refused: Vec::new(),
    })
}

#[test]
fn share_moves_a_file_of_the_same_file_system_by_renaming_it() {
    use std::os::unix::fs::MetadataExt;

    let fake = Fake::start();
    let (_elsewhere, path) = to_move(&fake, is_shared());
    let inode = std::fs::metadata(&path).unwrap().ino();
    ttctl(&["share", "--move", text(&path), "--directory", fake.folder()]).1.unwrap();
    assert!(!path.exists());
    let moved = std::fs::metadata(fake.folder.path().join("app.tar")).unwrap();
    assert_eq!((moved.ino(), moved.mode() & 0o777), (inode, 0o644));
    let state = fake.state();
    assert_eq!((state.shared.len(), state.imported.len()), (1, 0));
}

#[test]
fn what_is_refused_is_back_where_it_was_and_as_it_was() {
    use std::os::unix::fs::MetadataExt;

    let fake = Fake::start();
    let (_elsewhere, path) = to_move(&fake, TaskState::Failed(refused("the name is taken")));
    let failed = ttctl_fails(&["share", "--move", text(&path), "--directory", fake.folder()]);
    assert_eq!(failed.0, 4);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(!fake.folder.path().join("app.tar").exists());
}

#[test]
fn what_may_be_shared_all_the_same_stays_where_it_is() {
    let fake = Fake::start();
    let error = ControlError { kind: ErrorKind::Internal, message: "lost".to_owned(), hint: None };
    let (_elsewhere, path) = to_move(&fake, TaskState::Failed(error));
    assert_eq!(ttctl_fails(&["share", "--move", text(&path), "--directory", fake.folder()]).0, 1);
    assert!(!path.exists());
    assert_eq!(std::fs::read(fake.folder.path().join("app.tar")).unwrap(), b"content");
}

#[test]
fn what_cannot_be_renamed_is_copied_and_then_deleted() {
    let fake = Fake::start();
    let share = |path: &std::path::Path| {
        let args = ["share", "--move", "--replace", text(path), "--directory", fake.folder()];
        ttctl(&args).1.unwrap();
        assert!(!path.exists());
        assert_eq!(std::mem::take(&mut fake.state().bytes), b"content");
    };
    let (elsewhere, path) = to_move(&fake, is_shared());
    std::fs::hard_link(&path, elsewhere.path().join("another name")).unwrap();
    share(&path);
    assert!(elsewhere.path().join("another name").exists(), "the daemon's file is nobody else's");
    std::fs::write(fake.folder.path().join("app.tar"), "other content").unwrap();
    let (_elsewhere, path) = to_move(&fake, is_shared());
    share(&path);
    let there = std::fs::read(fake.folder.path().join("app.tar")).unwrap();
    assert_eq!(there, b"other content", "it is the daemon's to replace");
}
