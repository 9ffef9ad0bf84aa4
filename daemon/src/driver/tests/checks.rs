//! Tests of many checks at once, and of callers who wait for one.

use super::*;
use crate::driver::publish::PUBLISHING_MAX;
use crate::inbox::{Command, Input, TaskInput, ToShare};
use crate::library::CheckStep;
use crate::store::PublishedFile;
use shared::rpc::control::{TaskId, TaskState};
use std::fs;

/// The most checks that may run at once.
const CHECKS_MAX: usize = 3;

/// Finished resources of one chunk each, with names in order.
async fn finished(rig: &mut Rig, count: usize) -> Vec<Manifest> {
    let mut all = Vec::new();
    for at in 0..count {
        let bytes = vec![at as u8; 100 + at];
        let manifest = manifest_of(&format!("file-{at:02}"), &bytes);
        rig.finished(&manifest, &bytes).await;
        all.push(manifest);
    }
    rig.driver.saver.idle().await;
    all
}

/// The same folder after all files were copied: they have other inodes, as after `cp -a`.
fn copied(rig: Rig, manifests: &[Manifest]) -> Rig {
    let folder = rig.folder.clone();
    drop(rig);
    for manifest in manifests {
        let (path, copy) = (folder.path().join(manifest.name().as_str()), folder.path().join("copy"));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::copy(&path, &copy).unwrap();
        fs::File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
        fs::rename(&copy, &path).unwrap();
    }
    Rig::on(folder)
}

fn step(driver: &Driver, manifest: &Manifest) -> Option<CheckStep> {
    match &driver.library.get(manifest.key())?.phase {
        Phase::Checking(checking) => Some(checking.step),
        _ => None,
    }
}

fn reason(driver: &Driver, manifest: &Manifest) -> String {
    driver.status(Some(manifest.name().as_str())).unwrap().remove(0).reason.unwrap_or_default()
}

/// Lets no check begin until a turn is given back.
fn take_all_turns(driver: &mut Driver) -> Vec<crate::watch::Turn> {
    let keys = (1..=2)
        .map(|at| SwarmKey { resource: ResourceId([at; 32]), digest: shared::id::ListDigest([0; 32]) });
    keys.map(|key| {
        driver.checks.wait(key, 1, true);
        driver.checks.next().expect("a place is free").1
    })
    .collect()
}

async fn task(rig: &mut Rig, task: TaskId) -> TaskState {
    let mut state = rig.ask(|reply| Command::Task { task, reply }).await.unwrap();
    let is_over = |state: &TaskState| !matches!(state, TaskState::Running { .. });
    let waiting = async {
        loop {
            tokio::select! {
                over = state.wait_for(is_over) => return over.unwrap().clone(),
                input = rig.inputs.recv() => rig.driver.handle(input.unwrap()),
            }
        }
    };
    tokio::time::timeout(CAP, waiting).await.expect("a task ends")
}

#[tokio::test]
async fn few_files_are_checked_at_once_and_the_others_say_what_they_wait_for() {
    let mut rig = Rig::new();
    let all = finished(&mut rig, 20).await;
    let mut rig = copied(rig, &all);
    let mut waits = 0;
    loop {
        let runs = all.iter().filter(|it| step(&rig.driver, it) == Some(CheckStep::Hashes)).count();
        assert!(runs <= CHECKS_MAX, "{runs} run at once");
        let waiting =
            all.iter().filter(|it| reason(&rig.driver, it).contains("waiting to be checked")).count();
        waits = waits.max(waiting);
        if all.iter().all(|manifest| is_seeding(&rig.driver, manifest)) {
            break;
        }
        let input = tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("they go on");
        rig.driver.handle(input.unwrap());
    }
    assert!(waits >= 15, "{waits} waited");
}

