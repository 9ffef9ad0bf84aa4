//! A share, and the search for strays, hash the same directory: one after the other.

use super::contents::tree;
use super::*;
use crate::inbox::{Command, Input, TaskInput, ToShare};
use shared::rpc::control::TaskId;
use shared::tree::{Symlinks, TreeOptions};
use std::fs;

/// A driver that has just started. A directory lies beside its manifest, and all records are lost.
async fn with_a_stray() -> (Rig, Manifest) {
    let (mut rig, bytes) = (Rig::new(), tree());
    let manifest = manifest_of("x.tar", &bytes);
    rig.finished(&manifest, &bytes).await;
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);
    fs::remove_dir_all(folder.path().join(".tinytorrent/resources")).unwrap();
    (Rig::on(folder), manifest)
}

/// Asks that the directory x is shared. The answer is still to come.
fn begin(rig: &mut Rig) -> oneshot::Receiver<Result<TaskId, ControlError>> {
    let options = TreeOptions { symlinks: Symlinks::Inside, skip_special: false, has_times: true };
    let request = ToShare {
        trackers: vec!["tt://127.0.0.1:1".parse().unwrap()],
        ..ToShare::in_place("x.tar".parse().unwrap(), Some(options), user(1000))
    };
    let (reply, answer) = oneshot::channel();
    rig.driver.handle(Input::Command(Command::Share { request, reply }));
    answer
}

/// Waits until the directory is shared, and checks that the next start serves it without a check.
async fn is_shared(mut rig: Rig, manifest: &Manifest) {
    let is_ours = |driver: &Driver| {
        is_seeding(driver, manifest) && driver.library.get(manifest.key()).unwrap().record.origin
    };
    rig.until("it is shared", |driver| is_ours(driver) && driver.noting.is_empty()).await;
    rig.driver.saver.idle().await;
    let folder = rig.folder.clone();
    drop(rig);
    let rig = Rig::on(folder);
    assert!(is_ours(&rig.driver), "{:?}", rig.driver.status(None));
}

#[tokio::test]
async fn a_share_waits_until_the_search_for_strays_leaves_its_directory() {
    let (mut rig, manifest) = with_a_stray().await;
    rig.until("it is compared", |driver| driver.strays.compares(manifest.name())).await;
    let answer = begin(&mut rig);
    assert!(rig.driver.noting.is_empty(), "the share has begun");
    rig.answered(answer).await.expect("the search has ended");
    is_shared(rig, &manifest).await;
}

#[tokio::test]
async fn the_search_for_strays_waits_for_a_share_of_its_directory() {
    let (mut rig, manifest) = with_a_stray().await;
    let answer = begin(&mut rig);
    rig.answered(answer).await.unwrap();
    let name = manifest.name().clone();
    rig.until("it is shared or searched for", |driver| {
        let (shares, compares) = (driver.noting.contains_key(&name), driver.strays.compares(&name));
        assert!(!shares || !compares, "both note it at once");
        is_seeding(driver, &manifest) && !shares && driver.strays.left.is_empty()
    })
    .await;
    is_shared(rig, &manifest).await;
}

#[tokio::test]
async fn what_was_noted_for_nothing_is_removed_before_the_next_share_begins() {
    let (mut rig, manifest) = with_a_stray().await;
    fs::remove_file(rig.file("x.tar.tinytorrent")).unwrap(); // it is no stray
    let answer = begin(&mut rig);
    rig.answered(answer).await.unwrap();
    let slot = rig.driver.home.slot(manifest.key());
    loop {
        let input = tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("it is hashed").unwrap();
        let is_hashed = matches!(&input, Input::Task(TaskInput::Hashed { .. }));
        if is_hashed {
            assert!(slot.tree().exists(), "nothing is noted");
            fs::rename(rig.file("x"), rig.file("y")).unwrap();
        }
        rig.driver.handle(input);
        if is_hashed {
            break;
        }
    }
    let again = begin(&mut rig);
    let refused = rig.answered(again).await.unwrap_err();
    assert!(refused.message.contains("is being shared already"), "{refused:?}");
    rig.until("the share has ended", |driver| driver.noting.is_empty()).await;
    assert!(!slot.part().parent().unwrap().exists(), "something is left");
    fs::rename(rig.file("y"), rig.file("x")).unwrap();
    let answer = begin(&mut rig);
    rig.answered(answer).await.unwrap();
    is_shared(rig, &manifest).await;
}
