//! What somebody else has put into a directory, or has edited in it, when the directory is replaced or removed.

use super::contents::{many, older_tree, paths, put_theirs, theirs, tree};
use super::*;
use std::fs;
use std::path::Path;

/// Waits until the trash is empty.
async fn emptied(rig: &Rig) {
    rig.driver.saver.idle().await;
    let trash = rig.file(".tinytorrent/trash");
    comes_true("that the trash is empty", || fs::read_dir(&trash).unwrap().next().is_none()).await;
}

/// Fetches a directory over what is there.
async fn replace(rig: &mut Rig, bytes: &[u8]) -> Manifest {
    let manifest = manifest_of("x.tar", bytes);
    rig.get(&manifest, true).await.unwrap();
    let is_fetched = |driver: &Driver| {
        driver.library.get(manifest.key()).is_some_and(|it| matches!(it.phase, Phase::Fetching(_)))
    };
    rig.until("it is fetched", is_fetched).await;
    rig.receive(&manifest, bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    emptied(rig).await;
    manifest
}

async fn remove(rig: &mut Rig) {
    let (what, by) = ("x.tar".to_owned(), user(1000));
    rig.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap();
    emptied(rig).await;
}

#[tokio::test]
async fn what_somebody_else_has_put_into_a_directory_is_kept_beside_its_new_version() {
    let mut rig = Rig::new();
    rig.finished(&manifest_of("x.tar", &older_tree()), &older_tree()).await;
    replace(&mut rig, &tree()).await;
    assert!(!rig.file("x.kept").exists(), "nothing was to be kept");
    for (bytes, kept) in [(older_tree(), "x.kept"), (tree(), "x.kept-2"), (older_tree(), "x.kept-3")] {
        put_theirs(rig.folder.path());
        fs::create_dir_all(rig.file("x/cache/empty")).unwrap();
        replace(&mut rig, &bytes).await;
        assert_eq!(paths(&rig.file(kept)), [Path::new("deep/mine")]);
        assert!(rig.file(kept).join("cache/empty").is_dir());
        assert_eq!(theirs(rig.folder.path()), Path::new(kept).join("deep/mine"));
        fs::remove_file(rig.file(kept).join("deep/mine")).unwrap();
    }
}

#[tokio::test]
async fn of_a_version_that_is_overtaken_while_it_is_fetched_the_former_one_stays_known() {
    let mut rig = Rig::new();
    rig.finished(&manifest_of("x.tar", &older_tree()), &older_tree()).await;
    put_theirs(rig.folder.path());
    let second = manifest_of("x.tar", &tree());
    rig.get(&second, true).await.unwrap();
    let is_fetched = |driver: &Driver| {
        driver.library.get(second.key()).is_some_and(|it| matches!(it.phase, Phase::Fetching(_)))
    };
    rig.until("it is fetched", is_fetched).await;
    replace(&mut rig, &many()).await;
    assert_eq!(paths(&rig.file("x.kept")), [Path::new("deep/mine")], "files of the first version are kept");
}

#[tokio::test]
async fn an_edited_file_that_the_new_version_does_not_have_is_kept() {
    let mut rig = Rig::new();
    rig.finished(&manifest_of("x.tar", &older_tree()), &older_tree()).await;
    // The new version has no `gone`, a symbolic link at `deep/link`, and other content in `deep/b`.
    for path in ["x/gone", "x/deep/link", "x/deep/b"] {
        let _ = fs::remove_file(rig.file(path));
        fs::write(rig.file(path), "edited").unwrap();
    }
    replace(&mut rig, &tree()).await;
    assert_eq!(paths(&rig.file("x.kept")), [Path::new("gone")], "the others are replaced");
    assert_eq!(fs::read(rig.file("x.kept/gone")).unwrap(), b"edited");
    assert_ne!(fs::read(rig.file("x/deep/b")).unwrap(), b"edited");
}

#[tokio::test]
async fn of_a_removed_directory_what_somebody_else_put_there_or_edited_stays() {
    let (mut rig, bytes) = (Rig::new(), older_tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.finished(&manifest, &bytes).await;
    put_theirs(rig.folder.path());
    fs::write(rig.file("x/a"), "edited").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", rig.file("x/deep/a link")).unwrap();
    remove(&mut rig).await;
    let left = ["a", "deep/a link", "deep/mine"].map(Path::new);
    assert_eq!(paths(&rig.file("x")), left);
    assert!(!rig.file("x.kept").exists() && !rig.file("x.tar.tinytorrent").exists());

    // It is another directory now: `get` refuses it, and with --replace all of it stays beside the new one.
    let manifest = replace(&mut rig, &tree()).await;
    assert_eq!(paths(&rig.file("x.kept")), left[1..], "the file of the same name was replaced");
    remove(&mut rig).await;
    assert!(!rig.file("x").exists());
    assert!(rig.driver.library.get(manifest.key()).is_none());
}

#[tokio::test]
async fn of_a_directory_that_nobody_knows_only_files_of_the_same_path_are_replaced() {
    let mut rig = Rig::new();
    fs::create_dir_all(rig.file("x/deep")).unwrap();
    for path in ["x/a", "x/deep/b", "x/deep/other", "x/notes"] {
        fs::write(rig.file(path), "theirs").unwrap();
    }
    replace(&mut rig, &tree()).await;
    assert_eq!(paths(&rig.file("x.kept")), ["deep/other", "notes"].map(Path::new));
}

#[tokio::test]
async fn a_repair_replaces_edited_files_and_keeps_those_of_somebody_else() {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.finished(&manifest, &bytes).await;
    put_theirs(rig.folder.path());
    let place = rig.file("x/z");
    fs::remove_file(&place).unwrap();
    fs::write(&place, "edited").unwrap();
    replace(&mut rig, &bytes).await;
    assert_eq!(paths(&rig.file("x.kept")), [Path::new("deep/mine")]);
    assert_ne!(fs::read(&place).unwrap(), b"edited");
}