#[tokio::test]
async fn what_somebody_waits_for_is_checked_first() {
    let mut rig = Rig::new();
    let all = finished(&mut rig, 5).await;
    let turns = take_all_turns(&mut rig.driver);
    all.iter().for_each(|manifest| rig.driver.check_in_turn(manifest.key()));
    assert!(reason(&rig.driver, &all[4]).ends_with("to be checked, 4 before it"));
    let verify =
        rig.ask(|reply| Command::Verify { what: "file-04".to_owned(), by: user(1000), reply }).await.unwrap();
    rig.get(&all[3], false).await.unwrap();
    assert!(reason(&rig.driver, &all[3]).ends_with("next in line"), "{}", reason(&rig.driver, &all[3]));
    assert!(reason(&rig.driver, &all[4]).ends_with("to be checked, 1 before it"));
    assert!(reason(&rig.driver, &all[0]).ends_with("to be checked, 2 before it"));
    turns.into_iter().for_each(|turn| rig.driver.checks.ended(turn));
    rig.driver.begin_checks();
    assert!(matches!(task(&mut rig, verify).await, TaskState::Verified { chunks_good: 1, .. }));
    for manifest in &all {
        rig.until("it is checked", |driver| is_seeding(driver, manifest)).await;
    }
}

#[tokio::test]
async fn a_check_ends_with_pause_and_remove_and_whoever_waits_hears_of_it() {
    let mut rig = Rig::new();
    let all = finished(&mut rig, 2).await;
    let turns = take_all_turns(&mut rig.driver);
    let mut asked = Vec::new();
    for what in ["file-00", "file-01"] {
        let what = what.to_owned();
        asked.push(rig.ask(|reply| Command::Verify { what, by: user(1000), reply }).await.unwrap());
    }
    rig.ask(|reply| Command::Pause { what: "file-00".to_owned(), reply }).await.unwrap();
    rig.ask(|reply| Command::Remove { what: "file-01".to_owned(), delete: false, by: user(1000), reply })
        .await
        .unwrap();
    for id in asked {
        let TaskState::Failed(error) = task(&mut rig, id).await else { panic!("it was not checked") };
        assert!(error.message.contains("was paused or removed"), "{error}");
    }
    assert!(rig.driver.checks.before().is_empty(), "nothing waits any more");
    turns.into_iter().for_each(|turn| rig.driver.checks.ended(turn));
    assert_eq!(rig.driver.status(Some("file-00")).unwrap()[0].state, State::Paused);
    rig.ask(|reply| Command::Resume { what: "file-00".to_owned(), reply }).await.unwrap();
    rig.until("it is checked", |driver| is_seeding(driver, &all[0])).await;
}

#[tokio::test]
async fn who_asks_while_a_file_is_read_gets_a_check_that_begins_later() {
    let mut rig = Rig::new();
    let all = finished(&mut rig, 1).await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(
            rig.ask(|reply| Command::Verify { what: "file-00".to_owned(), by: user(1000), reply })
                .await
                .unwrap(),
        );
    }
    let path = rig.file("file-00");
    // The first check may have read it already; the others begin later.
    assert_eq!(step(&rig.driver, &all[0]), Some(CheckStep::Hashes));
    let mut bytes = fs::read(&path).unwrap();
    bytes[5] ^= 1;
    fs::write(&path, bytes).unwrap();
    task(&mut rig, asked[0]).await;
    for id in &asked[1..] {
        let state = task(&mut rig, *id).await;
        assert!(matches!(state, TaskState::Verified { chunks_good: 0, .. }), "{state:?}");
    }
}

