//! What those hear who follow the events, and when a name came to be here.

use super::*;
use shared::rpc::control::{FileEvent, Happening};
use std::time::Duration;

/// The events after this one, as words: "accepted x".
async fn events(driver: &Driver, after: u64) -> Vec<String> {
    let page = driver.context.events.read(Some(after), Duration::ZERO).await;
    let word = |event: &Happening| match event {
        Happening::File { name, what: FileEvent::Complete { bytes, sources, .. }, .. } => {
            format!("complete {name}: {bytes} B from {sources}")
        }
        Happening::File { name, what, .. } => format!("{what:?} {name}").to_lowercase(),
        Happening::Tracker { what, .. } => format!("{what:?}"),
    };
    page.events.iter().map(|happened| word(&happened.event)).collect()
}

#[tokio::test]
async fn a_download_and_what_becomes_of_it_is_told_also_when_nobody_reads_snapshots() {
    let (mut rig, bytes) = (Rig::new(), bytes(2));
    let manifest = manifest_of("x", &bytes);
    assert_eq!(rig.driver.context.snapshots.receiver_count(), 0);
    rig.get(&manifest, false).await.unwrap();
    assert!(rig.driver.next_snapshot_at(Instant::now()).is_some(), "the loop makes one by itself");
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 0).await, ["accepted x"]);
    rig.receive(&manifest, &bytes);
    rig.until("it is published", |driver| is_seeding(driver, &manifest)).await;
    rig.driver.show_news();
    let complete = format!("complete x: {} B from 1", bytes.len());
    assert_eq!(events(&rig.driver, 1).await, [complete]);
    rig.ask(|reply| Command::Pause { what: "x".to_owned(), reply }).await.unwrap();
    rig.driver.show_news();
    rig.ask(|reply| Command::Resume { what: "x".to_owned(), reply }).await.unwrap();
    rig.driver.show_news();
    let (what, by) = ("x".to_owned(), user(1000));
    rig.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap();
    rig.driver.show_news();
    assert_eq!(events(&rig.driver, 2).await, ["paused x", "resumed x", "removed x"]);
}

#[tokio::test]
async fn when_a_name_was_added_is_known_after_a_restart_which_is_no_event() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let added = rig.driver.status(Some("x")).unwrap()[0].added_at_ms;
    assert!(added.is_some_and(|added| added >= rig.driver.started_at_ms));
    let Rig { driver, folder, .. } = rig;
    driver.end().await;
    let mut rig = Rig::on(folder);
    rig.driver.started_at_ms += 1; // a restart takes longer than a test
    rig.until("it is served again", |driver| is_seeding(driver, &manifest)).await;
    assert_eq!(rig.driver.status(Some("x")).unwrap()[0].added_at_ms, added);
    rig.driver.show_news();
    assert!(events(&rig.driver, 0).await.is_empty());
}

#[tokio::test]
async fn what_was_received_of_removed_files_stays_in_the_totals() {
    let (mut rig, bytes) = (Rig::new(), bytes(1));
    let manifest = manifest_of("x", &bytes);
    rig.finished(&manifest, &bytes).await;
    let traffic = rig.driver.library.get(manifest.key()).unwrap().traffic.clone();
    traffic.received.fetch_add(70, std::sync::atomic::Ordering::Relaxed);
    traffic.sent.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    let overview = rig.driver.overview();
    assert_eq!((overview.traffic, overview.states), ((70, 7), vec![(State::Seeding, 1)]));
    let (what, by) = ("x".to_owned(), user(1000));
    rig.ask(|reply| Command::Remove { what, delete: true, by, reply }).await.unwrap();
    let overview = rig.driver.overview();
    assert_eq!((overview.traffic, overview.states), ((70, 7), Vec::new()));
}