#[tokio::test]
async fn a_verify_ends_although_the_file_was_shared_anew_meanwhile() {
    let mut rig = Rig::new();
    let all = finished(&mut rig, 1).await;
    let verify =
        rig.ask(|reply| Command::Verify { what: "file-00".to_owned(), by: user(1000), reply }).await.unwrap();
    assert_eq!(step(&rig.driver, &all[0]), Some(CheckStep::Hashes));
    let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
    let request = ToShare {
        name: "file-00".parse().unwrap(),
        trackers,
        replace: false,
        bytes: 0,
        data_bytes: 0,
        tree: None,
        lost: Vec::new(),
        by: user(1000),
        to_be_signed: false,
    };
    rig.driver.share(request).unwrap();
    // The share ends first: the check's result is held back until then.
    let mut held = Vec::new();
    while step(&rig.driver, &all[0]).is_some() {
        match tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("it is hashed").unwrap() {
            input @ Input::Task(TaskInput::Checked { .. }) => held.push(input),
            input => rig.driver.handle(input),
        }
    }
    assert!(is_seeding(&rig.driver, &all[0]));
    held.into_iter().for_each(|input| rig.driver.handle(input));
    let state = task(&mut rig, verify).await;
    assert!(matches!(state, TaskState::Verified { chunks_good: 1, .. }), "{state:?}");
}

/// A resource under two names, whose files are complete.
async fn two_names(rig: &mut Rig) -> [Manifest; 2] {
    let bytes = bytes(2);
    let names = ["one", "two"].map(|name| manifest_of(name, &bytes));
    rig.finished(&names[0], &bytes).await;
    rig.get(&names[1], false).await.unwrap();
    rig.until("the copy is there", |driver| is_seeding(driver, &names[1])).await;
    names
}

async fn verify(rig: &mut Rig, what: &str) -> TaskId {
    let what = what.to_owned();
    rig.ask(|reply| Command::Verify { what, by: user(1000), reply }).await.unwrap()
}

fn is_good(state: &TaskState) -> bool {
    matches!(state, TaskState::Verified { chunks_good: 2, chunks_total: 2, .. })
}

#[tokio::test]
async fn whoever_asks_about_a_name_hears_of_the_file_of_that_name() {
    let mut rig = Rig::new();
    let names = two_names(&mut rig).await;
    fs::write(rig.file("two"), "something else").unwrap();
    let [one, two] = [verify(&mut rig, "one").await, verify(&mut rig, "two").await];
    assert!(is_good(&task(&mut rig, one).await));
    assert!(matches!(task(&mut rig, two).await, TaskState::Verified { chunks_good: 0, .. }));
    rig.until("the good one is served", |driver| is_seeding(driver, &names[0])).await;
    assert_eq!(rig.driver.status(Some("two")).unwrap()[0].state, State::Error);
}

#[tokio::test]
async fn whoever_asks_about_a_file_that_is_known_to_be_gone_hears_so() {
    let mut rig = Rig::new();
    let names = two_names(&mut rig).await;
    fs::remove_file(rig.file("two")).unwrap();
    let Phase::Seeding(served) = &rig.driver.library.get(names[0].key()).unwrap().phase else {
        panic!("it is served")
    };
    assert_eq!(served.path, rig.file("one"));
    let identity = rig.driver.library.get(names[0].key()).unwrap().record.names[1].published.unwrap();
    let gone = PublishedFile { manifest: names[1].clone(), path: rig.file("two"), identity, tree: None };
    rig.driver.source_changed(names[1].key(), &Arc::new(gone), None); // somebody looked at the file before
    let asked = verify(&mut rig, "two").await;
    let state = task(&mut rig, asked).await;
    assert!(matches!(state, TaskState::Failed(_)), "{state:?}");
    rig.until("the other one is served", |driver| is_seeding(driver, &names[0])).await;
    let asked = verify(&mut rig, "one").await;
    assert!(is_good(&task(&mut rig, asked).await));
}

#[tokio::test]
async fn a_change_of_the_served_file_is_not_lost_in_a_check_of_another_one() {
    let mut rig = Rig::new();
    let names = two_names(&mut rig).await;
    let asked = verify(&mut rig, "two").await;
    assert!(is_good(&task(&mut rig, asked).await));
    let Phase::Seeding(served) = &rig.driver.library.get(names[0].key()).unwrap().phase else {
        panic!("it is served")
    };
    let served = served.clone();
    assert_eq!(served.path, rig.file("two"));
    fs::remove_file(rig.file("two")).unwrap();
    rig.driver.source_changed(names[0].key(), &served, None);
    rig.until("the other one is served", |driver| is_seeding(driver, &names[0])).await;
    assert_eq!(rig.driver.status(Some("two")).unwrap()[0].state, State::Error);
}

#[tokio::test]
async fn what_was_found_of_a_removed_name_is_not_said_of_another_one() {
    let mut rig = Rig::new();
    let names = two_names(&mut rig).await;
    fs::write(rig.file("two"), "something else").unwrap();
    let asked = verify(&mut rig, "one").await;
    assert_eq!(step(&rig.driver, &names[0]), Some(CheckStep::Hashes));
    // The result is held back until the name is removed.
    let checked = loop {
        match tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("it is checked").unwrap() {
            input @ Input::Task(TaskInput::Checked { .. }) => break input,
            input => rig.driver.handle(input),
        }
    };
    let what = "one".to_owned();
    rig.ask(|reply| Command::Remove { what, delete: false, by: user(1000), reply }).await.unwrap();
    rig.driver.handle(checked);
    task(&mut rig, asked).await;
    let is_failed = |driver: &Driver| driver.status(Some("two")).unwrap()[0].state == State::Error;
    rig.until("the other file is found to differ", is_failed).await;
}

/// Occupies all threads for blocking work, as hashing many files does.
#[test]
fn commands_are_answered_while_every_thread_hashes() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let mut rig = Rig::new();
        finished(&mut rig, 2).await;
        let (release, until) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || until.recv());
        rig.ask(|reply| Command::Pause { what: "file-00".to_owned(), reply }).await.unwrap();
        rig.ask(|reply| Command::Remove { what: "file-01".to_owned(), delete: false, by: user(1000), reply })
            .await
            .unwrap();
        drop(release);
    });
}

#[tokio::test]
async fn a_file_is_shared_while_checks_wait() {
    let mut rig = Rig::new();
    let all = finished(&mut rig, 3).await;
    let _turns = take_all_turns(&mut rig.driver);
    all.iter().for_each(|manifest| rig.driver.check_in_turn(manifest.key()));
    fs::write(rig.file("new"), b"a few bytes").unwrap();
    let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
    let request = ToShare {
        name: "new".parse().unwrap(),
        trackers,
        replace: false,
        bytes: 0,
        data_bytes: 0,
        tree: None,
        lost: Vec::new(),
        by: user(1000),
        to_be_signed: false,
    };
    rig.ask(|reply| Command::Share { request, reply }).await.unwrap();
    rig.until("it is shared", |driver| {
        driver.status(Some("new")).is_ok_and(|status| status[0].state == State::Seeding)
    })
    .await;
    assert_eq!(rig.driver.checks.before().len(), 3);
}

#[tokio::test]
async fn few_files_are_published_at_once_and_all_of_them() {
    let mut rig = Rig::new();
    let mut all = Vec::new();
    for at in 0..PUBLISHING_MAX + 20 {
        let bytes = vec![at as u8; 100 + at];
        let manifest = manifest_of(&format!("file-{at:02}"), &bytes);
        rig.get(&manifest, false).await.unwrap();
        all.push((manifest, bytes));
    }
    all.iter().for_each(|(manifest, bytes)| rig.receive(manifest, bytes));
    let mut most = 0;
    while !all.iter().all(|(manifest, _)| is_seeding(&rig.driver, manifest)) {
        most = most.max(rig.driver.publishing.len());
        let input = tokio::time::timeout(CAP, rig.inputs.recv()).await.expect("they go on");
        rig.driver.handle(input.unwrap());
    }
    assert!(most <= PUBLISHING_MAX, "{most} were published at once");
    assert!(rig.driver.to_publish.is_empty());
}
